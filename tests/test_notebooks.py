"""The notebooks run from top to bottom; they are Python files in jupytext's percent format."""

import pathlib
import runpy
import shutil

import numpy as np
import pytest

_NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"


def test_first_look_shows_the_residual_shrinking(capsys):
    names = runpy.run_path(str(_NOTEBOOKS / "first_look.py"))
    lines = capsys.readouterr().out.splitlines()[:3]
    one, ten, forty = (float(line.split()[-1]) for line in lines)
    assert forty < ten < one
    assert names["maps"].shape == (16, 32, 32, 8)


def test_own_agent_finds_the_two_reasons_that_it_was_given():
    names = runpy.run_path(str(_NOTEBOOKS / "own_agent.py"))
    yellow, blue, maps = names["yellow"], names["blue"], names["maps"]
    # One channel each, up to where the factorization stops.
    np.testing.assert_allclose(names["components"][[yellow, blue]], np.eye(3)[:2], atol=0.01)
    assert maps[:, :8, :, yellow].sum() > 0
    assert maps[:, :, :, blue].sum() < 0
    # Linear in the layer: exact, up to float32 sums of 768 terms.
    explained = maps.sum((1, 2, 3)) + names["residual"].sum((1, 2))
    np.testing.assert_allclose(explained, names["values"], atol=1e-5)
    assert abs(maps[:, 8:, :, yellow]).max() < 1e-3 * abs(maps).max()


def test_failures_explains_every_level(capsys):
    names = runpy.run_path(str(_NOTEBOOKS / "failures.py"))
    outcomes = names["result"].table.rows
    assert sum(row["levels"] for row in outcomes) == names["NUM_LEVELS"]
    # The level played again has the advantage that the study found, from batches of other sizes.
    worst = names["worst"]
    assert abs(names["advantages"][worst.worst_step] - worst.worst_advantage) < 1e-3
    assert len(names["advantages"]) == len(worst.actions)
    assert f"failed by {worst.cause}" in capsys.readouterr().out


def test_editing_compares_policies_on_the_same_levels():
    names = runpy.run_path(str(_NOTEBOOKS / "editing.py"))
    levels = names["result"].levels
    assert list(levels)[:4] == ["original", "saw-blind", "random-direction", "other-feature"]
    seeds = {tuple(each.seeds.tolist()) for each in levels.values()}
    assert len(seeds) == 1
    assert len(next(iter(seeds))) == names["NUM_LEVELS"]
    [blind] = [row for row in names["result"].feature_table.rows if row["part"] == "saw-blind"]
    assert blind["on_saw"] == max(row["on_saw"] for row in names["result"].feature_table.rows)


def test_attribution_is_complete_and_its_sweep_adds_up():
    names = runpy.run_path(str(_NOTEBOOKS / "attribution.py"))
    for values in names["residuals"].values():
        assert values == sorted(values, reverse=True)  # the more steps, the less is left
    sweep = names["sweep"]
    assert sweep.finished.all()
    explained = sweep["scores"][:] - sweep["baseline_scores"][:] + sweep["completeness_residual"][:]
    shares = (sweep["feature_positive"][:] + sweep["feature_negative"][:]).sum(-1)
    # Float32 sums of 32,768 terms of both signs.
    np.testing.assert_allclose(shares + sweep["residual"][:], explained, atol=1e-4)
    assert names["picture"].shape == (64, 64, 3)
    # Grey where nothing speaks, coloured where something does.
    assert np.ptp(names["picture"].astype(int), axis=-1).max() > 50
    assert names["draw"]().axes
    shutil.rmtree(names["folder"])


def test_interpretability_scores_planted_features_rightly():
    names = runpy.run_path(str(_NOTEBOOKS / "interpretability.py"))
    scores = {row["feature"]: row["score"] for row in names["rows"]}
    assert len(scores) == 8 + 1 + 4 + 8
    assert scores["exact saw"] > scores["mixture"] > scores["background"] == 0
    # What the coin adds to the value is what it adds to the features, but for what they leave over
    # and the error of ten steps of integration: far less than half of it.
    added, of_features = (
        sum(row["effect_moved"].mean for row in rows) for rows in ([names["value"]], names["found"])
    )
    assert len(names["found"]) == 8
    assert abs(of_features - added) < 0.5 * added


@pytest.mark.slow
def test_hallucinations_lists_features_without_their_object():
    result = runpy.run_path(str(_NOTEBOOKS / "hallucinations.py"))["result"]
    assert result.num_steps == 8 * 32
    for row in result.rows:
        assert row["object_class"] == result.classes[row["feature"] - 1]
        assert row["instead"] != row["object_class"]
    assert [row["kind"] for row in result.trial_table.rows][-1] == "all"


def test_diversity_scores_agents_of_few_and_many_levels():
    names = runpy.run_path(str(_NOTEBOOKS / "diversity.py"))
    result = names["result"]
    assert result.table.column("levels") == [0, 2, 1000]
    assert result.table.column("steps") == [0, 64, 64]
    assert not result.missing
    shutil.rmtree(names["folder"])


def test_rating_tells_an_attentive_rater_from_another():
    names = runpy.run_path(str(_NOTEBOOKS / "rating.py"))
    assert len(names["key"]["items"]) == 8
    found = {(row["first"], row["second"]): row["correlation"] for row in names["agreement"].rows}
    assert found["automatic score", "Ada"] > 0.8
    assert abs(found["automatic score", "Bo"]) < found["automatic score", "Ada"]
    shutil.rmtree(names["folder"])
