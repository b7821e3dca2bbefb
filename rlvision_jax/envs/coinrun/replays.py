"""Why levels failed, found by playing them again without pictures. (Host only: NumPy arrays.)

A level follows from its seed, and what happens in it from the actions. So an evaluation need not
save games as it goes: the failed levels, played again by the physics alone, take one percent of
its time. `failure_cause` tells the same of one saved game.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, UInt8

from rlvision_jax.envs.base import HostEnv
from rlvision_jax.envs.coinrun import mersenne_twister
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import TIME_LIMIT
from rlvision_jax.envs.coinrun.host_env import CoinRunBatch
from rlvision_jax.envs.coinrun.level_generation import generate_level
from rlvision_jax.envs.coinrun.new_game import new_game
from rlvision_jax.envs.coinrun.physics import FailureCause, advance
from rlvision_jax.envs.coinrun.types import LevelSet, State
from rlvision_jax.envs.procgen import ProcgenEnv

_LEVELS_AT_ONCE = 64


# Options of changed levels, which only the device version has.
_CHANGES = ("coin", "themes", "change_seed")


class PlayedLevel(NamedTuple):
    """One level from its beginning to its end.

    Attributes:
      seed: the level's.
      actions: taken one after the other, indices into `ACTION_NAMES`; the last one ended it.
    """

    seed: int
    actions: Sequence[int]


class LevelEnd(NamedTuple):
    """How a level that failed went.

    Attributes:
      cause: why it failed.
      furthest: the largest x of the agent's centre in it, tiles.
    """

    cause: FailureCause
    furthest: float


def replay_config(env: HostEnv) -> CoinRunConfig | None:
    """The options that `failure_causes` needs to play an environment's levels again.

    Returns:
      None if the environment plays another game than CoinRun, or what the device version lacks.
    """
    changes = {}
    if isinstance(env, CoinRunBatch):
        options = env.env.config
        changes = {name: getattr(options, name) for name in _CHANGES}
    elif isinstance(env, ProcgenEnv):
        options = env.config
        if options.game != "coinrun" or options.use_generated_assets:
            return None
    else:
        return None
    if options.distribution_mode not in ("easy", "hard"):
        return None
    return CoinRunConfig(
        distribution_mode=options.distribution_mode, debug_mode=options.debug_mode, **changes
    )


def failure_causes(levels: Sequence[PlayedLevel], config: CoinRunConfig) -> list[FailureCause]:
    """Why levels failed.

    Args:
      levels: levels that ended in failure, in `coinrun` or in Procgen.
      config: as `replay_config` returns it: what changes the levels matters.

    Raises:
      ValueError: if a level does not end with its last action, or ends at the coin: the game was
        another one, or began otherwise.

    Example:
      >>> right_up = 8
      >>> played = PlayedLevel(seed=17, actions=[right_up] * 30)
      >>> [cause] = failure_causes([played], CoinRunConfig(distribution_mode="easy"))
      >>> cause.name
      'SAW'
    """
    return [end.cause for end in level_ends(levels, config)]


def level_ends(levels: Sequence[PlayedLevel], config: CoinRunConfig) -> list[LevelEnd]:
    """How far levels that failed went, and why they failed.

    Args:
      levels: as in `failure_causes`.
      config: likewise.

    Raises:
      ValueError: as `failure_causes`.
    """
    found_ends = _replay(levels, config)
    for (seed, actions), (length, end) in zip(levels, found_ends, strict=True):
        if length != len(actions) or end.cause == FailureCause.NONE:
            raise ValueError(
                f"level {seed} does not fail at step {len(actions)} when played again: it was "
                "played with other options, or not from its beginning"
            )
    return [end for _, end in found_ends]


def steps_to_coin(levels: Sequence[PlayedLevel], config: CoinRunConfig) -> list[int | None]:
    """After how many of the actions taken in levels the coin is reached in changed ones.

    Args:
      levels: played to any end, in levels of other options.
      config: what changes the levels, such as `coin` "moved".

    Returns:
      None where the actions do not lead to the coin.

    Raises:
      ValueError: if a level was played for no step, or for more than its time limit.

    Example:
      >>> right_up = 8
      >>> played = PlayedLevel(seed=17, actions=[right_up] * 30)
      >>> steps_to_coin([played], CoinRunConfig(distribution_mode="easy"))
      [None]
    """
    # After a level's own actions the replay goes on for as long as others of its batch.
    return [
        length if 0 < length <= len(actions) and end.cause == FailureCause.NONE else None
        for (_, actions), (length, end) in zip(levels, _replay(levels, config), strict=True)
    ]


def opening_grids(
    seeds: Int32[np.ndarray, " level"], config: CoinRunConfig
) -> UInt8[np.ndarray, "level 64 64"]:
    """The grids with which levels begin.

    Args:
      seeds: of the levels, at least one.
      config: as in `failure_causes`.
    """
    padded = np.pad(seeds, (0, -len(seeds) % _LEVELS_AT_ONCE), mode="edge")
    starts = range(0, len(padded), _LEVELS_AT_ONCE)
    batches = [_begin(padded[start : start + _LEVELS_AT_ONCE], config) for start in starts]
    return np.concatenate([np.asarray(games.grid) for games in batches])[: len(seeds)]


def _replay(levels: Sequence[PlayedLevel], config: CoinRunConfig) -> list[tuple[int, LevelEnd]]:
    """After how many steps each level ends, 0 if it goes on, and how; `NONE` if at the coin."""
    found_ends = [(0, LevelEnd(FailureCause.NONE, 0.0))] * len(levels)
    # Levels of like length together, since a batch plays as long as its longest.
    in_order = sorted(range(len(levels)), key=lambda index: len(levels[index].actions))
    for start in range(0, len(in_order), _LEVELS_AT_ONCE):
        batch = in_order[start : start + _LEVELS_AT_ONCE]
        seeds = np.zeros(_LEVELS_AT_ONCE, np.int32)
        lengths = np.zeros(_LEVELS_AT_ONCE, np.int32)
        actions = np.zeros((TIME_LIMIT, _LEVELS_AT_ONCE), np.int32)
        for place, index in enumerate(batch):
            seed, taken = levels[index]
            if not 0 < len(taken) <= TIME_LIMIT:
                raise ValueError(
                    f"level {seed} was played for {len(taken)} steps; CoinRun's levels last 1 to "
                    f"{TIME_LIMIT}"
                )
            seeds[place], lengths[place] = seed, len(taken)
            actions[: len(taken), place] = taken
        ends, found, furthest = map(np.asarray, _play(_begin(seeds, config), actions, lengths))
        for place, index in enumerate(batch):
            end = LevelEnd(FailureCause(int(found[place])), float(furthest[place]))
            found_ends[index] = int(ends[place]), end
    return found_ends


@functools.partial(jax.jit, static_argnames="config")
def _begin(seeds: Int32[Array, " level"], config: CoinRunConfig) -> State:
    def begin(seed: Array) -> State:
        return new_game(
            generate_level(seed, config),
            level_seed=seed,
            prev_level_seed=jnp.int32(0),
            # Not used: no later level is drawn.
            level_set=LevelSet(seed, seed),
            level_rng=mersenne_twister.seeded(jnp.uint32(0)),
        )

    return jax.vmap(begin)(seeds)


@jax.jit
def _play(
    games: State, actions: Int32[Array, "time level"], lengths: Int32[Array, " level"]
) -> tuple[Int32[Array, " level"], Int32[Array, " level"], Float32[Array, " level"]]:
    """After how many steps each level ends, 0 if it goes on; why it failed; and how far it went."""

    def step(carry: tuple) -> tuple:
        t, games, ends, causes, furthest = carry
        games, outcome = jax.vmap(advance)(games, actions[t])
        is_played = ends == 0
        furthest = jnp.where(is_played, jnp.maximum(furthest, games.player.x), furthest)
        ends_now = outcome.done & is_played
        ends = jnp.where(ends_now, t + 1, ends)
        return t + 1, games, ends, jnp.where(ends_now, outcome.cause, causes), furthest

    none = jnp.zeros_like(lengths)
    begin = jnp.int32(0), games, none, none, games.player.x
    _, _, ends, causes, furthest = jax.lax.while_loop(
        lambda carry: carry[0] < jnp.max(lengths), step, begin
    )
    return ends, causes, furthest
