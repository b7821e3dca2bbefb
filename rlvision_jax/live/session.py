"""A report and its agent, asked about changed frames: the answers of the live server, without HTTP.

(Host only: one caller at a time.)
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rlvision_jax.envs import OBJECT_NAMES, MissingProcgenError
from rlvision_jax.envs.coinrun.constants import (
    NUM_BACKGROUNDS,
    NUM_CRATE_THEMES,
    NUM_ENEMY_THEMES,
    NUM_GROUND_THEMES,
    NUM_PLAYER_THEMES,
)
from rlvision_jax.interface import Report
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.codec import encode_array
from rlvision_jax.interface.packing import objects_content
from rlvision_jax.live.arguments import REQUIRED, Argument, taken, truth, whole
from rlvision_jax.live.edits import HIDEABLE, REMOVABLE, warm_up
from rlvision_jax.live.errors import RequestError
from rlvision_jax.live.explaining import Explainer
from rlvision_jax.live.games import NotReplayableError, RecordedGames, rules_of
from rlvision_jax.live.moments import Moment, Moments, Place
from rlvision_jax.live.things import describe_scene
from rlvision_jax.training.playing import sample_actions

MOST_STEPS = 256
"""Longest play that one request may ask for."""

_MOST_SEED = 2**31 - 1


class Session:
    """What the live server knows of one report.

    Attributes:
      reason: why scenes cannot be edited; None if they can.
      problem: why frames cannot be explained at all; None if they can.
    """

    def __init__(
        self,
        report: Report,
        agents: Sequence[Agent],
        *,
        notify: Callable[[str], None] = lambda stage: None,
    ):
        """Plays the report's games again and compiles what requests need.

        Args:
          report: attributions and frames for people are not used.
          agents: of the report, in its order.
          notify: told what comes next.
        """
        self._report = report
        self._explainers = [Explainer(agent, report, i) for i, agent in enumerate(agents)]
        notify("trying the agent")
        problems = [explainer.problem() for explainer in self._explainers]
        self.problem = next((problem for problem in problems if problem), None)
        notify("playing the report's games again")
        games = self._games()
        self.reason = games if isinstance(games, str) else None
        self._moments = Moments(report.trajectories, games)
        if self.problem is None:
            self._warm_up(games, notify)

    def close(self) -> None:
        """Ends the session's threads."""
        for explainer in self._explainers:
            explainer.close()

    def about(self) -> dict[str, Any]:
        """What can be edited; see docs/live.md."""
        return {
            "scene": self.reason is None and self.problem is None,
            "reason": self.problem or self.reason,
            "pixels": self.problem is None,
            "kinds": list(REMOVABLE),
            "hideable": list(HIDEABLE),
            "backgrounds": NUM_BACKGROUNDS,
            "ground_themes": NUM_GROUND_THEMES,
            "player_themes": NUM_PLAYER_THEMES,
            "crate_themes": NUM_CRATE_THEMES,
            "enemy_themes": NUM_ENEMY_THEMES,
        }

    def moment(self, request: Any) -> dict[str, Any]:
        """A moment, edited or not, and what the agent makes of it; see docs/live.md.

        Args:
          request: the JSON value of the request's body.

        Raises:
          RequestError: if it asks for what there is not.
        """
        start = time.perf_counter()
        asked, place = self._asked(request, {"layer": _CHECKED_LATER, "scores": _CHECKED_LATER})
        moment = self._moments.at(place)
        explainer = self._explainer(place)
        attributions = explainer.attributions(moment.frame, asked["layer"], asked["scores"])
        logits, value = explainer.outputs(moment.frame)
        player = None if moment.state is None else jax.device_get(moment.state.player)
        return {
            "observation": encode_array(moment.frame),
            "value": value,
            "policy_logits": logits.tolist(),
            "attributions": attributions,
            "objects": self._objects(place, moment),
            "scene": None if moment.state is None else describe_scene(moment.state),
            "velocity": None if player is None else [float(player.vx), float(player.vy)],
            "reward": moment.reward,
            "end": moment.end,
            "milliseconds": round(1000 * (time.perf_counter() - start), 1),
        }

    def play(self, request: Any) -> dict[str, Any]:
        """Lets the agent play on from a moment; see docs/live.md.

        Args:
          request: the JSON value of the request's body.

        Raises:
          RequestError: if it asks for what there is not, or the game has ended.
        """
        checks: dict[str, tuple[Argument, Any]] = {
            "num_steps": (whole(1, MOST_STEPS), REQUIRED),
            "greedy": (truth, False),
            "seed": (whole(0, _MOST_SEED), 0),
        }
        asked, place = self._asked(request, checks)
        if self.reason is not None:
            raise RequestError(f"{self.reason}; so the agent cannot play on")
        moment = self._moments.at(place)
        if moment.end is not None:
            raise RequestError(f"the game has ended ({moment.end}); play from an earlier moment")
        key = jax.random.key(asked["seed"])
        explainer = self._explainer(place)
        logits, value = explainer.outputs(moment.frame)
        actions, rewards, values, all_logits, frames = [], [], [], [], []
        while len(actions) < asked["num_steps"] and moment.end is None:
            if asked["greedy"]:
                action = int(logits.argmax())
            else:
                action = int(sample_actions(logits[None], key, len(actions))[0])
            place = place.then({"action": action})
            moment = self._moments.at(place)
            logits, value = explainer.outputs(moment.frame)
            actions.append(action)
            rewards.append(moment.reward)
            values.append(value)
            all_logits.append(logits)
            frames.append(moment.frame)
        return {
            "actions": actions,
            "rewards": rewards,
            "values": values,
            "policy_logits": encode_array(np.stack(all_logits).astype(np.float32)),
            "observations": encode_array(np.stack(frames)),
            "end": moment.end,
        }

    def _explainer(self, place: Place) -> Explainer:
        """The agent that plays a trajectory."""
        return self._explainers[self._report.trajectories[place.trajectory].agent]

    def _games(self) -> RecordedGames | str:
        try:
            rules = rules_of(self._report.provenance.get("agent", {}))
            return RecordedGames(rules, self._report.trajectories)
        except (NotReplayableError, MissingProcgenError) as error:
            return str(error)

    def _warm_up(self, games: RecordedGames | str, notify: Callable[[str], None]) -> None:
        # A program serves all scores.
        first = [score.name for score in self._report.scores[:1]]
        frame = self._report.trajectories[0].observations[0]
        for explainer in self._explainers:
            for layer in explainer.layers:
                notify(f"compiling attribution to {layer}")
                explainer.attributions(frame, layer, first)
        if isinstance(games, RecordedGames):
            notify("compiling edits")
            warm_up(games.state(0, 0))
            self.play({"trajectory": 0, "step": 0, "history": [], "num_steps": 1})

    def _asked(
        self, request: Any, expected: Mapping[str, tuple[Argument, Any]]
    ) -> tuple[dict[str, Any], Place]:
        """The arguments of a request, and the moment that it names."""
        if self.problem is not None:
            raise RequestError(self.problem)
        asked = taken("the request", request, {**_PLACE, **expected})
        place = self._moments.parse_place(*(asked[name] for name in _PLACE))
        return asked, place

    def _objects(self, place: Place, moment: Moment) -> dict[str, Any] | None:
        names = self._report.object_names
        if not names:
            return None
        if moment.picture is not None:
            shown = [OBJECT_NAMES.index(name) for name in names]
            return objects_content(moment.picture.masks[None, ..., shown])
        recorded = self._report.trajectories[place.trajectory].object_masks
        return None if recorded is None else objects_content(recorded[place.step][None])


def _anything(where: str, value: Any) -> Any:
    """What another check reads."""
    return value


_CHECKED_LATER = (_anything, REQUIRED)
_PLACE: dict[str, tuple[Argument, Any]] = {
    "trajectory": _CHECKED_LATER,
    "step": _CHECKED_LATER,
    "history": (_anything, []),
}
