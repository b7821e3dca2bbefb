"""The scaler's integers against exact fractions, and blending against its definition."""

import math
from fractions import Fraction

import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import bit_set, blending, scaling

# Places between pixels, on them, halfway, a hair before them, and far off the screen.
PLACES = np.concatenate(
    [
        np.random.default_rng(0).uniform(-400, 70, 2000),
        np.arange(-4, 4, 0.25),
        np.nextafter(np.arange(0.5, 4, 0.5, np.float32), np.float32(-9)),
        [-1e-9, 29.538462],
    ]
).astype(np.float32)
# Lengths of cells, sprites, trails and backgrounds, in pixels, and their pictures' in texels.
SIZES = [(5.12, 128), (4.923077, 128), (2.9538462, 17), (9.922, 256), (315.07693, 1080)]


def value(coordinate):
    whole, fraction = (np.asarray(part).tolist() for part in coordinate)
    return [w + Fraction(f, 2**30) for w, f in zip(whole, fraction, strict=True)]


@pytest.mark.parametrize(("size", "texels"), SIZES)
def test_spans_equal_exact_fractions(size, texels):
    size = float(np.float32(size))
    step = scaling.texel_step(texels, size)
    assert 0 < step < scaling.MAX_STEP
    found = scaling.span(scaling.coordinate(jnp.asarray(PLACES)), scaling.split(size), step)
    half = Fraction(1, 2)
    for place, start, stop, first in zip(PLACES.tolist(), *map(np.asarray, found), strict=True):
        left = Fraction(place)
        assert start == math.floor(left + half)
        assert stop == math.floor(left + Fraction(size) + half)
        assert first == math.ceil((int(start) + half - left) * step) - 1


def test_products_and_differences_are_exact_to_their_last_bit():
    x = scaling.coordinate(jnp.asarray(np.random.default_rng(1).uniform(0, 4, 500), jnp.float32))
    length = float(np.float32(315.07693))
    product = scaling.times_length(x, length)
    unit = Fraction(1, 2**30)
    for exact, found in zip(value(x), value(product), strict=True):
        # Rounded down twice.
        assert 0 <= exact * Fraction(length) - found < 2 * unit
    difference = scaling.minus(x, product)
    for a, b, found in zip(value(x), value(product), value(difference), strict=True):
        assert found == a - b


def test_blending_equals_its_definition_for_every_pair_of_bytes():
    a, b = (grid.astype(np.uint32) for grid in np.meshgrid(np.arange(256), np.arange(256)))
    product = a * b
    expected = (product + (product >> 8) + 128) >> 8
    for byte in (0, 8, 16, 24):
        words = blending.scaled(jnp.asarray(a << byte), jnp.asarray(b))
        np.testing.assert_array_equal(words, expected << byte)
    texel, pixel, straight = jnp.asarray([0x80402010, 0x00FF8001, 0x80FF8001], jnp.uint32)
    # alpha 128 leaves (255 - 128) / 255 of each byte: 0, 127, 64 and 0.
    assert int(blending.over(texel, pixel)) == 0x80BF6010
    assert int(blending.premultiplied(straight)) == 0x80804001
    assert blending.opacity_factor(0.5) == 127


def test_members_of_a_set_are_found_in_order():
    flags = [np.random.default_rng(seed).random(size) < 0.3 for seed, size in ((0, 40), (1, 64))]
    members = bit_set.from_flags(*map(jnp.asarray, flags))
    expected = [*np.flatnonzero(flags[0]), *(64 + np.flatnonzero(flags[1]))]
    assert members.size == len(expected)
    found = [int(bit_set.nth(members, jnp.int32(index))) for index in range(len(expected))]
    assert found == expected
