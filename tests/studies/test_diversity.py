"""The study of diversity. Slow is what trains agents; the notebook does in the checks."""

import dataclasses
import itertools

import numpy as np
import pytest

from rlvision_jax.studies import diversity
from rlvision_jax.studies.diversity import DiversityConfig, study_diversity
from rlvision_jax.studies.diversity_result import DiversityResult, draw_diversity
from rlvision_jax.studies.scored_features import FeaturesConfig
from rlvision_jax.training import PPOConfig

SMALL = DiversityConfig(
    levels="2",
    seeds=1,
    timesteps=64,
    distribution_mode="easy",
    model="nature",
    ppo=PPOConfig(num_envs=4, num_steps=8, num_epochs=1, num_minibatches=1),
    evaluation_levels=4,
    evaluation_envs=4,
    features=FeaturesConfig(
        layer="conv3", num_features=2, num_frames=12, frame_interval=3, num_envs=4, resamples=20
    ),
)


@pytest.fixture(scope="module")
def studied(tmp_path_factory):
    """The folder after two parts, and what each of them returned."""
    folder = tmp_path_factory.mktemp("diversity")
    return folder, [study_diversity(SMALL, folder, part=(index, 2)) for index in (0, 1)]


@pytest.mark.slow
def test_parts_together_are_the_whole_and_name_what_is_missing(studied):
    _, (first, second) = studied
    assert dict(first.missing) == {"levels-2-seed-0": "it has not been computed"}
    assert [agent["levels"] for agent in first.agents] == [0]
    assert not second.missing
    assert second.table.column("levels") == [0, 2]
    assert second.table.column("steps") == [0, 64]
    untrained, *trained = second.table.rows
    assert untrained["train"] is None
    for row in trained:
        assert 0 <= row["train_low"] <= row["train"] <= row["train_high"] <= 1
        assert 0 <= row["score_low"] <= row["score"] <= row["score_high"] <= 1


@pytest.mark.slow
def test_a_damaged_cell_is_named_and_redone_from_the_finished_training(studied, monkeypatch):
    folder, (_, before) = studied
    cell = folder / "cells" / "levels-2-seed-0.json"
    cell.write_bytes(cell.read_bytes()[:-20])
    problems, stages = [], set()
    after = study_diversity(
        SMALL,
        folder,
        on_problem=problems.append,
        notify=lambda stage, done, total: stages.add(stage),
    )
    assert problems == [
        "cell levels-2-seed-0 is computed again: its file is damaged or half-written"
    ]
    assert "levels-2-seed-0: training" not in stages
    assert after.agents == before.agents
    monkeypatch.setattr(diversity, "train", None)  # nothing is left to train
    assert study_diversity(SMALL, folder).agents == before.agents


@pytest.mark.slow
def test_other_settings_are_other_cells(studied):
    folder, _ = studied
    work = diversity.AgentWork(
        dataclasses.replace(SMALL, evaluation_levels=5), folder, population=False, num_threads=1
    )
    result = work.result()
    assert not result.agents
    assert set(result.missing.values()) == {"it was computed with another config"}


def _agent(levels, seed, score, test, features=4):
    evaluation = {"completion": test, "completion_interval": [test - 0.02, test + 0.02]}
    rows = [
        {"score": score + 0.01 * (index - (features - 1) / 2), "object_class": object_class}
        for index, object_class in enumerate(("saw", "wall", "coin", None)[:features])
    ]
    mean = {"score": score, "score_low": score - 0.05, "score_high": score + 0.05}
    agent = {"levels": levels, "seed": seed, "steps": 1, "test": evaluation}
    if levels:
        agent["train"] = {"completion": 0.98, "completion_interval": [0.97, 0.99]}
    return {**agent, "features": rows, "mean": mean}


@pytest.fixture
def as_the_article():
    """Scores that begin to rise at 1,000 levels, two agents each."""
    agents = [_agent(0, seed, 0.1, 0.2) for seed in range(2)]
    scores = {100: 0.1, 1_000: 0.11, 10_000: 0.5, 100_000: 0.8}
    for (levels, score), seed in itertools.product(scores.items(), range(2)):
        agents.append(_agent(levels, seed, score + 0.005 * seed, 0.6 + score / 3))
    return DiversityResult(agents=tuple(agents), missing={})


def test_both_directions_of_the_hypothesis_are_told_apart(as_the_article):
    rows = {row["statement"]: row for row in as_the_article.hypothesis_table.rows}
    holds = rows["if: score at 100000 levels minus that of untrained networks"]
    assert holds["estimate"] == pytest.approx(0.7025)
    assert 0.6 < holds["low"] < holds["high"] < 0.8
    needs = rows["only if: score at 100 levels minus that of untrained networks"]
    assert needs["low"] < 0.01 < needs["high"]
    together = rows["rank correlation of number of levels and score"]
    assert together["estimate"] > 0.95
    assert rows["rank correlation of score and unseen levels completed"]["low"] > 0.5
    gap = rows["rank correlation of score and training minus unseen levels completed"]
    assert gap["high"] < -0.5
    # Two of the four features are of objects.
    of_objects = rows["if: object score at 100000 levels minus that of untrained networks"]
    assert of_objects["estimate"] == pytest.approx(0.7025 / 2, abs=1e-4)
    assert as_the_article.table.rows[-1]["object_features"] == 2
    assert as_the_article.table.rows[-1]["object_score"] == pytest.approx(0.805 / 2, abs=0.005)


def test_the_figure_shows_every_agent_beside_the_article(as_the_article):
    svg = draw_diversity(as_the_article).decode()
    assert "training levels" in svg
    assert "the article, by people" in svg
    assert "score, never trained" in svg
    fewer = dataclasses.replace(as_the_article, agents=as_the_article.agents[:4])
    assert len(draw_diversity(fewer)) < len(svg)


def test_results_without_agents_have_no_statements():
    assert DiversityResult(agents=(), missing={}).hypothesis_table.rows == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": "100,many"}, 'different numbers, such as "100,1000"; got "100,many"'),
        ({"levels": "100,100"}, "different numbers"),
        ({"levels": "0,100"}, "levels must be an integer of at least 1; got 0"),
        ({"seeds": 0}, "seeds must be an integer of at least 1"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **change)


def test_what_cannot_be_is_refused_before_any_training(tmp_path):
    with pytest.raises(ValueError, match="ground truth of objects is known of"):
        study_diversity(dataclasses.replace(SMALL, env="procgen:maze"), tmp_path)
    with pytest.raises(ValueError, match="a population is trained in one process"):
        study_diversity(SMALL, tmp_path, population=True, on_ray=True)
    with pytest.raises(ValueError, match="must be from 0 to 1, of 2 parts; got 2"):
        study_diversity(SMALL, tmp_path, part=(2, 2))
    assert not list(tmp_path.iterdir())


def test_numbers_of_levels_are_sorted_and_each_agent_has_its_own_training():
    assert dataclasses.replace(SMALL, levels="100,7").level_counts == (7, 100)
    config = SMALL.train_config(2, 3)
    assert (config.env_options["num_levels"], config.seed, config.ppo.total_steps) == (2, 3, 64)
    assert np.all([len(cell) == 2 for cell in SMALL.cells.values()])
