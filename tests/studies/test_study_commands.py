"""`rlvision study`: small runs from the command line, and bad input."""

import csv
import json
import os

import jax
import pytest

from rlvision_jax import checkpoint
from rlvision_jax.cli.main import main
from rlvision_jax.interface import read_report


def status(arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    return exit_info.value.code


@pytest.fixture(scope="module")
def agent(blind_runner, tmp_path_factory):
    """The runner, whose values do depend on what it sees."""
    policy, runner, config = blind_runner
    params = policy.init(jax.random.key(0))
    params["params"]["heads"]["policy"] = runner["params"]["heads"]["policy"]
    folder = tmp_path_factory.mktemp("agents") / "agent"
    checkpoint.save(folder, policy, params, config)
    return str(folder)


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def failures(agent, tmp_path_factory):
    """Outcome of a small study of failures, and its command line."""
    out = tmp_path_factory.mktemp("studies") / "failures"
    sizes = ["--num-levels", "12", "--levels-per-cell", "8", "--num-envs", "8", "--gallery", "1"]
    sizes += ["--num-frames", "16", "--frame-interval", "2", "--num-features", "3"]
    arguments = ["study", "failures", agent, "--out", str(out), "--layer", "conv2", *sizes]
    assert status(arguments) == 0
    return out, arguments


def test_failures_writes_tables_and_figure(failures, agent):
    out, _ = failures
    rows = read(out / "table.csv")
    assert sum(int(row["levels"]) for row in rows) == 12
    failed = sum(int(row["levels"]) for row in rows if row["outcome"] != "completed")
    assert len(read(out / "episodes.csv")) == failed
    content = json.loads((out / "table.json").read_text())
    assert content["provenance"]["config"]["num_levels"] == 12
    assert content["provenance"]["parameters"] == checkpoint.fingerprint(checkpoint.load(agent)[1])
    assert b"<svg" in (out / "figure.svg").read_bytes()


def link_fields(row):
    """What the link of a level to the gallery says."""
    page, _, fragment = row["gallery"].partition("#")
    assert page == "gallery/index.html"
    return dict(field.split("=") for field in fragment.split("&"))


def test_gallery_opens_at_the_lowest_advantage(failures):
    """The links' levels, played again, have the advantages that the study found."""
    out, _ = failures
    report = read_report(out / "gallery")
    shown = [row for row in read(out / "episodes.csv") if row["gallery"]]
    assert len(shown) == len(report.trajectories) == len({row["cause"] for row in shown})
    for row in shown:
        fields = link_fields(row)
        trajectory = report.trajectories[int(fields["trajectory"]) - 1]
        step = int(fields["step"]) - 1
        assert set(trajectory.level_seeds.tolist()) == {int(row["level_seed"])}
        assert len(trajectory.actions) == int(row["steps"])
        assert trajectory.terminated.tolist() == [False] * (len(trajectory.actions) - 1) + [True]
        assert not trajectory.level_complete.any()
        # Written with four digits; values of near 1 from batches of other sizes.
        assert trajectory.advantages[step] == pytest.approx(float(row["worst_advantage"]), abs=1e-4)
        assert trajectory.label.startswith(row["cause"].replace("_", " "))
        failure = report.failures[int(fields["trajectory"]) - 1]
        assert (failure.cause, failure.step) == (row["cause"], int(row["steps"]) - 1)
    steps = [bookmark.step for bookmark in report.bookmarks]
    assert steps == [int(row["worst_step"]) for row in shown]  # the worst first


def test_the_same_line_continues(failures, capsys):
    """A half-written cell is named and played again; the others are read."""
    out, arguments = failures
    cells = sorted((out / "cells").iterdir())
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in cells}
    table = (out / "table.csv").read_text()
    os.truncate(cells[1], 100)
    assert status([*arguments, "--gallery", "0"]) == 0
    assert f"cell {cells[1].stem} is computed again: its file is" in capsys.readouterr().err
    assert cells[0].stat().st_mtime_ns == before[cells[0].name][1]
    assert cells[1].read_bytes() == before[cells[1].name][0]
    assert (out / "table.csv").read_text() == table


_FRAMES = ["--num-frames", "16", "--frame-interval", "2", "--num-envs", "8", "--layer", "conv2"]


def test_interpretability_writes_table_and_figure(agent, tmp_path):
    out = tmp_path / "interpretability"
    arguments = ["study", "interpretability", agent, "--out", str(out), *_FRAMES]
    assert status([*arguments, "--num-features", "3", "--resamples", "20"]) == 0
    rows = read(out / "table.csv")
    assert [row["feature"] for row in rows[:5]] == ["1", "2", "3", "mean", "exact saw"]
    assert b">feature 3<" in (out / "figure.svg").read_bytes()
    assert [path.stem for path in (out / "cells").iterdir()] == ["conv2-attribution"]


def test_interpretability_compares_numbers_of_features(agent, tmp_path):
    out = tmp_path / "interpretability"
    arguments = ["study", "interpretability", agent, "--out", str(out), *_FRAMES]
    assert status([*arguments, "--numbers", "2,3", "--resamples", "20"]) == 0
    assert [row["num_features"] for row in read(out / "table.csv")] == ["2", "3"]
    assert [row["feature"] for row in read(out / "features.csv")] == ["1", "2", "1", "2", "3"]


def test_hallucinations_writes_tables_and_figure(agent, tmp_path):
    out = tmp_path / "hallucinations"
    sizes = ["--num-trajectories", "2", "--num-steps", "24", "--num-cases", "2"]
    arguments = ["study", "hallucinations", agent, "--out", str(out), *_FRAMES, *sizes]
    assert status([*arguments, "--num-features", "3"]) == 0
    content = json.loads((out / "table.json").read_text())
    assert content["provenance"]["config"]["num_steps"] == 24
    rows = read(out / "table.csv")
    assert len(rows) == len(content["rows"])
    assert all(row["gallery"].startswith("gallery/index.html#") for row in rows[:24])
    assert (out / "gallery" / "index.html").exists() == bool(rows)
    assert {row["object_class"] for row in read(out / "planted.csv")} == {"coin", "saw"}
    assert b"<svg" in (out / "figure.svg").read_bytes()


def test_another_games_ground_truth_is_not_known(agent, tmp_path):
    policy, params, config = checkpoint.load(agent)
    other = {**config, "env": "procgen:starpilot", "env_options": {}}
    checkpoint.save(tmp_path / "agent", policy, params, other)
    for study in ("failures", "editing", "goal", "interpretability", "hallucinations"):
        arguments = ["study", study, str(tmp_path / "agent"), "--out", str(tmp_path / study)]
        message = status(arguments)
        assert message.startswith("rlvision: ")
        assert "known of" in message
        assert "\n" not in message


def test_a_folder_of_something_else_is_left_alone(agent, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    message = status(["study", "failures", agent, "--out", str(tmp_path)])
    assert "holds something else" in message
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


@pytest.mark.slow
def test_editing_plays_the_same_levels_with_every_policy(agent, tmp_path):
    """Slow: compiles the game on the device, for invisible saws."""
    out = tmp_path / "editing"
    sizes = ["--num-levels", "8", "--num-envs", "8", "--num-frames", "64", "--frame-interval", "8"]
    sizes += ["--num-features", "4", "--rounds", "1", "--layer", "conv2"]
    arguments = ["study", "editing", agent, "--out", str(out), *sizes]
    assert status(arguments) == 0
    rows = [row for row in read(out / "table.csv") if row["cause"] == "any"]
    names = [row["policy"] for row in rows]
    assert names[:2] == ["original", "saw-blind"]
    assert names[-1] == "invisible-saw"
    # The runner's actions do not depend on what it sees: nothing can change.
    assert {row["levels"] for row in rows} == {rows[0]["levels"]}
    assert {row["difference"] for row in rows[1:]} == {"0.0"}
    parts = [row["part"] for row in read(out / "features.csv")]
    assert sorted(part for part in parts if part) == ["other-feature", "saw-blind"]


@pytest.mark.slow
def test_changed_levels_are_played_and_shown(agent, tmp_path):
    """Compiles the device's CoinRun, which makes the changes, for each command."""
    changed = ["--coin", "moved", "--themes", "random", "--change-seed", "3"]
    out = tmp_path / "failures"
    sizes = ["--num-levels", "8", "--levels-per-cell", "8", "--num-envs", "8", "--gallery", "1"]
    arguments = ["study", "failures", agent, "--out", str(out), *_FRAMES[:4], *sizes, *changed]
    assert status([*arguments, "--num-features", "3", "--layer", "conv2"]) == 0
    rows = [row for row in read(out / "episodes.csv") if row["gallery"]]
    report = read_report(out / "gallery")
    options = report.provenance["agent"]["env_options"]
    assert (options["coin"], options["themes"], options["change_seed"]) == ("moved", "random", 3)
    assert len(rows) == len(report.trajectories) > 0
    for row in rows:
        trajectory = report.trajectories[int(link_fields(row)["trajectory"]) - 1]
        assert set(trajectory.level_seeds.tolist()) == {int(row["level_seed"])}
        assert len(trajectory.actions) == int(row["steps"])
    out = tmp_path / "interpretability"
    arguments = ["study", "interpretability", agent, "--out", str(out), *_FRAMES, *changed]
    assert status([*arguments, "--num-features", "3", "--resamples", "20"]) == 0
    assert [row["feature"] for row in read(out / "table.csv")[:3]] == ["1", "2", "3"]
