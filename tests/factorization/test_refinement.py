"""Fits that start with a subset of the samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.decomposition

from rlvision_jax.factorization import fit_nmf, fit_restarts, fit_signed
from rlvision_jax.factorization.blocks import spread_indices, sum_over_rows

SUBSET = {"subset_samples": 256, "max_iterations": 1000}


def draw(num_samples=3000, num_features=2, seed=0):
    """Sums of few features and noise."""
    random = np.random.default_rng(seed)
    w = random.gamma(0.3, size=(num_samples, num_features))
    h = random.gamma(0.5, size=(num_features, 6))
    return (w @ h + 0.1 * random.gamma(0.5, size=(num_samples, 6))).astype(np.float32)


def unit(components):
    """Directions without their scale, which W shares."""
    return np.asarray(components / np.linalg.norm(components, axis=-1, keepdims=True))


@pytest.fixture(scope="module")
def matrix():
    return draw()


def test_a_subset_leads_to_the_factorization_of_all(matrix):
    ours = fit_nmf(matrix, 2, tolerance=1e-5, **SUBSET)
    everything = fit_nmf(matrix, 2, tolerance=1e-5, max_iterations=1000, subset_samples=None)
    part = matrix[spread_indices(len(matrix), 256)]
    subset = fit_nmf(part, 2, tolerance=1e-5, max_iterations=1000)
    distance, before = (
        np.abs(unit(nmf.components) - unit(everything.components)).max() for nmf in (ours, subset)
    )
    # The subset's own directions are off by its sampling noise. The rule leaves each of the two
    # fits within its tolerance, 1e-5 of the first gradient.
    assert distance < 1e-4 < 1e-3 < before
    np.testing.assert_allclose(
        ours.reconstruction_error, everything.reconstruction_error, rtol=1e-5
    )


def test_the_error_reported_is_that_of_the_matrix(matrix):
    nmf = fit_nmf(matrix, 2, tolerance=1e-5, **SUBSET)
    restored = np.asarray(nmf.inverse_transform(nmf.transform(matrix)), float)
    # Rows are solved to 1e-6 of a block, to 1e-5 of each here.
    np.testing.assert_allclose(
        nmf.reconstruction_error, np.linalg.norm(matrix - restored), rtol=1e-5
    )


def test_a_subset_that_misleads_is_overruled(matrix):
    # The rows that the subset consists of have nothing to do with the others.
    matrix = matrix.copy()
    chosen = spread_indices(len(matrix), 256)
    matrix[chosen] = 5 * draw(256, seed=7)[:, ::-1]
    ours = fit_nmf(matrix, 2, tolerance=1e-4, **SUBSET)
    everything = fit_nmf(matrix, 2, tolerance=1e-4, max_iterations=1000, subset_samples=None)
    assert ours.reconstruction_error <= 1.001 * everything.reconstruction_error


def test_a_channel_that_hardly_speaks_does_not_end_the_fit():
    random = np.random.default_rng(0)
    matrix = random.gamma(0.3, size=(3000, 6)) @ random.gamma(0.5, size=(6, 6))
    matrix *= random.uniform(size=matrix.shape) < 0.4
    # The subset never hears it: what its feature begins with is rounding, and its first direction
    # 10^11 times as long as the others.
    matrix[:, 3] = 0
    matrix[np.setdiff1d(np.arange(3000), spread_indices(3000, 256))[:2], 3] = 1e-4
    ours = fit_nmf(matrix.astype(np.float32), 6, subset_samples=256)
    peer = sklearn.decomposition.NMF(6, init="nndsvd").fit(matrix)
    lengths = np.linalg.norm(ours.components, axis=1)
    assert lengths.max() < 2**8 * np.median(lengths)
    # Six features fit exactly in the limit; by the rule both end at some 1e-5 of the norm.
    norm = np.linalg.norm(matrix)
    assert ours.reconstruction_error < peer.reconstruction_err_ + 1e-4 * norm
    assert peer.reconstruction_err_ < 1e-4 * norm


def test_batched_starts_equal_single_fits_and_the_best_is_kept(matrix):
    keys = jax.random.split(jax.random.key(3), 3)
    options = {"tolerance": 1e-4, **SUBSET}
    single = [fit_nmf(matrix, 2, init="random", key=key, **options) for key in keys]
    together = jax.vmap(lambda key: fit_nmf(matrix, 2, init="random", key=key, **options))(keys)
    counts = [int(nmf.num_iterations) for nmf in single]
    # Members of a batch end after different numbers of iterations, each by itself.
    assert len(set(counts)) > 1
    # Batched products may be summed in another order, which can cost or save an iteration.
    np.testing.assert_allclose(together.num_iterations, counts, atol=3)
    for index, nmf in enumerate(single):
        np.testing.assert_allclose(together.components[index], nmf.components, rtol=0.01, atol=1e-3)
    best = fit_restarts(matrix, 2, jax.random.key(3), 3, **options)
    np.testing.assert_allclose(
        best.reconstruction_error, min(together.reconstruction_error), rtol=1e-6
    )
    chosen = int(np.argmin(together.reconstruction_error))
    np.testing.assert_allclose(best.components, together.components[chosen], rtol=1e-5)


def test_signed_rows_are_taken_apart_block_by_block():
    random = np.random.default_rng(0)
    attributions = draw() * random.choice([-1, 1], (3000, 6)).astype(np.float32)
    options = {"tolerance": 1e-5, "max_iterations": 1000}
    ours = fit_signed(attributions, 2, subset_samples=512, **options)
    stacked = np.concatenate([np.maximum(attributions, 0), np.maximum(-attributions, 0)])
    everything = fit_nmf(stacked, 2, subset_samples=None, **options)
    # As in `test_a_subset_leads_to_the_factorization_of_all`.
    np.testing.assert_allclose(unit(ours.components), unit(everything.components), atol=2e-3)
    np.testing.assert_allclose(
        ours.reconstruction_error, everything.reconstruction_error, rtol=1e-5
    )


@pytest.mark.parametrize("num_rows", [1, 63, 64, 65, 200])
def test_sums_count_every_row_once(num_rows):
    matrix = jnp.arange(3.0 * num_rows).reshape(num_rows, 3)
    for block_rows in (min(64, num_rows), None):
        sums = sum_over_rows(lambda x: {"sum": x.sum(0)}, matrix, block_rows)
        # Whole numbers below 2**24: exact.
        np.testing.assert_array_equal(sums["sum"], matrix.sum(0))


def test_chosen_rows_are_spread_evenly_and_in_order():
    chosen = spread_indices(4096, 256)
    np.testing.assert_array_equal(chosen // 16, range(256))
    # Every place within a run (a column of a frame, say) is met about equally often.
    assert np.bincount(chosen % 16).min() >= 14
    halves = [spread_indices(2048, 128, first) for first in (0, 128)]
    np.testing.assert_array_equal(np.concatenate([halves[0], halves[1] + 2048]), chosen)


def test_sums_keep_their_digits_over_millions_of_rows():
    # One running sum in float32 stops at 2**24 times its terms, and errs by 1e-3 long before;
    # sums of block sums stay within a few roundings.
    rows = 2**22
    noise = np.random.default_rng(0).uniform(0.9999, 1.0001, rows // 64).astype(np.float32)
    matrix = np.tile(noise, 64).reshape(-1, 1) * np.float32(1e4)
    total = sum_over_rows(lambda x: jnp.sum(x * x), jnp.asarray(matrix))
    exact = np.sum(matrix.astype(np.float64) ** 2)
    np.testing.assert_allclose(float(total), exact, rtol=5e-6)
