import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from rlvision_jax.models.convolution import SameConv, StridedConv, same_convolution
from rlvision_jax.models.winograd import winograd_convolution

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
    _assert_equal_modules(SameConv(4, size), plain, _draw(*shape))


@pytest.mark.parametrize("shape", [(2, 8, 8, 16), (1, 10, 3, 20), (2, 17, 6, 32)])
def test_wide_convolution_equals_the_plain_one(shape):
    plain = nn.Conv(24, (5, 5), kernel_init=nn.initializers.glorot_uniform())
    _assert_equal_modules(SameConv(24, 5), plain, 0.1 * _draw(*shape))


@pytest.mark.parametrize("size", [3, 5])
def test_winograds_rounding_is_of_the_order_of_a_plain_sums(size):
    x, kernel = _draw(2, 16, 16, 32), _draw(size, size, 32, 32)

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    with jax.enable_x64(True):
        exact = np.asarray(plain(jnp.asarray(x, float), jnp.asarray(kernel, float)))
    # About 3.5e-7 for the plain sum of 800 products, 8.7e-7 here.
    error = np.linalg.norm(winograd_convolution(x, kernel) - exact) / np.linalg.norm(exact)
    assert 0 < error < 2e-6


def test_convolutions_of_several_networks_equal_those_of_each():
    kernels, x = 0.1 * _draw(2, 5, 5, 16, 24), _draw(2, 1, 8, 8, 16)
    together = jax.vmap(same_convolution)(x, kernels)
    for index in range(2):
        one = same_convolution(x[index], kernels[index])
        np.testing.assert_allclose(together[index], one, **_CLOSE)


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
    ("ours", "padding"),
    [(SameConv(5, 3), "SAME"), (SameConv(20, 5), "SAME"), (StridedConv(5, 3, 1), "VALID")],
)
def test_forward_derivatives_equal_those_of_the_plain_convolution(ours, padding):
    size = (ours.size, ours.size)
    initializer = nn.initializers.glorot_uniform()
    plain = nn.Conv(ours.features, size, padding=padding, kernel_init=initializer)
    x = _draw(2, 8, 8, 3)
    params = plain.init(jax.random.key(0), x)
    directions = jax.tree.map(lambda leaf: leaf + 0.1, (params, x))
    _, expected = jax.jvp(plain.apply, (params, x), directions)
    _, derivative = jax.jvp(ours.apply, (params, x), directions)
    np.testing.assert_allclose(derivative, expected, **_CLOSE)
