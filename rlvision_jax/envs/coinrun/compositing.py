"""Lays stamps over the lowest layer, in their order, in the way that suits the device.

A CPU lays one stamp after the other over the few pixels around it, one game after the other. An
accelerator takes all pixels at once: in each round, each gets the next stamp that covers it.
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

Pixels: TypeAlias = UInt32[Array, "64 64"]

CONTENT = np.uint32(0x00FFFFFF)
"""Bits of a pixel that stamps change; those above hold the `tiles.place` of the cell seen."""

_PLACE_BIT = np.uint32(24)
# Several stamps in a round spare the pixels some ways to memory and back.
_STAMPS_PER_ROUND = 2


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

    def lay_all(
        get_scene: Callable[[], tuple[Texels, Scene]],
        size: Int32[Array, ""],
        first: Patches,
        pixels: Pixels,
    ) -> Pixels:
        pixels = _laid(first, size, ink, pixels)

        def lay_more(chunk: Int32[Array, ""], pixels: Pixels) -> Pixels:
            patches = prepared(*get_scene(), chunk, ink, config)
            return _laid(patches, size - chunk * CHUNK, ink, pixels)

        return jax.lax.fori_loop(1, _num_chunks(size), lay_more, pixels)

    # These are prepared for all games of a batch at once.
    first = prepared(texels, scene, jnp.int32(0), ink, config)
    return _one_game_at_a_time(lay_all)((texels, scene), scene.numbers.size, first, pixels)


def by_pixel(
    texels: Texels, scene: Scene, pixels: Pixels, *, ink: Ink, config: CoinRunConfig
) -> Pixels:
    """`overlaid`, all pixels at once."""
    axis = jnp.arange(FRAME_SIZE, dtype=jnp.int32)
    row, column = axis[:, None], axis[None]
    size = scene.numbers.size

    def lay_chunk(chunk: Int32[Array, ""], pixels: Pixels) -> Pixels:
        patches = prepared(texels, scene, chunk, ink, config)
        rest = size - chunk * CHUNK

        def lay_next(carry: tuple[Pixels, Pixels]) -> tuple[Pixels, Pixels]:
            pixels, waiting = carry
            for _ in range(_STAMPS_PER_ROUND):
                lowest = waiting & (~waiting + np.uint32(1))
                index = jax.lax.population_count(lowest - np.uint32(1)).astype(jnp.int32)
                index = jnp.minimum(index, CHUNK - 1)
                y = jnp.clip(row - patches.top[index], 0, HEIGHT - 1)
                x = jnp.clip(column - patches.left[index], 0, WIDTH - 1)
                word = jnp.where(waiting == 0, np.uint32(0), patches.words[index, y, x])
                pixels = _over(word, patches.place[index], ink, pixels)
                waiting ^= lowest
            return pixels, waiting

        waiting = _covering(patches.top, HEIGHT, rest)[:, None]
        waiting &= _covering(patches.left, WIDTH, rest)[None]
        return jax.lax.while_loop(lambda carry: (carry[1] != 0).any(), lay_next, (pixels, waiting))[
            0
        ]

    return jax.lax.fori_loop(0, _num_chunks(size), lay_chunk, pixels)


def _num_chunks(size: Int32[Array, ""]) -> Int32[Array, ""]:
    return (size + CHUNK - 1) // CHUNK


def _covering(
    start: Int32[Array, " stamp"], length: int, count: Int32[Array, ""]
) -> UInt32[Array, " pixel"]:
    """For each pixel of an axis, a bit for each of the first `count` patches that cover it."""
    pixel = jnp.arange(FRAME_SIZE, dtype=jnp.int32)[:, None]
    index = jnp.arange(CHUNK, dtype=jnp.int32)[None]
    covers = (pixel >= start[None]) & (pixel < start[None] + length) & (index < count)
    bits = np.uint32(1) << np.arange(CHUNK, dtype=np.uint32)[None]
    return jnp.where(covers, bits, np.uint32(0)).sum(axis=1, dtype=jnp.uint32)


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
    """A function of which `vmap` makes a loop over the games instead of vectors of them.

    So each game loops as often as it needs, over pixels that stay in the processor's cache.

    Args:
      lay: takes a function that returns its first argument, so that a game that does not call it
        does not wait for that argument's copy, and the other arguments.
    """

    @jax.custom_batching.custom_vmap
    def mapped(seldom: Any, *args: Any) -> Pixels:
        return lay(lambda: seldom, *args)

    @mapped.def_vmap
    def _(axis_size: int, in_batched: Any, seldom: Any, *args: Any) -> tuple[Array, bool]:
        seldom_batched, args_batched = in_batched[0], tuple(in_batched[1:])

        def of_game(arrays: Any, is_batched: Any, game: Int32[Array, ""]) -> Any:
            pick = lambda array, batched: array[game] if batched else array  # noqa: E731
            return jax.tree.map(pick, arrays, is_batched)

        def lay_game(game: Int32[Array, ""]) -> Pixels:
            get_seldom = functools.partial(of_game, seldom, seldom_batched, game)
            return lay(get_seldom, *of_game(args, args_batched, game))

        return jax.lax.map(lay_game, jnp.arange(axis_size, dtype=jnp.int32)), True

    return mapped
