"""The study of edits: what is played, what is projected out, and how it is compared."""

import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.editing import project_out, scale_direction
from rlvision_jax.studies import Cells, editing
from rlvision_jax.studies.editing import EditingConfig, study_editing
from rlvision_jax.studies.editing_result import EditingResult, draw_editing
from rlvision_jax.studies.hazards import NamedFeatures
from rlvision_jax.studies.labelled_frames import LabelledFrames
from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.paired import paired_difference

SAW = CLASSES.index("saw")
CONFIG = EditingConfig(
    num_levels=4, layer="conv2", rounds=3, strengthen=(2.0, -1.0), split="train", num_features=4
)
AGENT = {"env": "procgen:coinrun", "env_options": {"num_levels": 5}}


@pytest.fixture(scope="module")
def agent():
    policy = models.make("nature", observation_shape=(36, 36, 3))
    return policy, policy.init(jax.random.key(0))


def named_features(seed):
    """Feature 2 looks at saws, feature 1 at nothing harmful, feature 3 is as strong as 2."""
    excess = np.zeros((4, len(CLASSES)))
    excess[:, SAW] = 0.1, -0.1, 0.3, 0.0
    for hazard in ("enemy", "lava"):
        excess[1, CLASSES.index(hazard)] = -0.1
    directions = np.random.default_rng(seed).uniform(size=(4, 64)).astype(np.float32)
    return NamedFeatures(directions, excess, np.array([1.0, 3.0, 1.0, 1.1]))


@pytest.fixture
def studied(agent, make_levels, monkeypatch, tmp_path):
    """What was played, with features that are known beforehand, and the outcome."""
    played, searched = {}, []

    def find(policy, params, frames, layer, *, num_features):
        searched.append((params, layer, num_features))
        return named_features(len(searched))

    def play(policy, params, agent_config, config, *, name, **options):
        played[name] = (params, agent_config)
        return make_levels(["completed", "saw", "lava", "completed"])

    nothing = LabelledFrames(
        np.zeros((0, 36, 36, 3), np.uint8),
        np.zeros((0, 36, 36, len(CLASSES)), bool),
        np.zeros(0, int),
    )
    monkeypatch.setattr(editing, "sample_labelled_frames", lambda *args, **options: nothing)
    monkeypatch.setattr(editing, "find_named_features", find)
    monkeypatch.setattr(editing, "play_in_cells", play)
    cells = Cells(tmp_path)
    result = study_editing(*agent, AGENT, CONFIG, cells=cells)
    again = study_editing(*agent, AGENT, CONFIG, cells=cells)
    assert len(searched) == 3  # features are found once
    assert again.feature_table == result.feature_table
    return played, searched, result


def kernel(params):
    return np.asarray(params["params"]["conv3"]["kernel"], np.float64)


def test_edits_and_controls_are_what_they_are_called(agent, studied):
    policy, params = agent
    played, _, _ = studied
    assert list(played) == [
        "original",
        "saw-blind",
        "saw-blind-2",
        "saw-blind-3",
        "random-direction",
        "other-feature",
        "alike-feature",
        "saw-times-2",
        "saw-times--1",
        "invisible-saw",
    ]
    directions = named_features(1).directions
    assert played["original"][0] is params
    for name, expected in {
        "saw-blind": project_out(policy, params, "conv2", directions[2]),
        "other-feature": project_out(policy, params, "conv2", directions[1]),
        "alike-feature": project_out(policy, params, "conv2", directions[3]),
        "saw-times-2": scale_direction(policy, params, "conv2", directions[2], 2.0),
    }.items():
        # One rounding to float32; the direction has passed through float64.
        np.testing.assert_allclose(kernel(played[name][0]), kernel(expected), atol=1e-7)
    assert all(played[name][1] == AGENT for name in played if name != "invisible-saw")
    assert played["invisible-saw"] == (
        params,
        {"env": "coinrun", "env_options": {"num_levels": 5, "invisible": ("saw",)}},
    )


def test_the_random_direction_is_the_hazards_shuffled(agent, studied):
    played, _, _ = studied
    removed = kernel(agent[1]) - kernel(played["random-direction"][0])
    # What was removed lies along one direction: the channels of its only singular vector.
    _, values, vectors = np.linalg.svd(np.moveaxis(removed, 2, -1).reshape(-1, 64))
    assert values[1] < 1e-5 * values[0]
    hazard = named_features(1).directions[2]
    np.testing.assert_allclose(
        np.sort(np.abs(vectors[0])), np.sort(hazard) / np.linalg.norm(hazard), atol=1e-5
    )
    assert abs(vectors[0] @ hazard) / np.linalg.norm(hazard) < 0.99


def test_a_later_round_does_not_bring_back_what_was_removed(studied):
    played, searched, _ = studied
    last = kernel(played["saw-blind-3"][0])
    for number in (1, 2, 3):
        direction = named_features(number).directions[2]
        # Float32 kernels of entries below 1, sums over 64 channels.
        np.testing.assert_allclose(np.einsum("hwio,i->hwo", last, direction), 0, atol=1e-5)
    np.testing.assert_array_equal(kernel(searched[1][0]), kernel(played["saw-blind"][0]))
    np.testing.assert_array_equal(kernel(searched[2][0]), kernel(played["saw-blind-2"][0]))
    assert [each[1:] for each in searched] == [("conv2", 4)] * 3


def test_lava_cannot_be_hidden(agent, studied, tmp_path):
    played, _, _ = studied
    played.clear()
    config = EditingConfig(num_levels=4, layer="conv2", hazard="lava", rounds=1)
    with pytest.raises(ValueError, match="no feature looks at lava"):
        study_editing(*agent, AGENT, config, cells=Cells(tmp_path / "lava"))


def test_only_models_with_known_kernels_and_layers(agent, tmp_path):
    config = EditingConfig(layer="9z")
    with pytest.raises(ValueError, match='unknown layer "9z"'):
        study_editing(*agent, AGENT, config, cells=Cells(tmp_path))


@pytest.fixture
def result(make_levels):
    levels = {
        "original": make_levels(["completed", "saw", "lava", "completed", "saw"]),
        "saw-blind": make_levels(["saw", "saw", "completed", "saw", "lava"]),
    }
    return EditingResult("saw", "conv2", levels, (named_features(1), named_features(2)))


def test_differences_are_paired_by_level(result):
    rows = {(row["policy"], row["cause"]): row for row in result.table.rows}
    saw = rows["saw-blind", "saw"]
    assert (saw["levels"], saw["only_here"], saw["only_original"]) == (3, 2, 1)
    before, after = np.array([0, 1, 0, 0, 1], bool), np.array([1, 1, 0, 1, 0], bool)
    expected = paired_difference(before, after)
    found = (saw["difference"], saw["difference_low"], saw["difference_high"])
    assert found == expected[2:]
    anything = rows["saw-blind", "any"]
    assert (anything["levels"], anything["only_here"], anything["only_original"]) == (4, 2, 1)
    assert rows["original", "any"]["levels"] == 3
    assert rows["original", "any"]["difference"] is None


def test_features_say_what_they_served_for(result):
    rows = result.feature_table.rows
    parts = [None, "other-feature", "saw-blind", "alike-feature"]
    assert [row["part"] for row in rows[:4]] == parts
    assert [row["part"] for row in rows[4:]] == [None, None, "saw-blind", None]
    assert [row["round"] for row in rows] == [1] * 4 + [2] * 4
    assert rows[2]["on_saw"] == 0.3


def test_other_levels_are_refused(make_levels):
    levels = {"original": make_levels(["saw"]), "edited": make_levels(["saw"], first_seed=7)}
    with pytest.raises(ValueError, match='"edited" did not play the levels'):
        EditingResult("saw", "conv2", levels, ())


def test_figure_has_the_papers_bars_beside_ours(result):
    svg = draw_editing(result)
    for text in (b">saw blind<", b">invisible saws<", b">left enemy blind<", b"5 levels each"):
        assert text in svg
