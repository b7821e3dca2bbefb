"""The CoinRun games of a report, at any step of its trajectories. (Host only.)

A level follows from its seed and what happens in it from the actions, so that a report holds its
games without storing them. They are played again once, by the physics alone, and kept every so
many steps; whether the pictures are the recorded ones is checked there.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt8

from rlvision_jax.envs.coinrun import Assets, CoinRunConfig, load_assets
from rlvision_jax.envs.coinrun.level_generation import generate_level
from rlvision_jax.envs.coinrun.mersenne_twister import seeded
from rlvision_jax.envs.coinrun.new_game import new_game
from rlvision_jax.envs.coinrun.object_masks import object_masks
from rlvision_jax.envs.coinrun.physics import FailureCause, Outcome, advance
from rlvision_jax.envs.coinrun.rendering import render
from rlvision_jax.envs.coinrun.types import LevelSet, State
from rlvision_jax.interface import Trajectory

SNAPSHOT_STEPS = 32
"""Steps between two kept states: any step is reached by playing fewer than these."""

COMPLETE = "complete"
_GAMES = ("coinrun", "procgen:coinrun")


class NotReplayableError(ValueError):
    """A report's games cannot be played again; says why."""


class Picture(NamedTuple):
    """A game as it is seen.

    Attributes:
      frame: RGB, 0-255.
      masks: where each of `envs.OBJECT_NAMES` is seen.
    """

    frame: UInt8[np.ndarray, "height width 3"]
    masks: Bool[np.ndarray, "height width object"]


@dataclasses.dataclass(frozen=True, eq=False)
class Rules:
    """How a report's games go on and how they look.

    Attributes:
      config: options that they were played with.
      assets: what is drawn.
    """

    config: CoinRunConfig
    assets: Assets

    def begin(self, seed: int) -> State:
        """The state that opens a level."""
        return _begin(np.int32(seed), self.config)

    def play(
        self, state: State, actions: Sequence[int] | Int32[np.ndarray, " time"]
    ) -> tuple[State, Outcome]:
        """The state after 1 to `SNAPSHOT_STEPS` actions, and what the last one led to."""
        padded = np.zeros(SNAPSHOT_STEPS, np.int32)
        padded[: len(actions)] = actions
        return _play(state, padded, np.int32(len(actions)))

    def draw(self, state: State) -> Picture:
        """The game's frame and objects."""
        return Picture(*map(np.asarray, _draw(self.assets, self.config, state)))


def rules_of(agent_config: Mapping[str, Any]) -> Rules:
    """The rules of the game that an agent plays.

    Args:
      agent_config: `env` and `env_options`, as a report's provenance holds them.

    Raises:
      NotReplayableError: if the game is not CoinRun, or with options that the device lacks.
      MissingProcgenError: if Procgen's art is not installed.
    """
    name = agent_config.get("env")
    if name not in _GAMES:
        raise NotReplayableError(
            f"scenes can be edited in CoinRun only; this report is of {name or 'an unknown game'}"
        )
    options = dict(agent_config.get("env_options", {}))
    if options.get("use_generated_assets") or not options.get("center_agent", True):
        raise NotReplayableError(
            "scenes cannot be edited with use_generated_assets, nor without center_agent"
        )
    known = {field.name for field in dataclasses.fields(CoinRunConfig)}
    try:
        config = CoinRunConfig(**{key: options[key] for key in known & options.keys()})
    except (TypeError, ValueError) as error:
        raise NotReplayableError(f"scenes cannot be edited: {error}") from None
    return Rules(
        config, load_assets(config, size=options.get("assets", "exact"), all_backgrounds=True)
    )


def end_of(outcome: Outcome) -> str | None:
    """None if the game goes on; "complete", or what it failed by, such as "saw"."""
    if not outcome.done:
        return None
    if outcome.level_complete:
        return COMPLETE
    return FailureCause(int(outcome.cause)).name.lower()


class RecordedGames:
    """The games of a report's trajectories."""

    def __init__(self, rules: Rules, trajectories: Sequence[Trajectory]):
        """Plays all trajectories again.

        Args:
          rules: of `rules_of`.
          trajectories: each from the beginning of an episode on.

        Raises:
          NotReplayableError: if a frame or an end is not the recorded one.
        """
        self.rules = rules
        self._trajectories = trajectories
        self._kept: list[dict[int, State]] = []
        for index, trajectory in enumerate(trajectories):
            kept = {}
            for start, end in _episodes(trajectory):
                kept |= self._play_again(index, trajectory, start, end)
            self._kept.append(kept)

    def state(self, trajectory: int, step: int) -> State:
        """The game that an observation shows.

        Args:
          trajectory: index into the report's trajectories.
          step: index on its time axis.
        """
        kept = self._kept[trajectory]
        start = next(t for t in range(step, -1, -1) if t in kept)
        if start == step:
            return kept[start]
        actions = self._trajectories[trajectory].actions[start:step]
        return self.rules.play(kept[start], actions)[0]

    def _play_again(
        self, index: int, trajectory: Trajectory, start: int, end: int
    ) -> dict[int, State]:
        """States of one episode by their steps, each as it is recorded."""
        kept = {start: self.rules.begin(int(trajectory.level_seeds[start]))}
        self._check_frame(index, trajectory, start, kept[start])
        for step in range(start + SNAPSHOT_STEPS, end, SNAPSHOT_STEPS):
            before = step - SNAPSHOT_STEPS
            kept[step] = self.rules.play(kept[before], trajectory.actions[before:step])[0]
            self._check_frame(index, trajectory, step, kept[step])
        # The last moment is seen before the action that ends the episode.
        before, last = max(kept), kept[max(kept)]
        if before < end - 1:
            last = self.rules.play(last, trajectory.actions[before : end - 1])[0]
            self._check_frame(index, trajectory, end - 1, last)
        _, outcome = self.rules.play(last, trajectory.actions[end - 1 : end])
        is_over = bool(trajectory.terminated[end - 1])
        sequential = self.rules.config.use_sequential_levels
        if bool(outcome.done) != is_over and not (sequential and outcome.level_complete):
            raise NotReplayableError(
                f"scenes cannot be edited: played again, trajectory {index + 1} "
                f"{'goes on' if is_over else 'ends'} after step {end}, unlike the recorded one; it "
                "was played with other options, or another version of the game"
            )
        return kept

    def _check_frame(self, index: int, trajectory: Trajectory, step: int, state: State) -> None:
        drawn, recorded = self.rules.draw(state).frame, trajectory.observations[step]
        if not np.array_equal(drawn, recorded):
            differing = "of another shape"
            if drawn.shape == recorded.shape:
                differing = f"{(drawn != recorded).any(-1).sum()} pixels differ"
            raise NotReplayableError(
                f"scenes cannot be edited: played again, step {step + 1} of trajectory {index + 1} "
                f"does not look as recorded ({differing}); it was played with other options or "
                "other art"
            )


def _episodes(trajectory: Trajectory) -> Iterator[tuple[int, int]]:
    """First step of each level played, and the one after its last."""
    over = trajectory.terminated | trajectory.truncated
    over[:-1] |= trajectory.level_seeds[1:] != trajectory.level_seeds[:-1]
    over[-1] = True
    start = 0
    for last in np.flatnonzero(over).tolist():
        yield start, last + 1
        start = last + 1


@functools.partial(jax.jit, static_argnames="config")
def _begin(seed: Int32[Array, ""], config: CoinRunConfig) -> State:
    return new_game(
        generate_level(seed, config),
        level_seed=seed,
        prev_level_seed=jnp.int32(0),
        # Not used: no later level is drawn.
        level_set=LevelSet(seed, seed),
        level_rng=seeded(jnp.uint32(0)),
        invisible=config.invisible,
    )


@jax.jit
def _play(
    state: State, actions: Int32[Array, " time"], count: Int32[Array, ""]
) -> tuple[State, Outcome]:
    def step(t: Array, game: tuple[State, Outcome]) -> tuple[State, Outcome]:
        return advance(game[0], actions[t])

    nothing = jax.tree.map(
        lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(advance, state, actions[0])[1]
    )
    return jax.lax.fori_loop(0, count, step, (state, nothing))


@functools.partial(jax.jit, static_argnames="config")
def _draw(
    assets: Assets, config: CoinRunConfig, state: State
) -> tuple[UInt8[Array, "height width 3"], Bool[Array, "height width object"]]:
    return render(assets, config, state), object_masks(assets, config, state)
