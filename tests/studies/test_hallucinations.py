"""The finder on an agent that sees colours: fooled by pasted pixels, not by what is there."""

import dataclasses
import sys
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from coin_seer import AGENT_CONFIG, COLOURS, POLICY, SEEN

from rlvision_jax import envs
from rlvision_jax.envs.procgen import decode_state
from rlvision_jax.interface import build_hallucinations, hallucination_links, validate
from rlvision_jax.studies import Cells
from rlvision_jax.studies.hallucination_search import HallucinationsConfig
from rlvision_jax.studies.hallucinations import draw_hallucinations, study_hallucinations
from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.planted_hallucinations import free_cells, plant

CONFIG = HallucinationsConfig(
    num_features=3,
    num_frames=128,
    frame_interval=13,
    num_envs=64,
    num_trajectories=4,
    num_steps=64,
    num_cases=16,
)


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    cells = Cells(tmp_path_factory.mktemp("cells"))
    found = study_hallucinations(POLICY, COLOURS, AGENT_CONFIG, CONFIG, cells=cells)
    again = study_hallucinations(POLICY, COLOURS, AGENT_CONFIG, CONFIG, cells=cells)
    assert again.table == found.table  # read from the cell
    return again


def test_every_planted_object_is_found_and_no_real_one(result):
    assert {"coin", "saw"} <= set(result.classes)
    for object_class in ("coin", "saw"):
        rows = {
            row["kind"]: row
            for row in result.trial_table.rows
            if row["object_class"] == object_class
        }
        for kind in ("pasted", "unlisted"):
            assert rows[kind]["cases"] == rows[kind]["flagged"] == 16, (object_class, kind)
        # The object in the game moves the value as much, but is there.
        assert rows["real"]["moved"] == 16
        assert rows["real"]["flagged"] == rows["untouched"]["flagged"] == 0
        assert rows["all"]["recall"] == rows["all"]["precision"] == 1.0


def test_an_agent_that_sees_what_is_there_hallucinates_nothing(result):
    assert result.num_steps == 4 * 64
    assert result.rows == ()
    assert b"no hallucination in 256 steps" in draw_hallucinations(result)


@pytest.fixture(scope="module")
def misled(tmp_path_factory):
    """An agent that takes saws for crates, and its study."""
    params = COLOURS.copy()
    # Saws have this colour at every second step: the value flickers.
    params[SEEN.index("crate"), 1] = COLOURS[SEEN.index("saw"), 1]
    config = dataclasses.replace(CONFIG, num_trajectories=12, planted=(), num_pictures=2)
    cells = Cells(tmp_path_factory.mktemp("cells"))
    found = study_hallucinations(POLICY, params, AGENT_CONFIG, config, cells=cells)
    return (POLICY, params, AGENT_CONFIG), found


def test_an_agent_that_takes_saws_for_crates_is_caught(misled):
    _, found = misled
    crates = [row for row in found.rows if row["object_class"] == "crate"]
    assert crates
    assert {row["instead"] for row in crates} == {"saw"}
    assert {row["why"] for row in crates} == {"spike"}
    for row in crates:
        assert abs(row["change"]) > 0.1
        assert row["change"] * row["value_change"] > 0
        assert found.classes[row["feature"] - 1] == "crate"
    first = found.pictures[0]
    top, bottom, left, right = first.field
    # Fields of the layer are 4 x 4 pixels, which show no crate.
    assert (bottom - top, right - left) == (4, 4)
    assert not first.mask[top:bottom, left:right].any()
    row, column = np.argwhere(np.abs(first.attribution) == np.abs(first.attribution).max())[0]
    assert (4 * row, 4 * column) == (top, left)
    svg = draw_hallucinations(found)
    assert svg.count(b"seen in saw") == 2


@pytest.fixture(scope="module")
def game():
    env = envs.make_host("procgen:coinrun", num_envs=1, seed=3, **AGENT_CONFIG["env_options"])
    yield env
    env.close()


def test_planted_cases_show_the_object_where_they_say(game):
    saved = game.get_state()
    cases = plant(game, [saved] * 3, "coin", num_cases=1, margin=1, seed=1)
    (case,) = cases
    coin = CLASSES.index("coin")
    assert not case.masks[..., coin].any()
    shown = case.drawn_masks[..., coin]
    assert (case.time, case.env) == (1, 0)
    # Only the coin's pixels change, to one colour.
    np.testing.assert_array_equal((case.drawn != case.frame).any(-1), shown)
    colour = np.unique(case.drawn[shown], axis=0)
    assert len(colour) == 1
    np.testing.assert_array_equal(np.unique(case.pasted[case.pasted_at], axis=0), colour)
    assert case.pasted_at.sum() == shown.sum()
    np.testing.assert_array_equal(case.pasted[~case.pasted_at], case.frame[~case.pasted_at])


def test_objects_are_planted_into_free_cells_on_the_ground(game):
    state = decode_state(game.get_state()[0])
    cells = free_cells(state)
    agent = state.entities[0]
    assert cells
    for column, row in cells:
        assert state.grid[row, column] == 100
        assert state.grid[row - 1, column] in (15, 16)
        assert 1 < abs(column - int(agent["x"])) < 6


def test_planting_draws_with_one_game():
    env = envs.make_host("procgen:coinrun", num_envs=2, seed=3, **AGENT_CONFIG["env_options"])
    with pytest.raises(ValueError, match="environment of one game; got 2"):
        plant(env, [env.get_state()], "coin", num_cases=1, margin=0)
    env.close()


def test_hallucinations_can_be_looked_at(misled):
    """The levels played again show at each bookmark the frame that the study looked at."""
    agent, found = misled
    report = build_hallucinations(agent, found, title="misled")
    validate(report)
    assert len(report.bookmarks) == min(len(found.rows), CONFIG.gallery)
    first = report.bookmarks[0]
    row = found.rows[0]
    assert first.kind == f"hallucinated {row['object_class']}"
    assert first.note.startswith(f"feature {row['feature']} in {row['instead']}, ")
    shown = report.trajectories[first.trajectory]
    np.testing.assert_array_equal(shown.observations[first.step], found.pictures[0].observation)
    attribution = shown.attributions[0].maps[first.step, ..., row["feature"] - 1]
    # Written with five digits; the same sums in batches of other sizes.
    np.testing.assert_allclose(attribution, found.pictures[0].attribution, atol=1e-4)
    assert report.layers[0].features[row["feature"] - 1].name == row["object_class"]
    for bookmark, row in zip(report.bookmarks, found.rows, strict=False):
        trajectory = report.trajectories[bookmark.trajectory]
        assert trajectory.level_seeds[bookmark.step] == row["level_seed"]
        assert trajectory.values[bookmark.step] == pytest.approx(row["value"], abs=1e-3)
        assert trajectory.advantages[bookmark.step] == pytest.approx(row["advantage"], abs=1e-2)


def test_links_show_the_feature_alone_and_mark_its_class(misled):
    _, found = misled
    links = hallucination_links(found)
    assert sorted(links) == list(range(min(len(found.rows), CONFIG.gallery)))
    page, _, fragment = links[0].partition("#")
    fields = parse_qs(fragment)
    row = found.rows[0]
    assert page == "gallery/index.html"
    assert fields["object"] == [row["object_class"]]
    others = {str(feature) for feature in (1, 2, 3)} - {str(row["feature"])}
    assert set(fields["hide"][0].split()) == others
    table = found.linked_table(links)
    assert [row["gallery"] for row in table.rows][: len(links)] == list(links.values())


def test_without_a_hallucination_there_is_nothing_to_show(result):
    with pytest.raises(ValueError, match="no hallucination is kept; nothing to show"):
        build_hallucinations((POLICY, COLOURS, AGENT_CONFIG), result, title="")
