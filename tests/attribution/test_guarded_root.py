"""What is known of a guarded root at three places, everywhere between them."""

import numpy as np
import pytest

from rlvision_jax.attribution.guarded_root import slope_weights, value_weights

NODES = np.arange(1, 21) / 20
PLACES = np.asarray([0.05, 0.25, 1.0])


def _root(places, strength):
    return np.sqrt(places**2 * strength + 1)


@pytest.mark.parametrize("places", [PLACES, np.asarray([0.1, 1.0]), NODES])
def test_straight_lines_stay_exact(places):
    weights = value_weights(NODES, places)

    np.testing.assert_allclose(weights @ (3 + 5 * places), 3 + 5 * NODES, rtol=0, atol=1e-10)
    np.testing.assert_allclose(slope_weights(NODES, places).sum(1), 1, rtol=0, atol=1e-10)


def test_places_count_themselves_only():
    np.testing.assert_array_equal(np.abs(value_weights(PLACES, PLACES)), np.eye(3))
    np.testing.assert_array_equal(np.abs(value_weights(np.ones(1), np.ones(1))), [[1]])


@pytest.mark.parametrize("strength", [0.0, 1e-3, 1.0, 1e3, 1e12])
def test_root_is_within_a_twentieth_of_the_guard(strength):
    between = value_weights(NODES, PLACES) @ _root(PLACES, strength)

    # The bend itself is 1 high; chords between the places miss it by up to 0.12.
    np.testing.assert_allclose(between, _root(NODES, strength), rtol=1e-9, atol=0.05)


def test_root_is_nearer_than_on_chords():
    weights = value_weights(NODES, PLACES)
    strengths = np.logspace(0, 3, 30)
    chords = [np.interp(NODES, PLACES, _root(PLACES, u)) - _root(NODES, u) for u in strengths]
    ours = [weights @ _root(PLACES, u) - _root(NODES, u) for u in strengths]

    assert np.linalg.norm(ours) < 0.6 * np.linalg.norm(chords)
