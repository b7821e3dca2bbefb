import tracemalloc

import jax
import numpy as np
import pytest

from rlvision_jax.factorization import fit_nmf, fit_nmf_stream, fit_signed, stream

OPTIONS = {"tolerance": 1e-5, "max_iterations": 1000, "subset_samples": 256}


def draw(num_samples, seed=0):
    random = np.random.default_rng(seed)
    w, h = random.gamma(0.3, size=(num_samples, 2)), random.gamma(0.5, size=(2, 6))
    return (w @ h + 0.1 * random.gamma(0.5, size=(num_samples, 6))).astype(np.float32)


def cut(matrix, seed=1):
    """Blocks of all sizes."""
    places = np.sort(np.random.default_rng(seed).choice(range(1, len(matrix)), 9, replace=False))
    return np.split(matrix, places)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(stream, "_CHUNK_ROWS", 1024)


@pytest.mark.parametrize("signed", [False, True])
def test_equals_the_fit_in_memory(signed):
    matrix = draw(3000)
    if signed:
        matrix *= np.random.default_rng(2).choice([-1, 1], (3000, 6)).astype(np.float32)
    fit = fit_signed if signed else fit_nmf
    inside = fit(matrix, 2, **OPTIONS)
    outside = fit_nmf_stream(lambda: iter(cut(matrix)), 2, signed=signed, **OPTIONS)
    # The same steps, sums in another grouping: rounding grows over the iterations.
    assert abs(int(inside.num_iterations) - int(outside.num_iterations)) <= 3
    np.testing.assert_allclose(outside.components, inside.components, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(outside.reconstruction_error, inside.reconstruction_error, rtol=1e-5)


def test_few_rows_are_fitted_in_memory():
    matrix = draw(200)
    outside = fit_nmf_stream(cut(matrix), 2, **OPTIONS)
    np.testing.assert_array_equal(outside.components, fit_nmf(matrix, 2, **OPTIONS).components)


def test_memory_does_not_grow_with_the_rows():
    matrix = draw(3000)

    def peak(repetitions):
        most = 0

        def blocks():
            nonlocal most
            for _ in range(repetitions):
                for start in range(0, 3000, 500):
                    yield matrix[start : start + 500]
                    most = max(most, sum(x.nbytes for x in jax.live_arrays()))

        tracemalloc.start()
        fit_nmf_stream(blocks, 2, **OPTIONS)
        host = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, host

    peak(2)  # Compiles.
    (few, few_host), (many, many_host) = peak(2), peak(40)
    # 40 repetitions are 2.7 MB more. Beside chunks of 24 KB, what grows is the indices of
    # the subset, not at all, and Python's own bookkeeping.
    assert many <= few + 100_000
    assert many_host <= few_host + 400_000


def test_bad_blocks_are_named():
    good = draw(20)

    def fit(*blocks, **options):
        return fit_nmf_stream(list(blocks), 2, **options)

    bad = good.copy()
    bad[3, 4] = np.nan
    with pytest.raises(
        ValueError, match=r"block 1 must be finite and at least 0; got .* nan to nan"
    ):
        fit(good, bad)
    with pytest.raises(ValueError, match="block 1 must be finite; got entries from nan"):
        fit(good, bad, signed=True)
    with pytest.raises(
        ValueError, match="block 2 must be finite and at least 0; got entries from -"
    ):
        fit(good, good, -good)
    with pytest.raises(ValueError, match=r"block 1 must be \[sample, 6\] .*; got \[20, 5\]"):
        fit(good, good[:, :5])
    with pytest.raises(ValueError, match=r"block 1 must be .* at least one sample; got \[0, 6\]"):
        fit(good, good[:0])
    with pytest.raises(ValueError, match="blocks must give at least one block; got none"):
        fit()
    with pytest.raises(ValueError, match="blocks must not all be zero"):
        fit(0 * good, signed=True)
    with pytest.raises(ValueError, match="at most the number of channels, 6; got 7"):
        fit_nmf_stream([good], 7)


def test_blocks_that_cannot_be_read_again_are_errors():
    with pytest.raises(ValueError, match="blocks can be read only once"):
        fit_nmf_stream(iter([draw(20)]), 2)
    lengths = iter([400, 300])
    with pytest.raises(ValueError, match="same rows in every pass; got 400 rows, then 300"):
        fit_nmf_stream(lambda: [draw(next(lengths))], 2, **OPTIONS)
