"""Lays stamps over the lowest layer, in their order, in the way that suits the device.

A CPU lays one stamp after the other over the few pixels around it, one game after the other. An
accelerator takes all pixels of all games at once, and several stamps between reading and writing
them.
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import FRAME_SIZE
from rlvision_jax.envs.coinrun.patches import (
    CHUNK,
    HEIGHT,
    WIDTH,
    Ink,
    Patches,
    Texels,
    Words,
    prepared,
)
from rlvision_jax.envs.coinrun.stamps import Scene
from rlvision_jax.envs.coinrun.tables import entries

Pixels: TypeAlias = UInt32[Array, "64 64"]

CONTENT = np.uint32(0x00FFFFFF)
"""Bits of a pixel that stamps change; those above hold the `tiles.place` of the cell seen."""

_PLACE_BIT = np.uint32(24)


def overlaid(
    texels: Texels, scene: Scene, pixels: Pixels, *, ink: Ink, config: CoinRunConfig
) -> Pixels:
    """Lays the stamps of a scene over the lowest layer.

    Args:
      texels: of the assets.
      scene: what to draw.
      pixels: the lowest layer; the highest byte tells which cell is seen.
      ink: what stamps leave on the pixels. Static.
      config: the options. Static.
    """
    return jax.lax.platform_dependent(
        texels,
        scene,
        pixels,
        cpu=functools.partial(one_by_one, ink=ink, config=config),
        default=functools.partial(by_pixel, ink=ink, config=config),
    )


def one_by_one(
    texels: Texels, scene: Scene, pixels: Pixels, *, ink: Ink, config: CoinRunConfig
) -> Pixels:
    """`overlaid`, stamp after stamp; in a batch, also game after game."""

    def lay_all(texels: Texels, scene: Scene, first: Patches, pixels: Pixels) -> Pixels:
        size = scene.numbers.size
        pixels = _laid(first, size, ink, pixels)

        def lay_more(chunk: Int32[Array, ""], pixels: Pixels) -> Pixels:
            patches = prepared(texels, scene, chunk, ink, config)
            return _laid(patches, size - chunk * CHUNK, ink, pixels)

        return jax.lax.fori_loop(1, _num_chunks(size), lay_more, pixels)

    # These are prepared for all games of a batch at once.
    first = prepared(texels, scene, jnp.int32(0), ink, config)
    return _one_game_at_a_time(lay_all)(texels, scene, first, pixels)


def by_pixel(
    texels: Texels, scene: Scene, pixels: Pixels, *, ink: Ink, config: CoinRunConfig
) -> Pixels:
    """`overlaid`, all pixels at once: each looks at every stamp of a chunk, in one kernel."""
    axis = jnp.arange(FRAME_SIZE, dtype=jnp.int32)

    def lay_chunk(chunk: Int32[Array, ""], pixels: Pixels) -> Pixels:
        patches = prepared(texels, scene, chunk, ink, config)
        for index in range(CHUNK):
            row, column = (axis - start[index] for start in (patches.top, patches.left))
            is_here = ((row >= 0) & (row < HEIGHT))[:, None] & ((column >= 0) & (column < WIDTH))[
                None
            ]
            is_here &= chunk * CHUNK + index < scene.numbers.size
            row, column = jnp.clip(row, 0, HEIGHT - 1), jnp.clip(column, 0, WIDTH - 1)
            word = entries(patches.words[index], row[:, None], column[None])
            word = jnp.where(is_here, word, np.uint32(0))
            pixels = _over(word, patches.place[index], ink, pixels)
        return pixels

    return jax.lax.fori_loop(0, _num_chunks(scene.numbers.size), lay_chunk, pixels)


def _num_chunks(size: Int32[Array, ""]) -> Int32[Array, ""]:
    return (size + CHUNK - 1) // CHUNK


def _laid(patches: Patches, count: Int32[Array, ""], ink: Ink, pixels: Pixels) -> Pixels:
    """The pixels after the first `count` patches were laid over them one by one."""

    def lay(index: Int32[Array, ""], pixels: Pixels) -> Pixels:
        corner = (patches.top[index], patches.left[index])
        under = jax.lax.dynamic_slice(pixels, corner, (HEIGHT, WIDTH))
        seen = _over(patches.words[index], patches.place[index], ink, under)
        return jax.lax.dynamic_update_slice(pixels, seen, corner)

    return jax.lax.fori_loop(0, jnp.minimum(count, CHUNK), lay, pixels)


def _over(word: Words, place: Words, ink: Ink, pixel: Words) -> Words:
    """A word laid over a pixel, unless that shows a cell that is drawn later."""
    word = jnp.where((pixel >> _PLACE_BIT) < place, word, np.uint32(0))
    return (ink.over(word, pixel) & CONTENT) | (pixel & ~CONTENT)


def _one_game_at_a_time(lay: Callable[..., Pixels]) -> Callable[..., Pixels]:
    """The same function, of which `vmap` makes a loop over the games instead of vectors of them.

    So each game loops as often as it needs, over pixels that stay in the processor's cache.
    """
    mapped = jax.custom_batching.custom_vmap(lay)

    @mapped.def_vmap
    def _(axis_size: int, in_batched: Any, *args: Any) -> tuple[Array, bool]:
        def lay_game(game: Int32[Array, ""]) -> Pixels:
            def of_game(array: Array, is_batched: bool) -> Array:
                return array[game] if is_batched else array

            # Again as a function that knows how it is mapped: there may be batches of batches.
            return mapped(*jax.tree.map(of_game, args, tuple(in_batched)))

        return jax.lax.map(lay_game, jnp.arange(axis_size, dtype=jnp.int32)), True

    return mapped
