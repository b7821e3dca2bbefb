import pytest

from rlvision_jax.training import wilson_interval


@pytest.mark.parametrize(
    ("count", "total", "expected"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (1, 29, (0.0061, 0.1718))],
)
def test_intervals_against_published_ones(count, total, expected):
    """Newcombe 1998, Statistics in Medicine 17, table I, method 3: four digits."""
    assert wilson_interval(count, total) == pytest.approx(expected, abs=5e-5)


@pytest.mark.parametrize(("count", "total"), [(1, 3), (9_950, 10_000), (0, 7), (7, 7)])
def test_bounds_are_the_shares_that_the_count_is_just_compatible_with(count, total):
    """Wilson's definition: the bounds solve (count / total - p)^2 = z^2 p (1 - p) / total."""
    for bound in wilson_interval(count, total):
        distance = (count / total - bound) ** 2
        # rounding of float64, relative to terms below 1
        assert distance == pytest.approx(1.959964**2 * bound * (1 - bound) / total, abs=1e-8)


@pytest.mark.parametrize(
    ("count", "total", "message"),
    [(0, 0, "total must be"), (-1, 5, "count must be"), (6, 5, "at most total, 5; got 6")],
)
def test_impossible_counts_are_refused(count, total, message):
    with pytest.raises(ValueError, match=message):
        wilson_interval(count, total)
