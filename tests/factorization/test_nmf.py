import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.decomposition

from rlvision_jax.factorization import NMF, fit_nmf, fit_restarts
from rlvision_jax.factorization.blocks import split_rows


def draw(*shape, seed=0):
    return np.random.default_rng(seed).gamma(0.5, size=shape).astype(np.float32)


def planted(num_samples, num_features, num_channels, seed=0):
    """A matrix with an exact factorization that is unique up to scale and order.

    Each feature has a channel and some samples to itself.
    """
    random = np.random.default_rng(seed)
    h = random.uniform(0.2, 1, (num_features, num_channels))
    h[:, :num_features] = np.eye(num_features)
    w = random.uniform(0, 1, (num_samples, num_features)) * (
        random.uniform(size=(num_samples, num_features)) < 0.4
    )
    return (w @ h).astype(np.float32), h


def error(matrix, nmf):
    return np.linalg.norm(matrix - np.asarray(nmf.inverse_transform(nmf.transform(matrix))))


@pytest.mark.parametrize(("num_samples", "num_features"), [(400, 1), (400, 3), (5000, 6), (20, 8)])
def test_equals_scikit_learn(num_samples, num_features):
    matrix = draw(num_samples, 16)
    ours = fit_nmf(matrix, num_features, max_iterations=1000)
    peer = sklearn.decomposition.NMF(
        num_features, init="nndsvd", solver="cd", tol=1e-4, max_iter=1000
    ).fit(matrix.astype(np.float64))
    # The same start, updates and stopping rule, in float32 rather than float64: rounding grows a
    # little with the iterations, and may end them a few apart. (One feature starts at the optimum,
    # so nothing but rounding is left to iterate on.)
    assert abs(int(ours.num_iterations) - peer.n_iter_) <= 0.05 * peer.n_iter_ + 3
    np.testing.assert_allclose(ours.reconstruction_error, peer.reconstruction_err_, rtol=1e-4)
    scale = peer.components_.max()
    np.testing.assert_allclose(ours.components, peer.components_, atol=0.02 * scale)


def test_reported_error_is_that_of_the_factors():
    matrix = draw(500, 12)
    nmf = fit_nmf(matrix, 4, max_iterations=1000, tolerance=1e-6)
    # `transform` solves for W anew, which at convergence is the W of the fit.
    np.testing.assert_allclose(nmf.reconstruction_error, error(matrix, nmf), rtol=1e-4)


def test_a_planted_factorization_is_recovered():
    matrix, planted_h = planted(600, 4, 12)
    nmf = fit_nmf(matrix, 4, max_iterations=2000, tolerance=1e-6)
    assert nmf.reconstruction_error < 2e-3 * np.linalg.norm(matrix)
    ours, target = (h / np.linalg.norm(h, axis=1)[:, None] for h in (nmf.components, planted_h))
    cosines = ours @ target.T
    # An exact fit is reached only in the limit; a cosine of 0.999 is 2.6 degrees.
    np.testing.assert_array_equal(np.sort(cosines.argmax(1)), range(4))
    assert (cosines.max(1) > 0.999).all()


def test_error_never_rises_with_iterations():
    matrix = draw(300, 10)
    errors = [
        float(fit_nmf(matrix, 4, max_iterations=count, tolerance=0.0).reconstruction_error)
        for count in (1, 2, 3, 5, 10, 30, 100)
    ]
    # Float32 rounding of a norm near 20.
    assert all(later <= earlier + 1e-5 for earlier, later in itertools.pairwise(errors))
    assert errors[-1] < errors[0]


def test_iterations_and_tolerance_bound_the_work():
    matrix = draw(300, 10)
    counts = [
        int(fit_nmf(matrix, 4, max_iterations=limit, tolerance=tolerance).num_iterations)
        for limit, tolerance in ((3, 0.0), (50, 0.0), (500, 1e-2), (500, 1e-3))
    ]
    assert counts[:2] == [3, 50]
    assert 1 < counts[2] < counts[3] < 500


def test_factors_are_not_negative_and_more_features_fit_better():
    matrix = draw(300, 10)
    fits = [fit_nmf(matrix, count) for count in (1, 3, 10)]
    assert all((nmf.components >= 0).all() for nmf in fits)
    errors = [float(nmf.reconstruction_error) for nmf in fits]
    assert errors[0] > errors[1] > errors[2]


def test_vmap_over_matrices_equals_one_fit_each():
    matrices = np.stack([draw(200, 8, seed=1), planted(200, 3, 8)[0], draw(200, 8, seed=2) * 50])
    together = jax.vmap(lambda matrix: fit_nmf(matrix, 3))(matrices)
    assert together.components.shape == (3, 3, 8)
    for index, matrix in enumerate(matrices):
        alone = fit_nmf(matrix, 3)
        assert together.num_iterations[index] == alone.num_iterations
        # Batched products may be summed in another order.
        np.testing.assert_allclose(
            together.components[index], alone.components, rtol=1e-3, atol=1e-5
        )
    activations = jax.vmap(NMF.transform)(together, matrices)
    np.testing.assert_allclose(
        activations[1],
        jax.tree.map(lambda leaf: leaf[1], together).transform(matrices[1]),
        atol=1e-5,
    )


def test_works_under_jit():
    matrix = draw(200, 8)
    jitted = jax.jit(fit_nmf, static_argnums=1)(matrix, 3)
    np.testing.assert_allclose(
        jitted.components, fit_nmf(matrix, 3).components, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("exponent", [-48, -6, 20])
def test_scale_changes_nothing_but_the_scale(exponent):
    matrix = draw(200, 8)
    plain, scaled = (fit_nmf(np.ldexp(matrix, shift), 3) for shift in (0, 2 * exponent))
    # A power of 4, shared between W and H: not a bit is rounded.
    np.testing.assert_array_equal(scaled.components, np.ldexp(plain.components, exponent))
    assert scaled.reconstruction_error == np.ldexp(plain.reconstruction_error, 2 * exponent)


def test_silent_samples_and_channels_change_nothing():
    matrix = draw(200, 8)
    padded = np.pad(matrix, ((30, 70), (2, 1)))
    plain, other = fit_nmf(matrix, 3), fit_nmf(padded, 3)
    np.testing.assert_array_equal(other.components[:, [0, 1, -1]], 0)
    # Sums in another grouping.
    np.testing.assert_allclose(other.components[:, 2:-1], plain.components, rtol=1e-3, atol=1e-4)


def test_a_silent_matrix_has_silent_features():
    nmf = fit_nmf(np.zeros((5, 4), np.float32), 2)
    np.testing.assert_array_equal(nmf.components, 0)
    assert nmf.reconstruction_error == 0
    np.testing.assert_array_equal(nmf.transform(np.ones((2, 4), np.float32)), 0)


@pytest.mark.parametrize("num_samples", [1, 63, 64, 65, 200])
def test_rows_are_split_and_filled_up(num_samples):
    matrix = draw(num_samples, 3)
    blocks = split_rows(jnp.asarray(matrix), 64)
    rows = blocks.reshape(-1, 3)
    assert blocks.shape[1] <= 64
    np.testing.assert_array_equal(rows[:num_samples], matrix)
    np.testing.assert_array_equal(rows[num_samples:], 0)


def test_transform_takes_any_leading_shape():
    nmf = fit_nmf(draw(300, 8), 3)
    x = draw(2, 4, 5, 8, seed=3)
    activations = nmf.transform(x)
    assert activations.shape == (2, 4, 5, 3)
    # XLA may group rows otherwise: rounding.
    np.testing.assert_allclose(activations[1, 2, 3], nmf.transform(x[1, 2, 3]), atol=1e-5)
    restored = nmf.inverse_transform(activations)
    np.testing.assert_allclose(restored, activations @ nmf.components, rtol=1e-5, atol=1e-6)


def test_transform_inverts_what_the_features_span():
    nmf = fit_nmf(draw(300, 8), 3)
    w = draw(10, 3, seed=4)
    np.testing.assert_allclose(nmf.transform(nmf.inverse_transform(w)), w, atol=1e-3 * w.max())


@pytest.mark.parametrize(
    ("matrix", "got"),
    [
        ([[1.0, -0.5]], "-0.5 to 1.0"),
        ([[1.0, np.nan]], "nan"),
        ([[1.0, np.inf]], "1.0 to inf"),
    ],
)
def test_negative_or_infinite_entries_are_errors(matrix, got):
    for kind in (np.asarray, jnp.asarray):
        with pytest.raises(ValueError, match=f"finite and at least 0; got entries from .*{got}"):
            fit_nmf(kind(matrix, np.float32), 1)


def test_shapes_and_numbers_out_of_range_are_errors():
    with pytest.raises(ValueError, match=r"at least one of each; got \[0, 4\]"):
        fit_nmf(np.zeros((0, 4), np.float32), 1)
    with pytest.raises(ValueError, match="at most the number of channels, 4; got 5"):
        fit_nmf(draw(10, 4), 5)
    with pytest.raises(ValueError, match="num_features must be an integer of at least 1; got 0"):
        fit_nmf(draw(10, 4), 0)
    with pytest.raises(ValueError, match="max_iterations must be an integer of at least 1; got 0"):
        fit_nmf(draw(10, 4), 1, max_iterations=0)
    with pytest.raises(ValueError, match='unknown init "magic"; expected one of "nndsvd"'):
        fit_nmf(draw(10, 4), 1, init="magic")
    with pytest.raises(ValueError, match='only then; got init "random" without a key'):
        fit_nmf(draw(10, 4), 1, init="random")
    with pytest.raises(ValueError, match='only then; got init "nndsvd" with a key'):
        fit_nmf(draw(10, 4), 1, key=jax.random.key(0))
    with pytest.raises(ValueError, match="subset_samples must be an integer of at least 1; got 0"):
        fit_nmf(draw(10, 4), 1, subset_samples=0)
    with pytest.raises(ValueError, match="num_restarts must be an integer of at least 1; got 0"):
        fit_restarts(draw(10, 4), 1, jax.random.key(0), 0)
    nmf = fit_nmf(draw(10, 4), 2)
    with pytest.raises(ValueError, match="x must have 4 channels, as the components; got 3"):
        nmf.transform(draw(10, 3))
    with pytest.raises(ValueError, match="w must have 2 features, as the components; got 3"):
        nmf.inverse_transform(draw(10, 3))


def test_iterations_end_at_rounding():
    # The best single feature is where nndsvd starts: the first violation is already rounding, and
    # no tolerance relative to it could be met.
    assert fit_nmf(draw(400, 16), 1, max_iterations=1000).num_iterations < 10
