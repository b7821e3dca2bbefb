import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition._nmf import _initialize_nmf

from rlvision_jax.factorization.nmf_init import (
    DoubleSVD,
    nndsvd,
    part_squares,
    random_factors,
    right_vectors,
)
from rlvision_jax.factorization.solver import start_factors


def start(matrix, num_features, init="nndsvd", key=None):
    rows = jnp.asarray(matrix)
    right = right_vectors(rows.T @ rows, num_features)
    svd = DoubleSVD(right, part_squares(right, rows))
    factors = start_factors(rows, svd, rows.mean(), jnp.int32(0), key, init=init)
    return [np.asarray(factor) for factor in factors]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).gamma(0.5, size=shape).astype(np.float32)


@pytest.mark.parametrize("init", ["nndsvd", "nndsvda"])
@pytest.mark.parametrize("num_features", [1, 5])
def test_equals_scikit_learn(init, num_features):
    matrix = draw(300, 12)
    w, h = start(matrix, num_features, init)
    expected_w, expected_h = _initialize_nmf(
        matrix.astype(np.float64), num_features, init=init, random_state=0
    )
    # Singular vectors from a float32 Gram matrix: their error is that of float32 times the
    # condition, about 10 here.
    np.testing.assert_allclose(w, expected_w, atol=1e-4 * expected_w.max())
    np.testing.assert_allclose(h, expected_h, atol=1e-4 * expected_h.max())


def test_w_of_some_rows_is_that_of_all():
    matrix = jnp.asarray(draw(300, 12))
    right = right_vectors(matrix.T @ matrix, 4)
    svd = DoubleSVD(right, part_squares(right, matrix))
    whole, some = nndsvd(svd, matrix)[0], nndsvd(svd, matrix[50:90])[0]
    # What is dropped as small is measured by the largest of the rows: 1e-6 of it.
    np.testing.assert_allclose(some, whole[50:90], atol=1e-5 * float(whole.max()))


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


def test_random_factors_are_of_the_size_of_the_matrix():
    matrix = draw(4000, 12)
    w, h = start(matrix, 4, "random", jax.random.key(0))
    assert (w >= 0).all()
    assert (h >= 0).all()
    # scikit-learn's: |normal| times sqrt(mean / features), whose mean square is mean / features.
    # 16,000 draws: their mean square varies by 1%.
    np.testing.assert_allclose((w**2).mean(), matrix.mean() / 4, rtol=0.05)
    again, _ = random_factors(jax.random.key(0), (4000, 4, 12), jnp.asarray(matrix.mean()))
    np.testing.assert_array_equal(w, again)
    other, _ = start(matrix, 4, "random", jax.random.key(1))
    assert (other != w).mean() > 0.99
