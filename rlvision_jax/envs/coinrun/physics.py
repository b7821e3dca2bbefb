"""One step of a CoinRun game, up to and including the end of the episode.

Source: openai/procgen, `game_step` in `procgen/src/basic-abstract-game.cpp` and
`procgen/src/games/coinrun.cpp`; `Game::step` in `procgen/src/game.cpp`.
"""

import enum
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32

from rlvision_jax.envs.actions import FORCE_RESET
from rlvision_jax.envs.coinrun import collision, mersenne_twister
from rlvision_jax.envs.coinrun.constants import COIN_REWARD, TIME_LIMIT
from rlvision_jax.envs.coinrun.enemy_motion import leave_trails, move_enemies
from rlvision_jax.envs.coinrun.player_motion import move_player, press
from rlvision_jax.envs.coinrun.types import Enemies, State


class FailureCause(enum.IntEnum):
    """Why an episode failed.

    Where several causes coincide, the first in the order of the members counts.
    """

    NONE = 0
    ENEMY_LEFT = 1
    ENEMY_RIGHT = 2
    SAW = 3
    LAVA = 4
    OUT_OF_BOUNDS = 5
    TIMEOUT = 6


class Outcome(NamedTuple):
    """What a step led to.

    Attributes:
      reward: 10 for the coin, otherwise 0.
      done: the level has ended, for whatever reason. (With sequential levels the episode goes on
        if it is `level_complete`.)
      level_complete: the agent has reached the coin, perhaps dying at the same moment.
      cause: why the episode failed, a `FailureCause`; NONE if it goes on, the coin was reached or
        a reset was forced.
    """

    reward: Float32[Array, ""]
    done: Bool[Array, ""]
    level_complete: Bool[Array, ""]
    cause: Int32[Array, ""]


def advance(state: State, action: Int32[Array, ""]) -> tuple[State, Outcome]:
    """Takes one action, without the reset that follows when the level has ended.

    Args:
      state: of one game. Enemies and crates lie at the centres of rows, and enemies outside of
        walls, as in every level.
      action: index into `ACTION_NAMES`; `FORCE_RESET` presses nothing and ends the episode.

    Returns:
      The state after the step, equal to Procgen's in every bit; and what happened.
    """
    # Never negative, but the compiler cannot know.
    zero = state.time >> 31
    raw, step_rng = mersenne_twister.draw(state.step_rng)
    player, action_vy = press(state.player, state.grid, action, zero)
    enemies, meets_crate = move_enemies(
        state.enemies, state.grid, state.sprites, player, action_vy < 0
    )
    player = player._replace(is_on_crate=meets_crate)
    # Procgen keeps the remainder of a division by 1,000,000 and asks whether that is even.
    player = move_player(player, state.grid, state.sprites, action_vy, raw % 2 == 0, zero)
    state = state._replace(
        player=player._replace(last_y=player.y),
        enemies=enemies,
        trails=leave_trails(state.trails, enemies),
        time=state.time + 1,
        step_rng=step_rng,
    )
    return state, _outcome(state, action)


def _outcome(state: State, action: Array) -> Outcome:
    touched = collision.touched_by_agent(state)
    enemy_left, enemy_right = _touched_enemy(state.enemies, touched.enemy)
    failures = {
        FailureCause.ENEMY_LEFT: enemy_left,
        FailureCause.ENEMY_RIGHT: enemy_right,
        FailureCause.SAW: touched.saw,
        FailureCause.LAVA: touched.lava,
        FailureCause.OUT_OF_BOUNDS: collision.is_outside(state.player),
        FailureCause.TIMEOUT: state.time >= TIME_LIMIT,
    }
    cause = jnp.int32(FailureCause.NONE)
    for failure in reversed(FailureCause):
        if failure in failures:
            cause = jnp.where(failures[failure], jnp.int32(failure), cause)
    level_complete = touched.coins > 0
    return Outcome(
        reward=touched.coins.astype(jnp.float32) * np.float32(COIN_REWARD),
        done=level_complete | (cause != FailureCause.NONE) | (action == FORCE_RESET),
        level_complete=level_complete,
        cause=jnp.where(level_complete, jnp.int32(FailureCause.NONE), cause),
    )


def _touched_enemy(enemies: Enemies, is_touched: Array) -> tuple[Array, Array]:
    """Whether the agent met an enemy that moves left, or right; one that stands looks left.

    Procgen goes through the enemies from the last to the first.
    """
    slots = np.arange(len(is_touched), dtype=np.int32)
    is_first_met = is_touched & (slots == jnp.max(jnp.where(is_touched, slots, -1)))
    moves_right = enemies.vx > 0
    return jnp.any(is_first_met & ~moves_right), jnp.any(is_first_met & moves_right)
