"""Histories: what follows what, what may not, and what is kept."""

import numpy as np
import pytest

from rlvision_jax.live import RequestError
from rlvision_jax.live.moments import MOST_EVENTS, Moments, Place

PAINT = {"edit": "blank", "pixels": [[3, 4]], "color": [1, 2, 3]}
SAW = {"edit": "add_saw", "cell": [5, 5]}


def test_recorded_actions_lead_to_the_recorded_frames_rewards_and_end(moments, report):
    trajectory = report.trajectories[1]
    start, end = 2, int(np.flatnonzero(trajectory.terminated)[0])
    place = Place(1, start, ())
    for step in range(start, end):
        moment = moments.at(place)
        np.testing.assert_array_equal(moment.frame, trajectory.observations[step])
        assert moment.end is None
        place = place.then({"action": int(trajectory.actions[step])})
    last = moments.at(place.then({"action": int(trajectory.actions[end])}))
    assert (last.end == "complete") == trajectory.level_complete[end]
    assert last.reward == trajectory.rewards[end]
    place = place.then({"action": int(trajectory.actions[end])})
    for event in ({"action": 0}, PAINT, SAW):
        with pytest.raises(RequestError, match=rf"the game has ended \({last.end}\); drop the"):
            moments.at(place.then(event))


def test_undoing_gives_the_same_moment(moments):
    place = Place(0, 7, (SAW,))
    first = moments.at(place)
    moments.at(place.then({"edit": "remove", "kind": "saw"}))
    assert moments.at(place) is first


def test_events_are_told_apart_by_what_they_say(moments):
    other = {"edit": "add_saw", "cell": [5, 6]}
    one, two = moments.at(Place(0, 7, (SAW,))), moments.at(Place(0, 7, (other,)))
    assert not np.array_equal(one.state.sprites, two.state.sprites)
    assert moments.at(Place(0, 8, (SAW,))) is not one
    # In whatever order the page writes an event's arguments.
    assert moments.at(Place(0, 7, ({"cell": [5, 5], "edit": "add_saw"},))) is one


def test_the_last_request_costs_what_its_last_event_does(moments, rules, monkeypatch):
    played = []
    play = type(rules).play
    monkeypatch.setattr(type(rules), "play", lambda *a: (played.append(a), play(*a))[1])
    place = Place(0, 0, ())
    for _ in range(5):
        place = place.then({"action": 4})
        moments.at(place)
    assert len(played) == 5
    moments.at(place)
    assert len(played) == 5


def test_the_reward_is_that_of_the_last_action(moments):
    coin = {"edit": "move_coin", "cell": [1, 1]}
    won = moments.at(Place(1, 0, (coin, {"action": 4})))
    assert (won.reward, won.end) == (10.0, "complete")
    lived = moments.at(Place(1, 0, ({"action": 4}, PAINT)))
    assert (lived.reward, lived.end) == (0.0, None)


def test_of_another_game_the_pixels_can_be_painted_and_nothing_else(report):
    moments = Moments(report.trajectories, "scenes can be edited in CoinRun only")
    painted = moments.at(Place(0, 3, (PAINT,)))
    expected = report.trajectories[0].observations[3].copy()
    expected[3, 4] = (1, 2, 3)
    np.testing.assert_array_equal(painted.frame, expected)
    assert painted.state is None
    for event in (SAW, {"action": 7}):
        with pytest.raises(RequestError, match="in CoinRun only; the pixels can be painted over"):
            moments.at(Place(0, 3, (event,)))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((2, 0, []), "trajectory must be a whole number from 0 to 1; got 2"),
        (("0", 0, []), "trajectory must be a whole number"),
        ((1, 150, []), "step of trajectory 1 must be a whole number from 0 to 149; got 150"),
        ((0, -1, []), "got -1"),
        ((0, 0, {}), "history must be a list of events"),
        ((0, 0, ["left"]), "history must be a list of events"),
        ((0, 0, [PAINT] * (MOST_EVENTS + 1)), "history has 4097 events; expected at most 4096"),
    ],
)
def test_a_place_that_there_is_not_is_refused(moments, place, message):
    with pytest.raises(RequestError, match=message):
        moments.parse_place(*place)
