"""Intervals of paired differences: against a value worked by hand, and by how often they hold."""

import numpy as np
import pytest

from rlvision_jax.studies.paired import paired_difference


def table(both, only_before, only_after, neither):
    before = [True] * (both + only_before) + [False] * (only_after + neither)
    after = [True] * both + [False] * only_before + [True] * only_after + [False] * neither
    return np.array(before), np.array(after)


def test_a_value_worked_by_hand():
    """With one level of each kind more: 8/23 - 2/23, +- 1.96 sqrt((10/23 - (6/23)^2) / 23)."""
    found = paired_difference(*table(1, 1, 7, 12))
    assert (found.only_before, found.only_after) == (1, 7)
    assert found.difference == pytest.approx(6 / 21)
    # To the digits worked out.
    assert (found.low, found.high) == pytest.approx((0.0134, 0.5084), abs=5e-5)


def test_levels_on_which_both_agree_do_not_widen_it():
    few = paired_difference(*table(0, 5, 20, 975))
    many = paired_difference(*table(500, 5, 20, 475))
    assert few == many


@pytest.mark.parametrize("shares", [(0.0, 0.01), (0.02, 0.02), (0.05, 0.3)])
def test_the_interval_holds_in_95_of_100_draws(shares):
    rng = np.random.default_rng(0)
    held = []
    for _ in range(1000):
        kind = rng.choice(3, 400, p=[*shares, 1 - sum(shares)])
        found = paired_difference(kind == 0, kind == 1)
        held.append(found.low <= shares[1] - shares[0] <= found.high)
    # 0.7% is the standard error of 1,000 draws of 95%; four of them. Too wide is allowed near 0.
    assert np.mean(held) > 0.95 - 4 * 0.007
    if min(shares) > 0:
        assert np.mean(held) < 0.95 + 4 * 0.007


@pytest.mark.usefixtures("as_in_production")
def test_unequal_levels_are_refused():
    with pytest.raises(ValueError, match="equally many, at least 1; got 3 and 2"):
        paired_difference(np.ones(3, bool), np.ones(2, bool))
