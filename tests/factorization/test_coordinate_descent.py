import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.factorization.coordinate_descent import coordinate_descent


def start(num_rows=300, num_features=4, num_channels=10):
    random = np.random.default_rng(0)
    x = random.gamma(0.5, size=(1, num_rows, num_channels))
    w = random.uniform(size=(1, num_features, num_rows))
    h = random.uniform(size=(num_features, num_channels))
    return tuple(jnp.asarray(each, jnp.float32) for each in (x, w, h))


@functools.partial(jax.jit, static_argnames="most")
def descend(x, w, h, most=1000):
    return coordinate_descent(x, w, h, total=lambda x: x, max_iterations=most, tolerance=1e-4)


@pytest.mark.parametrize("exponent", [-40, 40])
def test_the_scale_of_one_direction_does_not_decide_when_to_stop(exponent):
    x, w, h = start()
    plain = descend(x, w, h)
    apart = jnp.asarray([0, 0, exponent, 0])[:, None]
    scaled = descend(x, jnp.ldexp(w, -apart[None]), jnp.ldexp(h, apart))
    assert 50 < plain.iterations < 1000
    # The direction is brought back to within a factor of two of what it was: the violations that
    # are added up are weighted almost as before, and the updates are the same.
    assert abs(int(scaled.iterations) - int(plain.iterations)) < 0.1 * plain.iterations
    largest = np.asarray(scaled.h.max(1))
    assert largest.max() < 2**7 * np.median(largest)
    np.testing.assert_allclose(
        scaled.h / scaled.h.max(1, keepdims=True),
        plain.h / plain.h.max(1, keepdims=True),
        atol=0.02,
    )


def test_directions_of_usual_size_are_left_alone():
    x, w, h = start()
    # As far apart as none is moved; a power of two rounds nothing.
    apart = jnp.asarray([0, 0, 5, 0])[:, None]
    plain = descend(x, w, h, most=20)
    scaled = descend(x, jnp.ldexp(w, -apart[None]), jnp.ldexp(h, apart), most=20)
    np.testing.assert_array_equal(scaled.h, jnp.ldexp(plain.h, apart))
    np.testing.assert_array_equal(scaled.w, jnp.ldexp(plain.w, -apart[None]))
