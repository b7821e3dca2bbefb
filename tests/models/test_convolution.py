import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from rlvision_jax.models.convolution import NarrowConv, StridedConv

# Sums of up to 500 float32 products in another order.
_CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def _draw(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def _assert_equal_modules(ours, plain, x):
    """Same initial parameters, values and gradients from the same key."""
    params = plain.init(jax.random.key(0), x)
    np.testing.assert_array_equal(
        *(leaf["params"]["kernel"] for leaf in (params, ours.init(jax.random.key(0), x)))
    )
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    np.testing.assert_allclose(ours.apply(params, x), plain.apply(params, x), **_CLOSE)

    def gradients(module):
        return jax.grad(lambda *a: jnp.sum(module.apply(*a) ** 2) / x.size, (0, 1))(params, x)

    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, **_CLOSE), gradients(ours), gradients(plain)
    )


@pytest.mark.parametrize("size", [1, 3, 5, 7])
@pytest.mark.parametrize("shape", [(2, 6, 8, 3), (1, 5, 2, 1), (2, 4, 7, 3), (1, 4, 6, 16)])
def test_narrow_convolution_equals_the_plain_one(size, shape):
    plain = nn.Conv(4, (size, size), kernel_init=nn.initializers.glorot_uniform())
    _assert_equal_modules(NarrowConv(4, size), plain, _draw(*shape))


@pytest.mark.parametrize(("size", "stride"), [(8, 4), (4, 2), (3, 1)])
@pytest.mark.parametrize("length", [8, 15, 16, 56])
def test_strided_convolution_equals_the_plain_one(size, stride, length):
    plain = nn.Conv(
        5,
        (size, size),
        (stride, stride),
        padding="VALID",
        kernel_init=nn.initializers.glorot_uniform(),
    )
    _assert_equal_modules(StridedConv(5, size, stride), plain, _draw(2, length, 17, 3))


@pytest.mark.parametrize(
    ("ours", "padding"), [(NarrowConv(5, 3), "SAME"), (StridedConv(5, 3, 1), "VALID")]
)
def test_forward_derivatives_equal_those_of_the_plain_convolution(ours, padding):
    plain = nn.Conv(5, (3, 3), padding=padding, kernel_init=nn.initializers.glorot_uniform())
    x = _draw(2, 6, 8, 3)
    params = plain.init(jax.random.key(0), x)
    directions = jax.tree.map(lambda leaf: leaf + 0.1, (params, x))
    _, expected = jax.jvp(plain.apply, (params, x), directions)
    _, derivative = jax.jvp(ours.apply, (params, x), directions)
    np.testing.assert_allclose(derivative, expected, **_CLOSE)
