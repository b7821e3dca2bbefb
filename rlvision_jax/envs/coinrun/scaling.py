"""Where Qt 5's scaler puts a picture on the screen, and which texel each pixel shows.

Qt samples the nearest texel and counts in 16.16 fixed point from the first pixel's centre, which
it computes in doubles. The same numbers are had here from 32-bit integers.
Source: Qt 5.9, `qt_scale_image_32bit` in `qtbase/src/gui/painting/qblendfunctions_p.h`.
"""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32

# Bits behind the point of a coordinate; texel steps have 16.
_BITS = 30
_ONE = 1 << _BITS
_HALF = _ONE >> 1
# Factors of a step are taken ten bits at a time: with a step below 2^21 they fit 31 bits.
_DIGIT_BITS = 10
_DIGIT = (1 << _DIGIT_BITS) - 1
_FINE_BITS = 15
_FINE = 1 << _FINE_BITS
MAX_STEP = 1 << 21


Integers: TypeAlias = Int32[Array, "..."] | int
"""Integers that broadcast against the others."""


class Coordinate(NamedTuple):
    """A place on the screen, in pixels, exact to 2^-30.

    Attributes:
      whole: largest integer that is not above it.
      fraction: the rest in units of 2^-30, from 0 to 2^30 - 1.
    """

    whole: Int32[Array, "*shape"]
    fraction: Int32[Array, "*shape"]


class Span(NamedTuple):
    """The pixels of one axis that a picture covers, and the texels that they show.

    Attributes:
      start, stop: first pixel, and the one after the last; they may lie off the screen.
      first: texel coordinate of pixel `start` in units of 2^-16 texels.
    """

    start: Int32[Array, "*shape"]
    stop: Int32[Array, "*shape"]
    first: Int32[Array, "*shape"]


def texel_step(num_texels: int, size: float) -> int:
    """Texels from one pixel to the next, in units of 2^-16, of a picture `size` pixels long."""
    return int(65536 / (float(size) / num_texels))


def coordinate(x: Float32[Array, "*shape"]) -> Coordinate:
    """A float as a coordinate; exact unless its magnitude is below 2^-7."""
    floor = jnp.floor(x)
    # The difference is exact, but for a tiny negative x, which it rounds up to 1.
    fraction = jnp.minimum(x - floor, np.float32(1 - 2**-24))
    return Coordinate(floor.astype(jnp.int32), (fraction * _ONE).astype(jnp.int32))


def shifted(origin: Coordinate, whole: Integers, fraction: Integers) -> Coordinate:
    """The coordinate further on by `whole` pixels and `fraction` / 2^30, which is below 1."""
    total = origin.fraction + fraction
    return Coordinate(origin.whole + whole + (total >> _BITS), total & (_ONE - 1))


def split(length: float) -> tuple[int, int]:
    """Whole pixels of a length and the rest in units of 2^-30."""
    whole = int(np.floor(length))
    return whole, int((length - whole) * _ONE)


def nearest_pixel(x: Coordinate) -> Int32[Array, "*shape"]:
    """The nearest integer; halves go up."""
    return x.whole + (x.fraction >> (_BITS - 1))


def times(fraction: Int32[Array, "*shape"], factor: Integers) -> Coordinate:
    """`factor * fraction / 2^30` exactly, for a fraction and a factor from 0 to 2^21 - 1."""
    factor = jnp.asarray(factor, jnp.int32)
    low = factor * (fraction & _DIGIT)
    middle = factor * ((fraction >> _DIGIT_BITS) & _DIGIT) + (low >> _DIGIT_BITS)
    high = factor * (fraction >> 2 * _DIGIT_BITS) + (middle >> _DIGIT_BITS)
    rest = (
        ((high & _DIGIT) << 2 * _DIGIT_BITS) | ((middle & _DIGIT) << _DIGIT_BITS) | (low & _DIGIT)
    )
    return Coordinate(high >> _DIGIT_BITS, rest)


def times_length(x: Coordinate, length: float) -> Coordinate:
    """`x * length`, for a length below 2^21 that is a multiple of 2^-15; it is rounded down."""
    whole, rest = int(length), int(length * _FINE) % _FINE
    by_rest = times(x.fraction, rest)
    product = shifted(
        times(x.fraction, whole),
        0,
        (by_rest.whole << _FINE_BITS) | (by_rest.fraction >> _FINE_BITS),
    )
    of_whole = x.whole * rest
    fraction = (of_whole & (_FINE - 1)) << (_BITS - _FINE_BITS)
    return shifted(product, x.whole * whole + (of_whole >> _FINE_BITS), fraction)


def minus(a: Coordinate, b: Coordinate) -> Coordinate:
    """`a - b`."""
    return shifted(a, -b.whole - 1, _ONE - b.fraction)


def texel_at(pixel: Int32[Array, "..."], origin: Coordinate, step: Integers) -> Int32[Array, "..."]:
    """Texel coordinate of a pixel, of a picture that begins at `origin`, in units of 2^-16.

    That is `ceil((pixel + 0.5 - origin) * step) - 1`.

    Args:
      pixel: index of the pixel.
      origin: left or upper end of the picture.
      step: from one pixel to the next, below `MAX_STEP`.
    """
    # Twice the pixel's centre, from the origin's whole part.
    twice = (2 * (pixel - origin.whole) + 1) * step
    behind = times(origin.fraction, step)
    carries = (twice & 1) & (behind.fraction < _HALF).astype(jnp.int32)
    return (twice >> 1) - behind.whole + carries - 1


def span(origin: Coordinate, size: tuple[Integers, Integers], step: Integers) -> Span:
    """The pixels that a picture covers from `origin` on.

    Args:
      origin: left or upper end of the picture.
      size: its length, as `split` returns it.
      step: texels from one pixel to the next.
    """
    start = nearest_pixel(origin)
    stop = nearest_pixel(shifted(origin, *size))
    return Span(start, stop, texel_at(start, origin, step))
