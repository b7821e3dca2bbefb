"""Moments of a report and what was done from them on: edits, actions, paint. (Host only.)

A request names a moment by a step of the recorded play and the events since, all of them each
time; so the server holds nothing of any page, and undoing is asking again without the last event.
Moments are kept by their events, so that a request costs what its last event does.
"""

import collections
import dataclasses
import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from rlvision_jax.envs.coinrun import State
from rlvision_jax.interface import Trajectory
from rlvision_jax.live.arguments import (
    REQUIRED,
    Argument,
    color,
    pixels,
    shown,
    taken,
    whole,
)
from rlvision_jax.live.edits import parse_edit
from rlvision_jax.live.errors import RequestError
from rlvision_jax.live.games import Picture, RecordedGames, end_of

MOST_EVENTS = 4096
"""Longest history: a game of CoinRun lasts 1,000 steps."""

# About 70 KB each.
_KEPT = 512


class Paint(NamedTuple):
    """Pixels painted over, on this and every later frame.

    Attributes:
      where: which pixels.
      color: their colours; elsewhere without meaning.
    """

    where: Bool[np.ndarray, "height width"]
    color: UInt8[np.ndarray, "height width 3"]

    def over(self, frame: UInt8[np.ndarray, "height width 3"]) -> UInt8[np.ndarray, "..."]:
        """The painted frame."""
        return np.where(self.where[..., None], self.color, frame)


class Place(NamedTuple):
    """A moment as requests name it.

    Attributes:
      trajectory: index into the report's trajectories.
      step: index on its time axis.
      history: events since, as JSON.
    """

    trajectory: int
    step: int
    history: tuple[dict[str, Any], ...]

    def then(self, event: dict[str, Any]) -> "Place":
        """The moment after one event more."""
        return self._replace(history=(*self.history, event))


@dataclasses.dataclass(frozen=True, eq=False)
class Moment:
    """A recorded moment, or what became of it.

    Attributes:
      frame: what the agent sees, paint included.
      picture: the game's own frame and objects; None where the game is not known.
      state: of the game; None likewise.
      paint: None if nothing is painted.
      reward: of the last action; 0 before any.
      end: None if the game goes on, else how the last action ended it.
    """

    frame: UInt8[np.ndarray, "height width 3"]
    picture: Picture | None = None
    state: State | None = None
    paint: Paint | None = None
    reward: float = 0.0
    end: str | None = None


class Moments:
    """Finds moments, and keeps those found last."""

    def __init__(self, trajectories: tuple[Trajectory, ...], games: RecordedGames | str):
        """Starts with none.

        Args:
          trajectories: of the report.
          games: its games; or why there are none.
        """
        self._trajectories = trajectories
        self._games = games
        self._num_actions = trajectories[0].policy_logits.shape[1]
        self._kept: collections.OrderedDict[bytes, Moment] = collections.OrderedDict()

    def parse_place(self, trajectory: Any, step: Any, history: Any) -> Place:
        """Checks how a request names a moment, but for its events.

        Raises:
          RequestError: if there is no such step, or the history is not a list of objects or too
            long.
        """
        index = whole(0, len(self._trajectories) - 1)("trajectory", trajectory)
        num_steps = len(self._trajectories[index].actions)
        step = whole(0, num_steps - 1)(f"step of trajectory {index}", step)
        if not isinstance(history, list) or not all(isinstance(event, dict) for event in history):
            raise RequestError(
                f'history must be a list of events such as {{"action": 7}}; got {shown(history)}'
            )
        if len(history) > MOST_EVENTS:
            raise RequestError(
                f"history has {len(history)} events; expected at most {MOST_EVENTS}: begin from "
                "another step"
            )
        return Place(index, step, tuple(history))

    def at(self, place: Place) -> Moment:
        """The moment at a place.

        Raises:
          RequestError: if an event is malformed or not possible; says which.
        """
        keys = _keys(place)
        known = len(keys) - 1
        while known >= 0 and keys[known] not in self._kept:
            known -= 1
        if known < 0:
            known = 0
            self._keep(keys[0], self._recorded(place.trajectory, place.step))
        moment = self._kept[keys[known]]
        self._kept.move_to_end(keys[known])
        for number in range(known, len(place.history)):
            try:
                moment = self._after(moment, place.history[number])
            except RequestError as error:
                raise RequestError(f"event {number + 1}: {error}") from None
            self._keep(keys[number + 1], moment)
        return moment

    def _keep(self, key: bytes, moment: Moment) -> None:
        self._kept[key] = moment
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _recorded(self, trajectory: int, step: int) -> Moment:
        frame = self._trajectories[trajectory].observations[step]
        if isinstance(self._games, str):
            return Moment(frame)
        state = self._games.state(trajectory, step)
        picture = self._games.rules.draw(state)
        if not np.array_equal(picture.frame, frame):
            raise RequestError(
                f"played again, step {step} of trajectory {trajectory} does not look as recorded; "
                "choose another step"
            )
        return Moment(frame, picture, state)

    def _after(self, moment: Moment, event: dict[str, Any]) -> Moment:
        if moment.end is not None:
            raise RequestError(
                f"the game has ended ({moment.end}); drop the events that follow its end"
            )
        if "action" in event:
            expected: dict[str, tuple[Argument, Any]] = {
                "action": (whole(0, self._num_actions - 1), REQUIRED)
            }
            return self._acted(moment, taken("the event", event, expected)["action"])
        if "edit" not in event:
            raise RequestError(
                f'expected {{"action": number}} or {{"edit": name, ...}}; got {shown(event)}'
            )
        arguments = {name: value for name, value in event.items() if name != "edit"}
        if event["edit"] == "blank":
            return _painted(moment, arguments)
        edit = parse_edit(event["edit"], arguments)
        rules = self._known_games().rules
        assert moment.state is not None
        state = edit.apply(moment.state)
        return _seen(moment, rules.draw(state), state)

    def _acted(self, moment: Moment, action: int) -> Moment:
        rules = self._known_games().rules
        assert moment.state is not None
        state, outcome = rules.play(moment.state, [action])
        after = _seen(moment, rules.draw(state), state)
        return dataclasses.replace(after, reward=float(outcome.reward), end=end_of(outcome))

    def _known_games(self) -> RecordedGames:
        if isinstance(self._games, str):
            raise RequestError(f'{self._games}; the pixels can be painted over (edit "blank")')
        return self._games


def _seen(moment: Moment, picture: Picture, state: State) -> Moment:
    paint = moment.paint
    frame = picture.frame if paint is None else paint.over(picture.frame)
    return Moment(frame, picture, state, paint, moment.reward)


def _painted(moment: Moment, arguments: dict[str, Any]) -> Moment:
    height, width, _ = moment.frame.shape
    checks: dict[str, tuple[Argument, Any]] = {
        "pixels": (pixels(height, width), REQUIRED),
        "color": (color, REQUIRED),
    }
    checked = taken('edit "blank"', arguments, checks)
    if moment.paint is None:
        where, colors = np.zeros((height, width), np.bool_), np.zeros_like(moment.frame)
    else:
        where, colors = moment.paint.where.copy(), moment.paint.color.copy()
    rows, columns = checked["pixels"].T
    where[rows, columns] = True
    colors[rows, columns] = checked["color"]
    paint = Paint(where, colors)
    return dataclasses.replace(moment, frame=paint.over(moment.frame), paint=paint)


def _keys(place: Place) -> list[bytes]:
    """A key of the moment before all events, then one after each."""
    digest = hashlib.sha256(f"{place.trajectory},{place.step}".encode())
    keys = [digest.digest()]
    for event in place.history:
        digest.update(b"\n" + json.dumps(event, sort_keys=True).encode())
        keys.append(digest.digest())
    return keys
