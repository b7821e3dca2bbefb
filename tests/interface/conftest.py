import dataclasses

import numpy as np
import pytest

from rlvision_jax.interface import (
    Attribution,
    Feature,
    Layer,
    Report,
    Score,
    Trajectory,
    advantage_bookmarks,
)

NUM_STEPS = 24
ACTION_NAMES = ("LEFT", "", "RIGHT", "RIGHT+UP")


def make_feature(rng, name, num_channels=6):
    return Feature(
        name=name,
        direction=rng.random(num_channels, np.float32),
        thumbnails=rng.integers(0, 256, (3, 8, 10, 3), np.uint8),
        strengths=np.array([3, 2, 1], np.float32),
    )


def make_attribution(rng, layer, score, size, num_features):
    """Sparse maps, strong in some frames and silent in one, so that quantization has work."""
    shape = (NUM_STEPS, size, size, num_features)
    maps = (
        rng.normal(size=shape)
        * (rng.random(shape) < 0.1)
        * rng.gamma(1.0, size=(NUM_STEPS, 1, 1, 1))
    )
    residual = rng.normal(size=shape[:3]) * 0.1
    maps[5], residual[5] = 0, 0
    return Attribution(
        layer=layer,
        score=score,
        maps=maps.astype(np.float32),
        residual=residual.astype(np.float32),
    )


def make_trajectory(rng, label):
    """Three episodes: completed at step 8, failed at step 15, cut off by the end."""
    terminated = np.zeros(NUM_STEPS, bool)
    terminated[[7, 14]] = True
    level_complete = np.zeros(NUM_STEPS, bool)
    level_complete[7] = True
    return Trajectory(
        label=label,
        observations=rng.integers(0, 256, (NUM_STEPS, 64, 64, 3), np.uint8),
        actions=rng.integers(0, len(ACTION_NAMES), NUM_STEPS, np.int32),
        rewards=(10 * level_complete).astype(np.float32),
        terminated=terminated,
        truncated=np.zeros(NUM_STEPS, bool),
        level_complete=level_complete,
        level_seeds=np.repeat(np.array([101, 202, 303], np.int32), [8, 7, 9]),
        values=rng.normal(5, 1, NUM_STEPS).astype(np.float32),
        advantages=rng.normal(size=NUM_STEPS).astype(np.float32),
        policy_logits=rng.normal(size=(NUM_STEPS, len(ACTION_NAMES))).astype(np.float32),
        attributions=(
            make_attribution(rng, "2b", "value", 32, 3),
            make_attribution(rng, "2b", "RIGHT logits", 32, 3),
            make_attribution(rng, "3a", "value", 16, 2),
        ),
    )


@pytest.fixture(scope="session")
def report():
    """Two trajectories, two layers, two scores, of random numbers."""
    rng = np.random.default_rng(0)
    trajectories = (make_trajectory(rng, ""), make_trajectory(rng, "unseen levels"))
    return Report(
        title="A test report",
        action_names=ACTION_NAMES,
        layers=(
            Layer(name="2b", features=tuple(make_feature(rng, n) for n in ("coin", "saw", "wall"))),
            Layer(name="3a", features=tuple(make_feature(rng, n) for n in ("sky", "ground"))),
        ),
        scores=(Score(name="value"), Score(name="RIGHT logits", actions=(2, 3))),
        trajectories=trajectories,
        bookmarks=advantage_bookmarks(trajectories, num_per_kind=2),
        provenance={"code": "rlvision_jax", "environment_options": {"num_levels": 0}},
    )


@pytest.fixture
def replaced(report):
    """Returns the report with some fields of its first trajectory replaced."""

    def replace(**changes):
        first = dataclasses.replace(report.trajectories[0], **changes)
        return dataclasses.replace(report, trajectories=(first, *report.trajectories[1:]))

    return replace
