import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition._nmf import _initialize_nmf

from rlvision_jax.factorization.blocks import split_rows
from rlvision_jax.factorization.nmf_init import nndsvd


def start(matrix, num_features, block_rows=None):
    w, h = nndsvd(split_rows(jnp.asarray(matrix), block_rows), num_features)
    rows = jnp.swapaxes(w, 1, 2).reshape(-1, num_features)[: len(matrix)]
    return np.asarray(rows), np.asarray(h)


def draw(*shape, seed=0):
    return np.random.default_rng(seed).gamma(0.5, size=shape).astype(np.float32)


@pytest.mark.parametrize("num_features", [1, 2, 5])
def test_equals_scikit_learn(num_features):
    matrix = draw(300, 12)
    w, h = start(matrix, num_features)
    expected_w, expected_h = _initialize_nmf(
        matrix.astype(np.float64), num_features, init="nndsvd", random_state=0
    )
    # Singular vectors from a float32 Gram matrix: their error is that of float32 times the
    # condition, about 10 here.
    np.testing.assert_allclose(w, expected_w, atol=1e-4 * expected_w.max())
    np.testing.assert_allclose(h, expected_h, atol=1e-4 * expected_h.max())


def test_blocks_do_not_matter():
    matrix = draw(1000, 8)
    for ours, whole in zip(start(matrix, 3, block_rows=64), start(matrix, 3), strict=True):
        # Sums of squares over other groups of rows.
        np.testing.assert_allclose(ours, whole, atol=1e-4 * whole.max())


def test_rank_one_is_found_at_once():
    left, right = draw(50, seed=1), draw(6, seed=2)
    w, h = start(np.outer(left, right), 1)
    np.testing.assert_allclose(w @ h, np.outer(left, right), rtol=1e-4, atol=1e-6)


def test_more_features_than_rank_start_at_zero_or_finite():
    left, right = draw(50, seed=1), draw(6, seed=2)
    for factor in start(np.outer(left, right), 4):
        assert np.isfinite(factor).all()
        assert (factor >= 0).all()


def test_zeros_give_zeros():
    for factor in start(np.zeros((5, 4), np.float32), 2):
        np.testing.assert_array_equal(factor, 0)
