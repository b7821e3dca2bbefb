"""Draws stamps over the lowest layer, in their order, in the way that suits the device.

A CPU draws one stamp after the other into the few pixels around it, one game after the other. An
accelerator draws all pixels at once: in each round, each takes the next stamp that covers it.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from rlvision_jax.envs.coinrun import bit_set, blending, stamps
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import FRAME_SIZE
from rlvision_jax.envs.coinrun.scaling import Span
from rlvision_jax.envs.coinrun.stamps import Scene

# The agent's picture is the tallest, 9.9 pixels; the widest are 5.1 pixels wide, and 8 pixels are
# as quickly drawn as 6.
_HEIGHT, _WIDTH = 11, 8
# Stamps that are prepared together: a frame seldom has more.
_CHUNK = 16
_STAMPS_PER_ROUND = 2
_PLACE_BITS = np.uint32(24)


Texels: TypeAlias = UInt32[Array, " texel"]
Pixels: TypeAlias = UInt32[Array, "64 64"]


class Patches(NamedTuple):
    """Some stamps, as they lie on the screen.

    Attributes:
      top, left: of the rectangle of pixels that holds the stamp; it lies on the screen.
      texels: what is drawn over these pixels, words 0xAABBGGRR; 0 where the stamp is not.
      place: see `stamps.Stamp`.
    """

    top: Int32[Array, " stamp"]
    left: Int32[Array, " stamp"]
    texels: UInt32[Array, "stamp row column"]
    place: UInt32[Array, " stamp"]


def draw(
    texels: Texels,
    scene: Scene,
    pixels: Pixels,
    config: CoinRunConfig,
) -> Pixels:
    """Draws the stamps of a scene.

    Args:
      texels: of the assets.
      scene: what to draw.
      pixels: of the lowest layer; the highest byte tells which cell is seen.
      config: the options. Static.
    """

    return jax.lax.platform_dependent(
        texels,
        scene,
        pixels,
        cpu=functools.partial(one_by_one, config=config),
        default=functools.partial(by_pixel, config=config),
    )


def one_by_one(
    texels: Texels,
    scene: Scene,
    pixels: Pixels,
    *,
    config: CoinRunConfig,
) -> Pixels:
    """`draw`, stamp after stamp; in a batch, also game after game."""

    def draw_all(texels: Texels, scene: Scene, first: Patches, pixels: Pixels) -> Pixels:
        pixels = _draw_patches(first, scene.numbers.size, pixels)

        def draw_more(chunk: Int32[Array, ""], pixels: Pixels) -> Pixels:
            patches = _patches(texels, scene, chunk, config)
            return _draw_patches(patches, scene.numbers.size - chunk * _CHUNK, pixels)

        chunks = (scene.numbers.size + _CHUNK - 1) // _CHUNK
        return jax.lax.fori_loop(1, chunks, draw_more, pixels)

    # These are prepared for all games of a batch at once.
    first = _patches(texels, scene, jnp.int32(0), config)
    return _one_game_at_a_time(draw_all)(texels, scene, first, pixels)


def by_pixel(
    texels: Texels,
    scene: Scene,
    pixels: Pixels,
    *,
    config: CoinRunConfig,
) -> Pixels:
    """`draw`, all pixels at once."""
    axis = jnp.arange(FRAME_SIZE, dtype=jnp.int32)
    row, column = axis[:, None], axis[None]

    def draw_chunk(chunk: Int32[Array, ""], pixels: Pixels) -> Pixels:
        patches = _patches(texels, scene, chunk, config)
        rest = scene.numbers.size - chunk * _CHUNK

        def draw_next(carry: tuple[Pixels, Pixels]) -> tuple[Pixels, Pixels]:
            pixels, waiting = carry
            for _ in range(_STAMPS_PER_ROUND):
                lowest = waiting & (~waiting + np.uint32(1))
                index = jax.lax.population_count(lowest - np.uint32(1)).astype(jnp.int32)
                index = jnp.minimum(index, _CHUNK - 1)
                y = jnp.clip(row - patches.top[index], 0, _HEIGHT - 1)
                x = jnp.clip(column - patches.left[index], 0, _WIDTH - 1)
                texel = jnp.where(waiting == 0, np.uint32(0), patches.texels[index, y, x])
                pixels = _over(texel, patches.place[index], pixels)
                waiting ^= lowest
            return pixels, waiting

        covering = _covering(patches.top, _HEIGHT, rest)[:, None]
        covering &= _covering(patches.left, _WIDTH, rest)[None]
        pixels, _ = jax.lax.while_loop(
            lambda carry: (carry[1] != 0).any(), draw_next, (pixels, covering)
        )
        return pixels

    chunks = (scene.numbers.size + _CHUNK - 1) // _CHUNK
    return jax.lax.fori_loop(0, chunks, draw_chunk, pixels)


def _covering(
    start: Int32[Array, " stamp"], length: int, count: Int32[Array, ""]
) -> UInt32[Array, " pixel"]:
    """For each pixel of an axis, a bit for each of the first `count` stamps that cover it."""
    pixel = jnp.arange(FRAME_SIZE, dtype=jnp.int32)[:, None]
    index = jnp.arange(_CHUNK, dtype=jnp.int32)[None]
    covers = (pixel >= start[None]) & (pixel < start[None] + length) & (index < count)
    return jnp.where(covers, np.uint32(1) << index.astype(np.uint32), np.uint32(0)).sum(
        axis=1, dtype=jnp.uint32
    )


def _patches(
    texels: Texels,
    scene: Scene,
    chunk: Int32[Array, ""],
    config: CoinRunConfig,
) -> Patches:
    """The stamps of a chunk; those after the scene's last are without meaning."""

    def patch(index: Int32[Array, ""]) -> Patches:
        stamp = stamps.stamp(scene, bit_set.nth(scene.numbers, index), config)
        top, row = _line(stamp.rows, stamp.row_step, _HEIGHT)
        left, column = _line(stamp.columns, stamp.column_step, _WIDTH)
        is_covered = (row >= 0)[:, None] & (column >= 0)[None]
        column = jnp.where(stamp.is_mirrored, stamp.width - 1 - column, column)
        address = stamp.start + (row * stamp.width)[:, None] + column[None]
        texel = texels.at[jnp.where(is_covered, address, 0)].get(
            mode="promise_in_bounds", wrap_negative_indices=False
        )
        texel = blending.scaled(jnp.where(is_covered, texel, np.uint32(0)), stamp.factor)
        return Patches(top, left, texel, stamp.place)

    return jax.vmap(patch)(chunk * _CHUNK + jnp.arange(_CHUNK, dtype=jnp.int32))


def _line(
    span: Span, step: Int32[Array, ""], length: int
) -> tuple[Int32[Array, ""], Int32[Array, " pixel"]]:
    """First of the `length` pixels around a span, and the texels that they show or -1."""
    start = jnp.clip(span.start, 0, FRAME_SIZE - length)
    pixel = start + jnp.arange(length, dtype=jnp.int32)
    texel = (span.first + step * (pixel - span.start)) >> 16
    return start, jnp.where((pixel >= span.start) & (pixel < span.stop), texel, -1)


def _draw_patches(patches: Patches, count: Int32[Array, ""], pixels: Pixels) -> Pixels:
    """Draws the first `count` patches, one after the other."""

    def draw_patch(index: Int32[Array, ""], pixels: Pixels) -> Pixels:
        corner = (patches.top[index], patches.left[index])
        under = jax.lax.dynamic_slice(pixels, corner, (_HEIGHT, _WIDTH))
        drawn = _over(patches.texels[index], patches.place[index], under)
        return jax.lax.dynamic_update_slice(pixels, drawn, corner)

    return jax.lax.fori_loop(0, jnp.minimum(count, _CHUNK), draw_patch, pixels)


def _over(
    texel: UInt32[Array, "height width"],
    place: UInt32[Array, "..."],
    pixel: UInt32[Array, "height width"],
) -> UInt32[Array, "height width"]:
    """A texel drawn over a pixel, unless that shows a cell that is drawn later."""
    texel = jnp.where((pixel >> _PLACE_BITS) < place, texel, np.uint32(0))
    return (blending.over(texel, pixel) & blending.RGB) | (pixel & ~blending.RGB)


def _one_game_at_a_time(draw: Callable[..., Pixels]) -> Callable[..., Pixels]:
    """The same function, of which `vmap` makes a loop over the games instead of vectors of them.

    So each game loops as often as it needs, over pixels that stay in the processor's cache.
    """
    mapped = jax.custom_batching.custom_vmap(draw)

    @mapped.def_vmap
    def _(axis_size: int, in_batched: Any, *args: Any) -> tuple[Array, bool]:
        del axis_size
        leaves, structure = jax.tree.flatten(args)
        is_batched = jax.tree.leaves(in_batched)

        def draw_game(batch: list[Array]) -> Pixels:
            remaining = iter(batch)
            game = [
                next(remaining) if batched else leaf
                for leaf, batched in zip(leaves, is_batched, strict=True)
            ]
            return draw(*jax.tree.unflatten(structure, game))

        batch = [leaf for leaf, batched in zip(leaves, is_batched, strict=True) if batched]
        return jax.lax.map(draw_game, batch), True

    return mapped
