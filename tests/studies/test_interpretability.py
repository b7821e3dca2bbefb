"""The whole way on an agent of which it is known what it sees: played, attributed, scored."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from coin_seer import AGENT_CONFIG, COLOURS, POLICY, SEEN

from rlvision_jax.studies import Cells
from rlvision_jax.studies.interpretability import (
    InterpretabilityConfig,
    draw_interpretability,
    study_interpretability,
)

CONFIG = InterpretabilityConfig(
    num_features=3,
    num_frames=128,
    frame_interval=13,
    num_envs=64,
    resamples=100,
    planted=False,
)


def test_features_of_an_agent_that_sees_objects_are_found_and_score_one(tmp_path):
    stages = []
    result = study_interpretability(
        POLICY,
        COLOURS,
        AGENT_CONFIG,
        CONFIG,
        cells=Cells(tmp_path),
        notify=lambda stage, done, total: stages.append(stage),
    )
    *features, mean = result.table.rows
    assert {row["object_class"] for row in features} == set(SEEN)
    for row in features:
        assert row["score"] > 0.9
        # Saws lower the value, the others raise it.
        assert row["raises"] == (0.0 if row["object_class"] == "saw" else 1.0)
    assert mean["feature"] == "mean"
    assert mean["score"] == pytest.approx(np.mean([row["score"] for row in features]), abs=1e-4)
    assert sum(row["share"] for row in features) == pytest.approx(1, abs=2e-4)  # four digits each
    assert stages[0] == "playing"

    stages.clear()
    again = study_interpretability(
        POLICY, COLOURS, AGENT_CONFIG, CONFIG, cells=Cells(tmp_path), notify=stages.append
    )
    assert again.rows == result.rows
    assert not stages
    svg = draw_interpretability(again)
    assert all(name.encode() in svg for name in SEEN)


def test_environments_without_ground_truth_are_refused(tmp_path):
    maze = {"env": "procgen:maze", "env_options": {}}
    with pytest.raises(ValueError, match=r"coinrun only; this agent's environment is procgen:maze"):
        study_interpretability(POLICY, COLOURS, maze, CONFIG, cells=Cells(tmp_path))
    config = InterpretabilityConfig(layer="2b")
    with pytest.raises(ValueError, match='unknown layer "2b"'):
        study_interpretability(POLICY, COLOURS, AGENT_CONFIG, config, cells=Cells(tmp_path))
