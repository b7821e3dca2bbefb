"""The lowest layer of a frame: the background, and the opaque cells of the grid before it.

Cells are drawn a little too large and overlap by up to a pixel; the later one covers the earlier,
columns from left to right and in each from bottom to top. Columns and rows of pixels are looked
at apart: each lies in one cell or in two.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, UInt8, UInt32

from rlvision_jax.envs.coinrun import blending, exact, scaling, screen
from rlvision_jax.envs.coinrun.assets import Assets, Backgrounds
from rlvision_jax.envs.coinrun.constants import (
    FRAME_SIZE,
    LAVA_MID,
    WALL_MID,
    WALL_TOP,
    WORLD_SIZE,
)
from rlvision_jax.envs.coinrun.pictures import SQUARE, START
from rlvision_jax.envs.coinrun.screen import UNIT, Camera
from rlvision_jax.envs.coinrun.tables import entries
from rlvision_jax.envs.coinrun.types import Scenery, State

WINDOW = 14
"""Cells across the screen, those included that lie on it with a part only."""
COLUMN_STRIDE = 16
"""Numbers from one column of cells to the next, where cells are numbered."""
MARGIN = np.float32(0.02)
"""By which a cell is drawn too large on each side, tiles."""
SIZE = float((np.float32(1) + np.float32(2) * MARGIN) * UNIT)
"""Length of a drawn cell, pixels."""
STEP = scaling.texel_step(SQUARE[0], SIZE)
"""Texels from one pixel of a cell to the next, in units of 2^-16."""

_SPLIT_SIZE = scaling.split(SIZE)
# From the screen's centre to the pixels' centres, tiles.
_FROM_CENTER = ((np.arange(FRAME_SIZE) + 0.5 - FRAME_SIZE / 2) / float(UNIT)).astype(np.float32)
# From the first cell of which a part can lie on the screen to its centre: half a screen, less
# the margin, within which a part covers no pixel's centre.
_REACH = np.float32(6.45)
_WORLD_LENGTH = float(np.float32(WORLD_SIZE) * UNIT)

# Bits of an index into a cell's picture along one axis, and of one into the atlas. A cell that is
# drawn is one number: its place above the address of its texel.
_TEXEL_BITS, _ADDRESS_BITS = 7, 20
_TEXEL = (1 << _TEXEL_BITS) - 1
_LAST_ENTRY = (WINDOW << _TEXEL_BITS) - 1
# A cell without a picture; it stays negative whatever is added.
_NOTHING = np.int32(-(1 << 30))


class Window(NamedTuple):
    """The cells that can be seen.

    Attributes:
      column, row: of the cells' lower left corner in the world.
      cells: Procgen's cells, first axis upwards; beyond the world's edge they are walls.
      sprites: saws and crates, as in `State`.
    """

    column: Int32[Array, ""]
    row: Int32[Array, ""]
    cells: UInt8[Array, "row column"]
    sprites: UInt8[Array, "row column"]


def window(state: State, camera: Camera) -> Window:
    """The cells around the agent."""
    column = jnp.floor(camera.x - _REACH).astype(jnp.int32)
    row = jnp.floor(camera.y - _REACH).astype(jnp.int32)
    columns, rows = (start + jnp.arange(WINDOW, dtype=jnp.int32) for start in (column, row))
    is_inside = ((columns >= 0) & (columns < WORLD_SIZE))[None] & (
        (rows >= 0) & (rows < WORLD_SIZE)
    )[:, None]
    columns, rows = (jnp.clip(index, 0, WORLD_SIZE - 1) for index in (columns, rows))
    cells = entries(state.grid, rows[:, None], columns[None])
    sprites = entries(state.sprites, rows[:, None], columns[None])
    return Window(
        column,
        row,
        jnp.where(is_inside, cells, np.uint8(WALL_MID)),
        jnp.where(is_inside, sprites, np.uint8(0)),
    )


def place(row: Int32[Array, "..."], column: Int32[Array, "..."]) -> Int32[Array, "..."]:
    """A cell's place in the order of drawing, from 1; both numbers count within the window."""
    return 1 + column * COLUMN_STRIDE + row


def cell_at(
    place: Int32[Array, "*shape"],
) -> tuple[Int32[Array, "*shape"], Int32[Array, "*shape"]]:
    """Row and column of the cell at a place."""
    return (place - 1) % COLUMN_STRIDE, (place - 1) // COLUMN_STRIDE


def draw(
    assets: Assets, state: State, camera: Camera, view: Window
) -> UInt32[Array, "height width"]:
    """Background and opaque cells.

    Returns:
      Words 0x__BBGGRR; the highest byte holds the `place` of the cell that is seen, or 0 where
      the background is.
    """
    across, down = _across(camera, view), _down(camera, view)
    # What each row of cells puts into each column of pixels, the later of two cells before the
    # earlier: the place in the order of drawing is in the highest bits. Maxima over an axis, as
    # XLA would compute elementwise ones anew for each pixel that uses them.
    index = jnp.arange(WINDOW, dtype=jnp.int32)[:, None, None] * WINDOW + (across >> _TEXEL_BITS)
    pictures = _pictures(view, state.scenery).ravel()
    lines = (entries(pictures, index) + (across & _TEXEL)).max(axis=1)
    later, earlier = (
        entries(lines, cell >> _TEXEL_BITS) + ((cell & _TEXEL) << _TEXEL_BITS)[:, None]
        for cell in down
    )
    seen = jnp.maximum(later, earlier)
    background = _background_texels(assets.backgrounds, state.scenery, camera)
    address = jnp.where(seen < 0, background, seen & ((1 << _ADDRESS_BITS) - 1))
    places = jnp.maximum(seen, 0) >> _ADDRESS_BITS
    # Off the world's edge lie walls; the background's texels that do not exist are not seen.
    colors = assets.texels.at[address].get(mode="clip", wrap_negative_indices=False) & blending.RGB
    return colors | (places.astype(jnp.uint32) << np.uint32(24))


def _across(camera: Camera, view: Window) -> Int32[Array, "1 2 pixel"]:
    """For each column of pixels the last and the first cell there, each with its texel."""

    def left(cell: Int32[Array, "..."]) -> scaling.Coordinate:
        x = (view.column + cell).astype(jnp.float32)
        return scaling.coordinate(screen.left(camera, x, MARGIN))

    return jnp.stack(_covering(camera.x + _FROM_CENTER, view.column, left))[None]


def _down(camera: Camera, view: Window) -> tuple[Int32[Array, " pixel"], Int32[Array, " pixel"]]:
    """For each row of pixels the last and the first cell there, each with its texel."""

    def top(cell: Int32[Array, "..."]) -> scaling.Coordinate:
        y = (view.row + cell + 1).astype(jnp.float32)
        return scaling.coordinate(screen.top(camera, y, MARGIN))

    return _covering(camera.y - _FROM_CENTER, view.row, top)


def _covering(
    position: Float32[Array, " pixel"],
    first_cell: Int32[Array, ""],
    edge: Callable[[Int32[Array, "..."]], scaling.Coordinate],
) -> tuple[Int32[Array, " pixel"], Int32[Array, " pixel"]]:
    """The last and the first cell drawn at each pixel of an axis.

    Args:
      position: of the pixel's centre in the world, which need not be exact: the cell that holds
        it is drawn there by a wide margin, and besides it at most the nearer neighbour.
      first_cell: of the window.
      edge: where on the screen a cell of the window begins to be drawn.

    Returns:
      Each cell's number in the window, and in the low bits the texel of its picture.
    """
    pixel = jnp.arange(FRAME_SIZE, dtype=jnp.int32)[None]
    floor = jnp.floor(position)
    neighbor = jnp.where(position - floor < np.float32(0.5), -1, 1)
    is_neighbor = jnp.arange(2, dtype=jnp.int32)[:, None]
    cell = (floor.astype(jnp.int32) - first_cell)[None] + is_neighbor * neighbor[None]
    origin = edge(cell)
    start, stop, _ = scaling.span(origin, _SPLIT_SIZE, STEP)
    entry = (cell << _TEXEL_BITS) + (scaling.texel_at(pixel, origin, STEP) >> 16)
    covers = (pixel >= start) & (pixel < stop)
    last = jnp.where(covers, entry, 0).max(axis=0)
    first = jnp.where(covers, entry, _LAST_ENTRY).min(axis=0)
    return last, first


def _pictures(view: Window, scenery: Scenery) -> Int32[Array, "row column"]:
    """Place and picture of each opaque cell, `_NOTHING` for the others."""
    wall = scenery.ground_theme * (SQUARE[0] * SQUARE[1])
    address = jnp.full(view.cells.shape, _NOTHING)
    for cell, start in (
        (WALL_TOP, START[WALL_TOP] + wall),
        (WALL_MID, START[WALL_MID] + wall),
        (LAVA_MID, START[LAVA_MID]),
    ):
        address = jnp.where(view.cells == cell, start, address)
    index = jnp.arange(WINDOW, dtype=jnp.int32)
    places = place(index[:, None], index[None])
    return jnp.where(address < 0, address, address | (places << _ADDRESS_BITS))


def _background_texels(
    backgrounds: Backgrounds, scenery: Scenery, camera: Camera
) -> Int32[Array, "height width"]:
    """The background's texel at each pixel, where the screen shows the world."""
    index = jnp.clip(scenery.background, 0, len(backgrounds.start) - 1)
    start, width, row_step, column_step, spare = (entries(field, index) for field in backgrounds)
    top = scaling.coordinate(screen.top(camera, jnp.float32(WORLD_SIZE), np.float32(0)))
    # The background ends where the world does, or begins to the left of it.
    shift = scaling.coordinate(exact.product(scenery.background_shift, spare, camera.zero))
    left = scaling.minus(
        scaling.coordinate(-camera.x_offset), scaling.times_length(shift, _WORLD_LENGTH)
    )
    pixel, corner = jnp.arange(FRAME_SIZE, dtype=jnp.int32), jnp.int32(0)
    rows = (scaling.texel_at(corner, top, row_step) + row_step * pixel) >> 16
    columns = (scaling.texel_at(corner, left, column_step) + column_step * pixel) >> 16
    return (start + rows * width)[:, None] + columns[None]
