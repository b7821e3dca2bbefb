"""The score ranks features rightly of which it is known how interpretable they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.studies.labelled_frames import sample_labelled_frames
from rlvision_jax.studies.object_classes import class_shares, position_classes
from rlvision_jax.studies.planted import planted_detectors, random_directions
from rlvision_jax.studies.receptive_fields import receptive_fields
from rlvision_jax.studies.scoring import ScoreConfig, score_feature

CONFIG = ScoreConfig(strongest=0.2, resamples=200)


def layer(kernel, pixels):
    return jax.nn.relu(
        jax.lax.conv_general_dilated(
            pixels, kernel, (4, 4), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
    )


def heads(kernel, activation):
    """Acts at random."""
    del kernel
    return jnp.zeros((len(activation), 15)), activation.sum((1, 2, 3))


POLICY = models.from_functions(
    [("conv1", layer)], heads, num_actions=15, observation_shape=(64, 64, 3)
)


@pytest.fixture(scope="module")
def scene():
    """Frames of CoinRun as an untrained agent meets them, and its only layer."""
    params = np.random.default_rng(0).normal(size=(8, 8, 3, 16)).astype(np.float32)
    config = {"env": "procgen:coinrun", "env_options": {"distribution_mode": "easy"}}
    frames = sample_labelled_frames(
        POLICY, params, config, num_frames=256, interval=16, num_envs=64, num_threads=1
    )
    return POLICY, params, frames, receptive_fields(POLICY, params)["conv1"]


@pytest.fixture(scope="module")
def strengths(scene):
    policy, params, frames, field = scene
    detectors = planted_detectors(class_shares(frames.masks, field))
    return detectors | random_directions(policy, params, frames.observations, "conv1")


def score_all(strengths, named, frames):
    return {
        name: score_feature(strength, named, frames.level_seeds, CONFIG)
        for name, strength in strengths.items()
    }


def test_planted_features_are_ranked_rightly(scene, strengths):
    _, _, frames, field = scene
    scores = score_all(strengths, position_classes(frames.masks, field), frames)
    exact = [scores[f"exact {name}"] for name in ("saw", "crate")]
    random = [score.score for name, score in scores.items() if name.startswith("random")]
    for name, score in zip(("saw", "crate"), exact, strict=True):
        assert score.object_class == name
        assert score.score > 0.9
    mixture = scores["mixture"]
    # Well apart: intervals do not meet.
    assert mixture.interval[1] < min(score.interval[0] for score in exact)
    assert mixture.score > 2 * np.mean(random)
    assert mixture.score > max(random)
    assert scores["background"].object_class == "background"
    assert scores["background"].score == 0.0


def test_no_planted_feature_scores_on_other_frames_ground_truth(scene, strengths):
    _, _, frames, field = scene
    # The same labels, each frame's given to another: what is left is where things usually are.
    order = np.random.default_rng(0).permutation(len(frames.masks))
    scores = score_all(strengths, position_classes(frames.masks, field)[order], frames)
    assert max(score.score for score in scores.values()) < 0.15
