"""How Qt 5 combines a texel with the pixel under it: 0xAABBGGRR words, premultiplied by alpha.

All functions take NumPy or JAX arrays of uint32 and work on two bytes of a word at a time.
Source: Qt 5.9, `BYTE_MUL` in `qtbase/src/gui/painting/qdrawhelper_p.h`.
"""

from typing import TypeVar

import jax
import numpy as np

Words = TypeVar("Words", np.ndarray, jax.Array)

OPAQUE = np.uint32(255)
RGB = np.uint32(0x00FFFFFF)

_EVEN_BYTES = np.uint32(0x00FF00FF)
_HALVES = np.uint32(0x00800080)
_BYTE = np.uint32(8)


def alpha(texel: Words) -> Words:
    """The alpha of a texel, 0-255."""
    return texel >> np.uint32(24)


def scaled(texel: Words, factor: Words | np.uint32) -> Words:
    """All four bytes of a texel times `factor` / 255, rounded as Qt rounds."""
    even = (texel & _EVEN_BYTES) * factor
    odd = ((texel >> _BYTE) & _EVEN_BYTES) * factor
    even = (even + ((even >> _BYTE) & _EVEN_BYTES) + _HALVES) >> _BYTE
    odd = odd + ((odd >> _BYTE) & _EVEN_BYTES) + _HALVES
    return (even & _EVEN_BYTES) | (odd & ~_EVEN_BYTES)


def over(texel: Words, pixel: Words) -> Words:
    """A texel drawn over a pixel."""
    return texel + scaled(pixel, OPAQUE - alpha(texel))


def premultiplied(texel: Words) -> Words:
    """A texel whose colours are not yet multiplied by its alpha, so multiplied."""
    alpha_bits = texel & ~RGB
    return (scaled(texel, alpha(texel)) & RGB) | alpha_bits


def opacity_factor(opacity: float) -> int:
    """What a sprite drawn with an opacity from 0 to 1 is multiplied by, in units of 1/255."""
    return (int(256 * opacity) * 255) >> 8
