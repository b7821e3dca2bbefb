"""Where CoinRun draws the world: the rectangles it hands to the scaler, as it rounds them.

The agent's centre is the centre of the screen. Source: openai/procgen, `prepare_for_drawing` and
`get_screen_rect` in `procgen/src/basic-abstract-game.cpp`.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

from rlvision_jax.envs.coinrun import exact
from rlvision_jax.envs.coinrun.constants import FRAME_SIZE, VISIBLE_TILES
from rlvision_jax.envs.coinrun.types import State

UNIT = np.float32(FRAME_SIZE) / np.float32(VISIBLE_TILES)
"""Pixels per tile."""
VIEW = np.float32(FRAME_SIZE / float(UNIT))
"""Tiles across the screen: a little less than 13."""


class Camera(NamedTuple):
    """The place of the screen in the world.

    Attributes:
      x, y: the world's point at the centre of the screen, tiles.
      x_offset, y_offset: pixels from the world's lower left corner to the screen's.
      zero: 0 in a way that the compiler cannot see; see `exact.rounded`.
    """

    x: Float32[Array, ""]
    y: Float32[Array, ""]
    x_offset: Float32[Array, ""]
    y_offset: Float32[Array, ""]
    zero: Int32[Array, ""]


def camera(state: State) -> Camera:
    """The camera of a game."""
    x, y, zero = state.player.x, state.player.y, state.time >> 31
    half = VIEW / np.float32(2)
    return Camera(x, y, _pixels(x - half, zero), _pixels(y - half, zero), zero)


def left(
    camera: Camera, x: Float32[Array, "*shape"], margin: Float32[Array, "*shape"] | np.float32
) -> Float32[Array, "*shape"]:
    """Screen coordinate of a left edge, pixels.

    Args:
      camera: the place of the screen.
      x: of the edge, tiles.
      margin: by which the picture is wider on this side, tiles.
    """
    return _pixels(x - margin, camera.zero) - camera.x_offset


def top(
    camera: Camera, y: Float32[Array, "*shape"], margin: Float32[Array, "*shape"] | np.float32
) -> Float32[Array, "*shape"]:
    """Screen coordinate of an upper edge, pixels from the screen's top; see `left`."""
    from_top = exact.rounded(VIEW - y, camera.zero)
    return _pixels(from_top - margin, camera.zero) + camera.y_offset


def _pixels(tiles: Float32[Array, "*shape"], zero: Int32[Array, ""]) -> Float32[Array, "*shape"]:
    return exact.product(tiles, jnp.full_like(tiles, UNIT), zero)
