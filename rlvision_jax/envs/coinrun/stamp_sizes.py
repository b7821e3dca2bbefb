"""How large each kind of stamp is drawn, in the numbers that the scaler works with.

Source: openai/procgen, `get_object_rect` and `adjust_rect` in
`procgen/src/basic-abstract-game.cpp` and `procgen/src/qt-utils.h`; trails in
`procgen/src/entity.cpp` and `procgen/src/games/coinrun.cpp`.
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt32

from rlvision_jax.envs.coinrun import blending, scaling, tiles
from rlvision_jax.envs.coinrun.constants import PLAYER_RADIUS_Y, TRAIL_AGES
from rlvision_jax.envs.coinrun.pictures import ROUND, SQUARE, TALL
from rlvision_jax.envs.coinrun.screen import UNIT

CELL, SPRITE, AGENT, TRAIL = range(4)
"""Rows of the table; the trail's ages follow from `TRAIL` on."""

AGENT_LIFT = 0.7415
"""How far the agent's picture reaches above it, in parts of its height."""
_STRETCH = 1.7415
_TWO = np.float32(2)
_TRAIL_GROWTH, _TRAIL_OPACITY, _TRAIL_FADING = np.float32(1.05), np.float32(0.5), np.float32(0.8)


class Sizes(NamedTuple):
    """A row for each kind of stamp.

    Attributes:
      height, width: pixels, as `scaling.split` returns them.
      lift: from the rectangle's upper edge to the picture's, the same.
      row_step, column_step: texels from one pixel to the next, in units of 2^-16.
      margin: by which it is drawn too large on each side, tiles.
      factor: its opacity, in units of 1/255.
    """

    height: tuple[Int32[np.ndarray, " kind"], Int32[np.ndarray, " kind"]]
    width: tuple[Int32[np.ndarray, " kind"], Int32[np.ndarray, " kind"]]
    lift: tuple[Int32[np.ndarray, " kind"], Int32[np.ndarray, " kind"]]
    row_step: Int32[np.ndarray, " kind"]
    column_step: Int32[np.ndarray, " kind"]
    margin: Float32[np.ndarray, " kind"]
    factor: UInt32[np.ndarray, " kind"]


def _powers(first: np.float32, factor: np.float32) -> Float32[np.ndarray, " age"]:
    """A geometric sequence, rounded at each step."""
    values = [first]
    while len(values) < TRAIL_AGES:
        values.append(values[-1] * factor)
    return np.array(values)


TRAIL_RADII = tuple(_powers(np.float32(radius), _TRAIL_GROWTH) for radius in (0.3, 0.2))
"""Half of the width and of the height of trails of each age, tiles."""


@functools.cache
def pictures() -> Sizes:
    """Sizes of the pictures."""
    opacities = _powers(_TRAIL_OPACITY, _TRAIL_FADING).tolist()
    factors = [blending.opacity_factor(opacity) for opacity in opacities]
    return _table(lift=-AGENT_LIFT, stretch=_STRETCH, trail_factors=factors)


@functools.cache
def monochrome() -> Sizes:
    """Sizes of the coloured rectangles that `use_monochrome_assets` draws."""
    opaque = [int(blending.OPAQUE)] * TRAIL_AGES
    return _table(lift=0.0, stretch=1.0, trail_factors=opaque)


def _table(*, lift: float, stretch: float, trail_factors: list[int]) -> Sizes:
    agent_height = float((_TWO * np.float32(PLAYER_RADIUS_Y)) * UNIT)
    trail_widths, trail_heights = ((_TWO * radii * UNIT).tolist() for radii in TRAIL_RADII)
    unit, cell = float(UNIT), tiles.SIZE
    heights = [cell, unit, agent_height * stretch, *trail_heights]
    widths = [cell, unit, unit, *trail_widths]
    shapes = [SQUARE, SQUARE, TALL, *[ROUND] * TRAIL_AGES]
    lifts = [0.0, 0.0, agent_height * lift, *[0.0] * TRAIL_AGES]
    rows, columns = zip(*shapes, strict=True)
    return Sizes(
        height=_split(heights),
        width=_split(widths),
        lift=_split(lifts),
        row_step=_steps(rows, heights),
        column_step=_steps(columns, widths),
        margin=np.array([tiles.MARGIN, *[0.0] * (len(heights) - 1)], np.float32),
        factor=np.array([blending.OPAQUE] * TRAIL + trail_factors, np.uint32),
    )


def _split(lengths: list[float]) -> tuple[np.ndarray, np.ndarray]:
    whole, fraction = np.array([scaling.split(length) for length in lengths], np.int32).T
    return whole, fraction


def _steps(texels: tuple[int, ...], sizes: list[float]) -> Int32[np.ndarray, " kind"]:
    pairs = zip(texels, sizes, strict=True)
    return np.array([scaling.texel_step(count, size) for count, size in pairs], np.int32)
