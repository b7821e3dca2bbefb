import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.attribution import LayerScore, attribute
from rlvision_jax.factorization import fit_signed, project_signed
from rlvision_jax.features import attribution_maps, feature_activations, find_directions, score_maps


@pytest.fixture(scope="module")
def tiny():
    """A small network and frames, for what does not depend on size."""
    policy = models.make("nature", num_actions=3, observation_shape=(36, 36, 1))
    params = policy.init(jax.random.key(0))
    observations = np.random.default_rng(0).integers(0, 256, (9, 36, 36, 1), np.uint8)
    return policy, params, observations


@pytest.fixture(scope="module")
def directions(tiny):
    return find_directions(*tiny, "conv1", num_features=3, num_steps=2)


def test_directions_are_those_of_the_attributions(tiny, directions):
    attributions = attribute(*tiny, "conv1", "value", num_steps=2)
    assert directions.layer == "conv1"
    np.testing.assert_array_equal(directions.nmf.components, fit_signed(attributions, 3).components)


def test_maps_and_residual_add_up_to_the_attribution(tiny, directions):
    maps, residual = attribution_maps(*tiny, directions, (0, 2), num_steps=2)
    attributions = attribute(*tiny, "conv1", (0, 2), num_steps=2)
    assert maps.shape == (9, 8, 8, 3)
    # Float32 sums of at most 32 numbers.
    np.testing.assert_allclose(
        maps.sum(-1) + residual, attributions.sum(-1), atol=1e-5 * np.abs(attributions).max()
    )
    expected, _ = project_signed(directions.nmf, attributions)
    np.testing.assert_allclose(maps, expected, atol=1e-6 * np.abs(expected).max())


def test_feature_activations_are_the_projected_activations(tiny, directions):
    policy, params, observations = tiny
    ours = feature_activations(policy, params, observations, directions)
    activations = policy.activations(params, observations, "conv1")
    assert ours.shape == (9, 8, 8, 3)
    assert (ours >= 0).all()
    # Chunks may be summed in another order.
    np.testing.assert_allclose(ours, directions.nmf.transform(activations), atol=1e-5 * ours.max())


def test_errors_of_the_parts_come_through(tiny):
    with pytest.raises(ValueError, match='unknown layer "2b"'):
        find_directions(*tiny, "2b")
    with pytest.raises(ValueError, match="at most the number of channels, 32; got 33"):
        find_directions(*tiny, "conv1", num_features=33, num_steps=1)


def test_maps_of_several_scores_are_those_of_each(tiny, directions, monkeypatch):
    scores = ("value", (0, 2))
    each = [attribution_maps(*tiny, directions, score, num_steps=2) for score in scores]
    monkeypatch.setattr("rlvision_jax.features.directions._BLOCK", 6)  # blocks of 3 frames
    maps, residuals = score_maps(*tiny, directions, scores, num_steps=2)
    for index, (expected, residual) in enumerate(each):
        # The backward passes of a batch may be summed in another order.
        tolerance = 1e-5 * np.abs(expected).max()
        np.testing.assert_allclose(maps[:, index], expected, atol=tolerance)
        np.testing.assert_allclose(residuals[:, index], residual, atol=tolerance)


def test_scores_at_positions_keep_the_position_of_their_frame(tiny, directions, monkeypatch):
    positions = np.stack([np.arange(9) % 2, np.arange(9) % 3], -1)
    monkeypatch.setattr("rlvision_jax.features.directions._BLOCK", 4)
    shape = tiny[0].layer_shape("conv3")
    positions = np.minimum(positions, np.asarray(shape[:2]) - 1)
    score = LayerScore(layer="conv3", position=positions)
    maps, _ = attribution_maps(*tiny, directions, score, num_steps=2)
    alone = LayerScore(layer="conv3", position=positions[7:8])
    expected, _ = attribution_maps(tiny[0], tiny[1], tiny[2][7:8], directions, alone, num_steps=2)
    np.testing.assert_allclose(maps[7], expected[0], atol=1e-5 * np.abs(maps).max())
