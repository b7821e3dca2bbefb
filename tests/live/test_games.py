"""The games of a report, played again."""

import dataclasses

import numpy as np
import pytest

from rlvision_jax.live.games import NotReplayableError, RecordedGames, end_of, rules_of


def test_every_moment_looks_as_recorded(rules, games, report):
    num_ends = 0
    for index, trajectory in enumerate(report.trajectories):
        num_ends += trajectory.terminated[:-1].sum()
        for step, recorded in enumerate(trajectory.observations):
            drawn = rules.draw(games.state(index, step)).frame
            np.testing.assert_array_equal(drawn, recorded, f"trajectory {index}, step {step}")
    # Several levels each, and episodes longer than the steps between two kept states.
    assert num_ends >= 4
    assert max(map(longest_episode, report.trajectories)) > 64


def longest_episode(trajectory):
    ends = [-1, *np.flatnonzero(trajectory.terminated)]
    return np.diff(ends).max()


def test_the_recorded_ends_come_with_the_recorded_actions(rules, games, report):
    for index, trajectory in enumerate(report.trajectories):
        for step in np.flatnonzero(trajectory.terminated).tolist():
            _, outcome = rules.play(games.state(index, step), trajectory.actions[step : step + 1])
            assert (end_of(outcome) == "complete") == trajectory.level_complete[step]
            assert float(outcome.reward) == trajectory.rewards[step]


@pytest.fixture
def changed(report):
    def change(**fields):
        return dataclasses.replace(report.trajectories[0], **fields)

    return change


def test_a_play_that_looks_otherwise_is_refused(rules, changed, report):
    frames = report.trajectories[0].observations.copy()
    frames[0, 40, 40] ^= 1
    with pytest.raises(NotReplayableError, match=r"step 1 of trajectory 1 .* \(1 pixels differ\)"):
        RecordedGames(rules, [changed(observations=frames)])


def test_a_play_with_other_actions_is_refused(rules, changed, report):
    actions = report.trajectories[0].actions.copy()
    actions[3] = 1
    with pytest.raises(NotReplayableError, match="does not look as recorded"):
        RecordedGames(rules, [changed(actions=actions)])


def test_a_play_that_ends_otherwise_is_refused(rules, changed, report):
    whole = report.trajectories[0]
    first_end = np.flatnonzero(whole.terminated)[0]
    cut = {
        name: value[: first_end + 1]
        for name, value in vars(whole).items()
        if isinstance(value, np.ndarray)
    }
    cut["terminated"] = np.zeros(first_end + 1, bool)
    with pytest.raises(NotReplayableError, match=f"ends after step {first_end + 1}, unlike"):
        RecordedGames(rules, [changed(**cut)])


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"env": "procgen:starpilot"}, "in CoinRun only; this report is of procgen:starpilot"),
        ({}, "this report is of an unknown game"),
        (
            {"env": "procgen:coinrun", "env_options": {"use_generated_assets": True}},
            "cannot be edited with use_generated_assets",
        ),
        (
            {"env": "procgen:coinrun", "env_options": {"distribution_mode": "exploration"}},
            'unknown distribution_mode "exploration"',
        ),
    ],
)
def test_what_is_not_the_device_game_is_refused(config, reason, as_in_production):
    with pytest.raises(NotReplayableError, match=reason):
        rules_of(config)
