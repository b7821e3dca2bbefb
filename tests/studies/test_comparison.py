"""Features found in several ways, scored on the same frames: resumable variant by variant."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from coin_seer import AGENT_CONFIG, COLOURS, POLICY, SEEN

from rlvision_jax.studies import Cells, InterpretabilityConfig
from rlvision_jax.studies.comparison import (
    ComparisonResult,
    Variants,
    compare_interpretability,
    draw_comparison,
)

AGENT = POLICY, COLOURS, AGENT_CONFIG
# As in test_interpretability.py, which has compiled it then.
CONFIG = InterpretabilityConfig(num_frames=128, frame_interval=13, num_envs=64, resamples=50)
VARIANTS = Variants(layers="all", numbers="2, 3,4", bases="attribution,activation")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The comparison, and the folder of its cells."""
    folder = tmp_path_factory.mktemp("cells")
    result = compare_interpretability(*AGENT, CONFIG, variants=VARIANTS, cells=Cells(folder))
    return result, folder


def test_every_variant_has_a_row(compared):
    result, folder = compared
    rows = result.table.rows
    # The layer has three channels: four features are left out.
    assert [(row["basis"], row["num_features"]) for row in rows] == [
        ("attribution", 2),
        ("attribution", 3),
        ("activation", 2),
        ("activation", 3),
    ]
    assert sorted(path.stem for path in folder.iterdir()) == [
        "seen-activation-2",
        "seen-activation-3",
        "seen-attribution-2",
        "seen-attribution-3",
        "seen-untrained",
    ]
    # One channel for each kind of object: three features find all three, two cannot.
    for row in rows:
        classes = row["classes"].split(", ")
        assert len(classes) == row["num_features"]
        assert set(classes) <= set(SEEN)
        assert row["score"] > 0.9
        assert row["untrained"] < 0.5
    features = result.feature_table.rows
    assert len(features) == 2 + 3 + 2 + 3
    scores = [row["score"] for row in features if row["basis"] == "attribution"]
    assert rows[1]["score"] == pytest.approx(np.mean(scores[2:]), abs=1e-4)  # four digits
    shares = [row["share"] for row in features if row["basis"] == "attribution"][2:]
    assert rows[1]["weighted"] == pytest.approx(np.dot(scores[2:], shares), abs=1e-3)


def test_only_what_is_missing_is_computed(compared):
    result, folder = compared
    stages = []

    def again():
        stages.clear()
        return compare_interpretability(
            *AGENT,
            CONFIG,
            variants=VARIANTS,
            cells=Cells(folder),
            notify=lambda stage, done, total: stages.append(stage),
        )

    assert again() == result
    assert set(stages) == {"comparing"}
    (folder / "seen-activation-2.json").unlink()
    assert again() == result
    assert stages.count("finding features") == 2  # begun and done, of one variant


def test_figure_shows_variants_and_features(compared):
    svg = draw_comparison(compared[0])
    assert b">seen, 3 of activations<" in svg
    assert b">untrained layer<" in svg


def test_without_lists_there_is_the_studys_own_variant():
    assert not Variants()
    config = dataclasses.replace(CONFIG, num_features=2)
    found = Variants(bases="activation").of(POLICY, COLOURS, config)
    assert list(found) == ["seen-activation-2"]
    assert not found["seen-activation-2"].planted
    assert ComparisonResult({}, {}).table.rows == ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"numbers": "4;8"}, 'numbers must be integers, such as "4,8,16"; got "4;8"'),
        ({"numbers": "0"}, "numbers must be an integer of at least 1; got 0"),
        ({"bases": "pixels"}, 'unknown basis "pixels"'),
        ({"layers": "2b"}, 'unknown layer "2b"'),
        ({"numbers": "4,8"}, "no layer of seen has 4 channels or more"),
    ],
)
def test_wrong_lists_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        Variants(**wrong).of(POLICY, COLOURS, CONFIG)
