"""Which crates carry the agent when it falls.

A crate carries an agent that was above it when the step began, falls, and does not hold "down";
for any other it is not there.

Source: openai/procgen, `is_blocked_ents` in `procgen/src/games/coinrun.cpp`.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, UInt8

from rlvision_jax.envs.coinrun.collision import (
    CRATE_BITS,
    LATE_CRATE_BITS,
    MARGIN,
    REACH_X,
    REACH_Y,
    cell_of,
    cells_at,
    center_of,
    standing_on,
)
from rlvision_jax.envs.coinrun.constants import WORLD_SIZE
from rlvision_jax.envs.coinrun.types import Player

# The lower border of a row of crates is 1.5787 tiles below an agent that stands on them.
_BELOW_AGENT = np.float32(1.57)
# Rows, and columns, of a window.
_SIZE = 3
_LATE = np.float32(WORLD_SIZE)


class Crates(NamedTuple):
    """The crates that carry the agent, in a window of three by three cells.

    Attributes:
      x: centres of the columns.
      y: centres of the rows, from the highest on.
      keys: a crate's y, plus the world's height if it is in the second layer of `State.sprites`;
        0 where none carries the agent.
    """

    x: Float32[Array, "1 3"]
    y: Float32[Array, "3 1"]
    keys: Float32[Array, "3 3"]

    def touch(
        self, x: Float32[Array, ""], y: Float32[Array, ""]
    ) -> tuple[Bool[Array, ""], Float32[Array, ""]]:
        """Whether an agent at (x, y) touches a crate, and the y of the one that acts first.

        That is the one made last: crates of the second layer were made after those of the first
        near them, and piles from the bottom up.
        """
        is_near_x = jnp.abs(x - self.x) < REACH_X + MARGIN
        is_near_y = jnp.abs(y - self.y) < REACH_Y + MARGIN
        key = jnp.max(jnp.where(is_near_x & is_near_y, self.keys, 0))
        return key > 0, jnp.where(key > _LATE, key - _LATE, key)

    def cover(self, x: Float32[Array, ""], y: Float32[Array, ""]) -> Bool[Array, ""]:
        """Whether no crate beside or below the window would touch an agent at (x, y)."""
        is_inside_x = (x - self.x[0, 0] >= REACH_X - 1) & (self.x[0, -1] - x >= REACH_X - 1)
        return is_inside_x & (y - self.y[-1, 0] >= REACH_Y - 1)


def crates_below(
    sprites: UInt8[Array, "64 64"], player: Player, falls_through: Bool[Array, ""]
) -> Crates:
    """The highest crates that carry the agent, where a step can take it.

    Above the window there are none, unless the agent has been moved since the last step. A step
    goes up to 1.5 tiles down and half a tile to the side.

    Args:
      sprites: as in `State`.
      player: before it moves.
      falls_through: whether it holds "down".
    """
    row = cell_of(player.last_y - _BELOW_AGENT)
    return _window(sprites, player.last_y, falls_through, row, cell_of(player.x))


def crates_around(
    sprites: UInt8[Array, "64 64"],
    last_y: Float32[Array, ""],
    falls_through: Bool[Array, ""],
    x: Float32[Array, ""],
    y: Float32[Array, ""],
) -> Crates:
    """All crates that carry the agent and touch it at (x, y)."""
    return _window(sprites, last_y, falls_through, cell_of(y) + 1, cell_of(x))


def _window(
    sprites: Array, last_y: Array, falls_through: Array, row: Array, column: Array
) -> Crates:
    """The window of which `row` is the highest and `column` the middle."""
    offsets = np.arange(_SIZE, dtype=np.int32)
    rows = (row - offsets)[:, None]
    columns = (column + offsets - _SIZE // 2)[None, :]
    x, y = center_of(columns), center_of(rows)
    cells = cells_at(sprites, rows, columns, 0)
    was_above = last_y >= standing_on(rows)
    carries = ((cells & CRATE_BITS) != 0) & was_above & ~falls_through
    is_late = (cells & LATE_CRATE_BITS) != 0
    return Crates(x, y, jnp.where(carries, jnp.where(is_late, y + _LATE, y), 0))
