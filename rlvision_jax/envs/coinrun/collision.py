"""What lies at a place of the world, and what the agent touches.

Source: openai/procgen, `get_obj_from_floats`, `has_collision` and `check_grid_collisions` in
`procgen/src/basic-abstract-game.cpp`.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, UInt8

from rlvision_jax.envs.coinrun.constants import (
    COIN,
    LAVA_MID,
    LAVA_TOP,
    PLAYER_RADIUS_X,
    PLAYER_RADIUS_Y,
    WALL_MID,
    WALL_TOP,
    WORLD_SIZE,
)
from rlvision_jax.envs.coinrun.types import Enemies, Player, State

# Half the width and height of everything but the agent and the trails.
OBJECT_RADIUS = np.float32(0.5)
RADIUS_X = np.float32(PLAYER_RADIUS_X)
RADIUS_Y = np.float32(PLAYER_RADIUS_Y)
# How far centres are apart when the agent begins to touch an object.
REACH_X = OBJECT_RADIUS + RADIUS_X
REACH_Y = OBJECT_RADIUS + RADIUS_Y
# Procgen's POS_EPS: solid objects and cells are touched a little later.
MARGIN = np.float32(-0.001)

# Bits of a cell of `State.sprites`.
_SAW_BIT = 1
CRATE_BITS = 0b1111110
LATE_CRATE_BITS = 0b1110000

_NEIGHBOURS = np.array([-1, 0, 1], np.int32)


class Touched(NamedTuple):
    """What the agent touches at the end of a step.

    Attributes:
      coins: number of cells with a coin.
      lava, saw: whether it touches one.
      enemy: which enemies it touches.
    """

    coins: Int32[Array, ""]
    lava: Bool[Array, ""]
    saw: Bool[Array, ""]
    enemy: Bool[Array, " enemy"]


def cell_of(position: Float32[Array, "*shape"]) -> Int32[Array, "*shape"]:
    """The row or column that a coordinate lies in."""
    return jnp.floor(position).astype(jnp.int32)


def standing_on(row: Int32[Array, "*shape"]) -> Float32[Array, "*shape"]:
    """The y of an agent that stands on an object in a row of cells.

    From whole numbers, so that one addition rounds, as in Procgen: of `(y + 0.5) + RADIUS_Y` XLA
    makes `y + 1.0787`, which is another number in every row from 15 to 30.
    """
    return (row + 1).astype(jnp.float32) + RADIUS_Y


def cells_at(
    cells: UInt8[Array, "64 64"],
    rows: Int32[Array, "*#shape"],
    columns: Int32[Array, "*#shape"],
    outside: int,
) -> Int32[Array, "..."]:
    """Reads `State.grid` or `State.sprites`.

    Args:
      cells: what to read.
      rows, columns: where; they are broadcast, and need not lie in the world.
      outside: what lies around the world.
    """
    is_inside = ((rows | columns) & -WORLD_SIZE) == 0
    last = WORLD_SIZE - 1
    index = (rows & last) * WORLD_SIZE + (columns & last)
    found = cells.reshape(-1).at[index].get(mode="promise_in_bounds")
    return jnp.where(is_inside, found.astype(jnp.int32), outside)


def is_wall(cell: Int32[Array, "*shape"]) -> Bool[Array, "*shape"]:
    """Whether a cell of the grid carries and stops the agent."""
    return (cell == WALL_MID) | (cell == WALL_TOP)


def center_of(cell: Int32[Array, "*shape"]) -> Float32[Array, "*shape"]:
    """Where the centre of a row or column lies."""
    return cell.astype(jnp.float32) + OBJECT_RADIUS


def touched_by_agent(state: State) -> Touched:
    """Everything that the agent touches where it stands."""
    player = state.player
    coins, lava = _touched_cells(state.grid, player)
    return Touched(
        coins, lava, _touches_saw(state.sprites, player), _touches(player, state.enemies)
    )


def is_outside(player: Player) -> Bool[Array, ""]:
    """Whether all of the agent lies outside the world."""
    beyond_low = (player.x + RADIUS_X < 0) | (player.y + RADIUS_Y < 0)
    beyond_high = (player.x - RADIUS_X > WORLD_SIZE) | (player.y - RADIUS_Y > WORLD_SIZE)
    return beyond_low | beyond_high


def _touched_cells(grid: Array, player: Player) -> tuple[Array, Array]:
    """Coins and lava in the cells that the agent, made a little smaller, overlaps."""
    inner_x, inner_y = RADIUS_X + MARGIN, RADIUS_Y + MARGIN
    # As in C++, a conversion to int rounds towards zero; at most 2 columns and 3 rows.
    first_column = (player.x - inner_x).astype(jnp.int32)
    last_column = (player.x + inner_x).astype(jnp.int32)
    first_row = (player.y - inner_y).astype(jnp.int32)
    last_row = (player.y + inner_y).astype(jnp.int32)
    rows = first_row + np.arange(3, dtype=np.int32)[:, None]
    columns = first_column + np.arange(2, dtype=np.int32)[None, :]
    is_touched = (rows <= last_row) & (columns <= last_column)
    cells = cells_at(grid, rows, columns, WALL_MID)
    coins = jnp.sum(is_touched & (cells == COIN), dtype=jnp.int32)
    return coins, jnp.any(is_touched & ((cells == LAVA_MID) | (cells == LAVA_TOP)))


def _touches_saw(sprites: Array, player: Player) -> Array:
    rows = cell_of(player.y) + _NEIGHBOURS[:, None]
    columns = cell_of(player.x) + _NEIGHBOURS[None, :]
    is_near_y = jnp.abs(center_of(rows) - player.y) < REACH_Y
    is_near_x = jnp.abs(center_of(columns) - player.x) < REACH_X
    cells = cells_at(sprites, rows, columns, 0)
    return jnp.any(is_near_x & is_near_y & ((cells & _SAW_BIT) != 0))


def _touches(player: Player, enemies: Enemies) -> Array:
    is_near_x = jnp.abs(enemies.x - player.x) < REACH_X
    is_near_y = jnp.abs(enemies.y - player.y) < REACH_Y
    return enemies.exists & is_near_x & is_near_y
