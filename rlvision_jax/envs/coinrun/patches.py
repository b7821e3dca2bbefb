"""Stamps as small rectangles of words, ready to be laid over the pixels around them."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from rlvision_jax.envs.coinrun import bit_set, blending, stamps
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import FRAME_SIZE
from rlvision_jax.envs.coinrun.scaling import Span
from rlvision_jax.envs.coinrun.stamps import Scene
from rlvision_jax.envs.coinrun.tables import entries

HEIGHT, WIDTH = 11, 8
"""Pixels of a patch. The agent's picture is the tallest, 9.9 pixels; the widest, a cell's, takes
six, but CPUs compute eight as quickly."""
CHUNK = 16
"""Stamps that are prepared together; a frame seldom has more."""

# A texel so far off that its address is negative, whatever the other axis and the picture.
_NONE = -(1 << 22)

Texels: TypeAlias = UInt32[Array, " texel"]
Words: TypeAlias = UInt32[Array, "..."]


class Ink(NamedTuple):
    """What stamps leave on the pixels. Static.

    Attributes:
      words: the words to lay down, from a stamp's texels and the index of its kind of object.
        Where the texel is 0, the stamp is not, and the word must be 0 too.
      over: the pixels after words were laid over them; word 0 must leave them as they are.
    """

    words: Callable[[Words, Int32[Array, ""]], Words]
    over: Callable[[Words, Words], Words]


COLORS = Ink(lambda texel, kind: texel, blending.over)
"""Draws the pictures."""


class Patches(NamedTuple):
    """Some stamps, as they lie on the screen.

    Attributes:
      top, left: of the rectangle of pixels that holds the stamp; all of it is on the screen.
      words: what is laid over these pixels; 0 where the stamp is not.
      place: see `stamps.Stamp`.
    """

    top: Int32[Array, " stamp"]
    left: Int32[Array, " stamp"]
    words: UInt32[Array, "stamp row column"]
    place: UInt32[Array, " stamp"]


def prepared(
    texels: Texels, scene: Scene, chunk: Int32[Array, ""], ink: Ink, config: CoinRunConfig
) -> Patches:
    """The stamps of a scene from `CHUNK * chunk` on, `CHUNK` of them.

    Those after the scene's last are without meaning.
    """

    def patch(index: Int32[Array, ""]) -> Patches:
        stamp = stamps.stamp(scene, bit_set.nth(scene.numbers, index), config)
        top, row = _line(stamp.rows, stamp.row_step, HEIGHT)
        left, column = _line(stamp.columns, stamp.column_step, WIDTH)
        address = (stamp.start + row * stamp.width)[:, None] + column[None]
        texel = entries(texels, jnp.maximum(address, 0))
        texel = blending.scaled(jnp.where(address < 0, np.uint32(0), texel), stamp.factor)
        return Patches(top, left, ink.words(texel, stamp.kind), stamp.place)

    return jax.vmap(patch)(chunk * CHUNK + jnp.arange(CHUNK, dtype=jnp.int32))


def _line(
    span: Span, step: Int32[Array, ""], length: int
) -> tuple[Int32[Array, ""], Int32[Array, " pixel"]]:
    """First of the `length` pixels around a span, and the texels that they show.

    Pixels off the span show texel `_NONE`.
    """
    start = jnp.clip(span.start, 0, FRAME_SIZE - length)
    pixel = start + jnp.arange(length, dtype=jnp.int32)
    texel = (span.first + step * (pixel - span.start)) >> 16
    return start, jnp.where((pixel >= span.start) & (pixel < span.stop), texel, _NONE)
