import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from rlvision_jax.models.layers import ResidualBlock, l2_pool, max_pool


def plain_l2_pool(x):
    *batch, height, width, channel = x.shape
    squares = (x**2).reshape(*batch, height // 2, 2, width // 2, 2, channel)
    return jnp.sqrt(squares.mean((-4, -2)) + 1e-8)


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), jnp.float32)


def test_l2_pool_of_hand_worked_windows():
    x = jnp.asarray([[3.0, 3.0, 0.0, 0.0], [3.0, 3.0, 0.0, 8.0]])[..., None]
    # Windows of mean squares 9 and 16.
    np.testing.assert_allclose(l2_pool(x)[0, :, 0], [3.0, 4.0], rtol=1e-6)


def test_l2_pool_of_zeros_is_finite_with_zero_gradient():
    x = jnp.zeros((4, 4, 1))
    np.testing.assert_allclose(l2_pool(x), 1e-4, rtol=1e-6)
    assert (jax.grad(lambda x: l2_pool(x).sum())(x) == 0).all()


def test_l2_pool_differentiates_as_the_plain_formula():
    x, tangent, cotangent = draw(2, 8, 6, 3), draw(2, 8, 6, 3, seed=1), draw(2, 4, 3, 3, seed=2)
    # The same few float32 operations in another order: a handful of roundings.
    close = {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(l2_pool(x), plain_l2_pool(x), **close)
    for ours, plain in zip(
        jax.jvp(l2_pool, (x,), (tangent,)), jax.jvp(plain_l2_pool, (x,), (tangent,)), strict=True
    ):
        np.testing.assert_allclose(ours, plain, **close)
    ours, plain = (jax.vjp(pool, x)[1](cotangent)[0] for pool in (l2_pool, plain_l2_pool))
    np.testing.assert_allclose(ours, plain, **close)


def test_l2_pool_has_second_derivatives():
    x = draw(4, 4, 1)
    ours, plain = (
        jax.hessian(lambda x, pool=pool: pool(x).sum())(x) for pool in (l2_pool, plain_l2_pool)
    )
    # Second derivatives divide by the cube of a pooled value, which magnifies rounding.
    np.testing.assert_allclose(ours, plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 15, 64])
def test_max_pool_equals_flax(size):
    x = draw(2, size, size + 1, 3)
    expected = nn.max_pool(x, (3, 3), (2, 2), "SAME")
    np.testing.assert_array_equal(max_pool(x), expected)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 15, 64])
def test_centred_max_pool_equals_flax_with_torch_padding(size):
    x = draw(2, size, size + 1, 3)
    expected = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
    np.testing.assert_array_equal(max_pool(x, centred=True), expected)


@pytest.mark.parametrize("centred", [False, True])
def test_max_pool_keeps_windows_of_negative_numbers(centred):
    x = -1 - jnp.abs(draw(5, 6, 2))
    assert (max_pool(x, centred=centred) < -1).all()


@pytest.mark.parametrize(("size", "centred"), [(4, False), (7, False), (6, True)])
def test_max_pool_has_the_gradient_of_flax_where_nothing_ties(size, centred):
    x, out = draw(2, size, size, 3), -(-size // 2)
    weight = draw(2, out, out, 3, seed=1)
    padding = ((1, 1), (1, 1)) if centred else "SAME"
    ours = jax.grad(lambda x: jnp.sum(weight * max_pool(x, centred=centred)))(x)
    flax = jax.grad(lambda x: jnp.sum(weight * nn.max_pool(x, (3, 3), (2, 2), padding)))(x)
    # Entries that win several windows add up the same numbers in another order.
    np.testing.assert_allclose(ours, flax, rtol=1e-6, atol=1e-6)


def test_max_pool_splits_a_gradient_among_ties():
    gradient = jax.grad(lambda x: max_pool(x).sum())(jnp.ones((2, 2, 1)))
    np.testing.assert_allclose(gradient.sum(), 1.0)
    assert (gradient >= 0).all()


def test_residual_block_with_silent_kernels_is_the_identity():
    block, x = ResidualBlock(3), draw(1, 4, 4, 3)
    silent = jax.tree.map(jnp.zeros_like, block.init(jax.random.key(0), x))
    np.testing.assert_array_equal(block.apply(silent, x), x)
