"""Procgen's 64x64 observation of a game, pixel for pixel.

Source: openai/procgen, `game_draw` in `procgen/src/basic-abstract-game.cpp`. Pictures are scaled
and blended as Qt 5 does it without smoothing: see `scaling` and `blending`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, UInt8, UInt32

from rlvision_jax.envs.coinrun import compositing, screen, stamps, tiles
from rlvision_jax.envs.coinrun.assets import Assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import FRAME_SIZE, MAX_JUMP, MAX_SPEED
from rlvision_jax.envs.coinrun.patches import COLORS
from rlvision_jax.envs.coinrun.types import State

# Pixels along a side of each of the two squares of velocity.
_SQUARE = 13
_MAX_VX, _MAX_VY = np.float32(MAX_SPEED), np.float32(MAX_JUMP)
_MAX_SHADE = 255


def render(
    assets: Assets, config: CoinRunConfig, state: State
) -> UInt8[Array, "height width channel"]:
    """Draws one game.

    Args:
      assets: of the same options, from `load_assets`.
      config: the options. Static.
      state: of one game.

    Returns:
      A frame of 64 x 64 RGB pixels, 0-255: the bytes that Procgen draws in the same state.
    """
    camera = screen.camera(state)
    view = tiles.window(state, camera)
    pixels = tiles.draw(assets, state, camera, view)
    scene = stamps.scene(state, camera, view)
    pixels = compositing.overlaid(assets.texels, scene, pixels, ink=COLORS, config=config)
    if config.paint_velocity:
        pixels = _with_velocity(pixels, state)
    bytes_of_words = jax.lax.bitcast_convert_type(pixels, jnp.uint8)
    return bytes_of_words[..., :3]


def _with_velocity(
    pixels: UInt32[Array, "height width"], state: State
) -> UInt32[Array, "height width"]:
    """Paints the agent's velocity, to the right and up, as the shades of two squares."""
    velocities = (state.player.vx, state.player.vy)
    for square, limits, velocity in zip(
        velocity_squares(), _shade_thresholds(), velocities, strict=True
    ):
        shade = (velocity >= limits).sum(dtype=jnp.uint32)
        pixels = jnp.where(square, shade * np.uint32(0x010101), pixels)
    return pixels


def velocity_squares() -> Bool[np.ndarray, "2 height width"]:
    """The pixels of the squares of horizontal and vertical velocity, in the upper left corner."""
    row, column = np.indices((FRAME_SIZE, FRAME_SIZE))
    is_high = row < _SQUARE
    return np.stack([is_high & (column // _SQUARE == index) for index in range(2)])


@functools.cache
def _shade_thresholds() -> Float32[np.ndarray, "2 shade"]:
    """The smallest horizontal and vertical velocities that are painted with each shade from 1 on.

    Procgen computes shades in doubles, which the device lacks; they rise with the velocity, so
    that these numbers say the same.
    """
    return np.stack([_thresholds(speed) for speed in (_MAX_VX, _MAX_VY)])


def _thresholds(max_speed: np.float32) -> Float32[np.ndarray, " shade"]:
    wanted = np.arange(1, _MAX_SHADE + 1)
    # Bisection over the floats in their order; two and minus two times the speed are off the scale.
    low = np.full(_MAX_SHADE, _rank(-2 * max_speed))
    high = np.full(_MAX_SHADE, _rank(2 * max_speed))
    while (high - low > 1).any():
        middle = (low + high) // 2
        is_enough = _shade(_unrank(middle), max_speed) >= wanted
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
    return _unrank(high)


def _shade(velocity: Float32[np.ndarray, " shade"], max_speed: np.float32) -> np.ndarray:
    """Procgen's shade of a velocity."""
    share = (0.5 * velocity.astype(np.float64) / float(max_speed) + 0.5).astype(np.float32)
    return np.clip((share * np.float32(_MAX_SHADE)).astype(np.int32), 0, _MAX_SHADE)


def _rank(x: np.float32) -> int:
    """The place of a float among all floats; those of zero and minus zero are the same."""
    bits = int(np.float32(x).view(np.int32))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def _unrank(rank: np.ndarray) -> Float32[np.ndarray, " shade"]:
    magnitude = np.abs(rank).astype(np.int32).view(np.float32)
    return np.where(rank < 0, -magnitude, magnitude).astype(np.float32)
