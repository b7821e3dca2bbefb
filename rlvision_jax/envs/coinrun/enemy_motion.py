"""How enemies and their trails move in one step.

Enemies stand at the height of a cell's centre, never move vertically, and in every level turn
round before they enter a wall.

Source: openai/procgen, `will_reflect` and `is_blocked_ents` in `procgen/src/games/coinrun.cpp`;
`basic_step_object` and `sub_step` in `procgen/src/basic-abstract-game.cpp`.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, UInt8

from rlvision_jax.envs.coinrun import collision
from rlvision_jax.envs.coinrun.collision import CRATE_BITS, MARGIN, OBJECT_RADIUS
from rlvision_jax.envs.coinrun.constants import ENEMY_BARRIER, WALL_MID
from rlvision_jax.envs.coinrun.types import Enemies, Player, Trails

# At speeds below 1.25 tiles a step.
_NUM_SUB_STEPS = 4
_SHARE = np.float32(1 / _NUM_SUB_STEPS)
# Walls are felt at the corners of a slightly smaller box.
_CORNER = OBJECT_RADIUS * np.float32(0.98)
_CRATE_REACH = OBJECT_RADIUS + OBJECT_RADIUS + MARGIN
# Columns around an enemy that it can feel during a step.
_NEAR = (-1, 0, 1)

_TRAIL_RISE = np.float32(0.01)
_TRAIL_DROP = np.float32(0.25)


class _Nearby(NamedTuple):
    """The cells of an enemy's row around its column when the step begins.

    Attributes:
      column: the enemy's own, in the middle.
      blocks, reflects: bit i tells whether the cell in column + i - 1 does so.
      crate_x: centres of those that hold a crate which can be felt; elsewhere far away.
    """

    column: Array
    blocks: Array
    reflects: Array
    crate_x: tuple[Array, ...]


def move_enemies(
    enemies: Enemies,
    grid: UInt8[Array, "64 64"],
    sprites: UInt8[Array, "64 64"],
    player: Player,
    falls_through: Bool[Array, ""],
) -> tuple[Enemies, Bool[Array, ""]]:
    """Moves the enemies, before the agent moves.

    Args:
      enemies: before the step.
      grid, sprites: as in `State`.
      player: the agent with the velocity that it will move by.
      falls_through: whether the agent holds "down".

    Returns:
      The enemies; and whether one of them met a crate that would carry the agent. Procgen then
      takes the agent to be on that crate.
    """
    # Procgen asks whether a crate would carry the agent whoever has met the crate.
    was_above = player.last_y >= collision.standing_on(collision.cell_of(enemies.y))
    feels_crates = (player.vy < 0) & ~falls_through & was_above
    nearby = _look_around(enemies, grid, sprites, feels_crates)

    x, vx = enemies.x, enemies.vx
    free = jnp.zeros(x.shape, jnp.float32)
    is_moving = enemies.exists
    meets_crate = jnp.zeros_like(is_moving)
    for _ in range(_NUM_SUB_STEPS):
        # Of an enemy that stands, Procgen asks for crates here too; nothing depends on it.
        new_x, new_vx, is_x_blocked = _walk(x, vx, nearby)
        in_crate = _is_in_crate(new_x, nearby)
        is_y_blocked = in_crate | _feels(nearby.blocks, new_x, nearby)
        x = jnp.where(is_moving, new_x, x)
        vx = jnp.where(is_moving, new_vx, vx)
        free = free + (is_moving & ~is_x_blocked)
        meets_crate |= is_moving & in_crate
        is_moving &= ~(is_x_blocked & is_y_blocked)
    return enemies._replace(x=x, vx=vx * (free * _SHARE)), jnp.any(meets_crate)


def _look_around(enemies: Enemies, grid: Array, sprites: Array, feels_crates: Array) -> _Nearby:
    row, column = collision.cell_of(enemies.y), collision.cell_of(enemies.x)
    blocks = jnp.zeros_like(column)
    reflects = jnp.zeros_like(column)
    crate_x = []
    for bit, offset in enumerate(_NEAR):
        cells = collision.cells_at(grid, row, column + offset, WALL_MID)
        is_mid = cells == WALL_MID
        turns = collision.is_wall(cells) | (cells == ENEMY_BARRIER)
        blocks |= is_mid.astype(jnp.int32) << bit
        reflects |= turns.astype(jnp.int32) << bit
        has_crate = (collision.cells_at(sprites, row, column + offset, 0) & CRATE_BITS) != 0
        center = collision.center_of(column + offset)
        crate_x.append(jnp.where(has_crate & feels_crates, center, -jnp.inf))
    return _Nearby(column, blocks, reflects, tuple(crate_x))


def _walk(x: Array, vx: Array, nearby: _Nearby) -> tuple[Array, Array, Array]:
    """One horizontal sub-step: the new x and vx, and whether something was in the way."""
    # The share is a power of two: the product is exact, and so is the sum rounded only once.
    new_x = x + vx * _SHARE
    is_blocked = _feels(nearby.blocks, new_x, nearby)
    turns = _feels(nearby.reflects, new_x, nearby) & (vx != 0)
    left, right = new_x - OBJECT_RADIUS, new_x + OBJECT_RADIUS
    to_border = jnp.where(vx < 0, jnp.ceil(left) - left, jnp.floor(right) - right)
    new_x = jnp.where(turns, new_x + 2 * to_border, new_x)
    return new_x, jnp.where(turns, -vx, vx), is_blocked


def _feels(bits: Array, x: Array, nearby: _Nearby) -> Array:
    """Whether the corners of an enemy at `x` lie in cells whose bit is set."""
    felt = jnp.zeros_like(bits)
    for corner in (x - _CORNER, x + _CORNER):
        felt |= bits >> jnp.clip(collision.cell_of(corner) - nearby.column + 1, 0, 2)
    return (felt & 1) == 1


def _is_in_crate(x: Array, nearby: _Nearby) -> Array:
    is_in_any = jnp.zeros_like(x, jnp.bool_)
    for crate_x in nearby.crate_x:
        is_in_any |= jnp.abs(x - crate_x) < _CRATE_REACH
    return is_in_any


def leave_trails(trails: Trails, enemies: Enemies) -> Trails:
    """Lets the trails rise and grow a step older, and adds those that the enemies leave.

    Args:
      trails: before the step.
      enemies: after they have moved.
    """
    dropped_y = enemies.y - _TRAIL_DROP
    return Trails(
        x=_shift_in(enemies.x, trails.x),
        y=_shift_in(dropped_y, trails.y + _TRAIL_RISE),
        exists=_shift_in(enemies.exists, trails.exists),
    )


def _shift_in(newest: Array, rows: Array) -> Array:
    return jnp.concatenate([newest[None], rows[:-1]])
