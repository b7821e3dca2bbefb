"""The shipped agents, their files, and the model card that is made from these."""

import dataclasses
import json
import re
import shlex
import shutil

import jax
import numpy as np
import pytest

from benchmarks import agents
from benchmarks._agent_card import fill
from benchmarks._agent_curves import draw
from benchmarks._agent_files import (
    CurveRow,
    add_repeat,
    copy_agent,
    keep_run,
    read_agent,
    read_curve,
    shortened,
    thinned,
)
from rlvision_jax import checkpoint, models
from rlvision_jax.cli.main import main
from rlvision_jax.training import FAILURE_CAUSES


@pytest.fixture(scope="module")
def shipped():
    return agents.read_agents()


def metrics(num_rows, batch=100, seconds=2.0):
    """Lines of metrics.jsonl; before the first episode ends there is no return."""
    return [
        {"step": batch * (i + 1), "steps_per_second": batch / seconds}
        | ({"episode_return": float(i), "level_completion": i / 1000} if i else {})
        for i in range(num_rows)
    ]


def test_all_agents_of_the_package_are_on_the_card(shipped):
    assert tuple(agent.name for agent in shipped) == checkpoint.SHIPPED
    assert checkpoint.DEFAULT_AGENT in checkpoint.SHIPPED
    card = agents.CARD.read_text()
    for name in checkpoint.SHIPPED:
        assert f"\n## `{name}`\n" in card


def test_card_says_what_the_files_say(shipped):
    """After a change: python -m benchmarks.agents card."""
    card = agents.CARD.read_text()
    assert fill(card, shipped) == card
    assert draw(shipped) == agents.PICTURE.read_text()


def test_card_names_commands_that_exist(monkeypatch):
    """Each line is parsed as the command would be; nothing runs."""
    lines = re.findall(r"^rlvision (.*)$", agents.CARD.read_text(), re.MULTILINE)
    assert len(lines) >= 8
    ran = []
    for command in ("train.TrainCommand", "evaluate.EvaluateCommand"):
        monkeypatch.setattr(f"rlvision_jax.cli.{command}.run", lambda self: ran.append(self) or 0)
    for line in lines:
        with pytest.raises(SystemExit) as exit_info:
            main(shlex.split(line, comments=True))
        assert exit_info.value.code == 0
    configs = [command.config for command in ran if hasattr(command, "ppo")]
    assert {config.env for config in configs} == {"coinrun", "procgen:coinrun"}


def test_agents_are_small_and_measured_in_their_own_setting(shipped):
    for agent in shipped:
        folder = checkpoint.shipped(agent.name)
        assert sum(path.stat().st_size for path in folder.iterdir()) < 5_000_000
        assert agent.evaluation["env_options"] == agent.config["env_options"]
        for split in ("train", "test"):
            result = agent.evaluation[split]
            assert set(result["failures"]) == set(FAILURE_CAUSES)
            failed = sum(result["failures"].values())
            assert result["num_completed"] + failed == result["num_levels"]
        assert len(agent.curve) <= 200
        assert agent.curve[-1].step <= agent.config["steps"]


def test_shortened_curve_joins_the_shortest_neighbours():
    rows = [CurveRow(10, 1.0, 0.1, 10.0), CurveRow(40, 5.0, 0.5, 30.0)]
    rows += [CurveRow(140 + 100 * index, 9.0, 0.9, 50.0) for index in range(199)]
    short = shortened(rows, first_step=0)
    assert len(short) == 200
    # 10 steps in 1 s with 1 and 30 in 1 s with 5.
    assert short[0] == CurveRow(40, 4.0, 0.4, 20.0)
    assert short[1:] == rows[2:]
    assert shortened(short, first_step=0) == short


def test_thinned_curve_keeps_steps_and_time():
    rows = thinned(metrics(1000), first_step=5000)
    assert len(rows) == 200
    assert rows[0] == CurveRow(5500, 2.5, 0.0025, 50.0)  # of returns 1, 2, 3, 4
    assert rows[-1] == CurveRow(105_000, 997.0, 0.997, 50.0)


def test_speed_of_a_stretch_is_its_steps_over_its_time():
    lines = metrics(400)
    lines[3]["steps_per_second"] = 12.5  # 8 s beside 2 s
    assert thinned(lines, first_step=0)[1].steps_per_second == 20.0


@pytest.fixture
def run(tmp_path):
    """A run that has gone on since its last checkpoint, and that continued an agent."""
    policy = models.make("nature", observation_shape=(36, 36, 3))
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    training = {"env": "coinrun", "env_options": {"num_levels": 9}, "model": "nature", "seed": 0}
    training |= {"activation_dtype": "float32", "ppo": {"num_epochs": 1, "total_steps": 1000}}
    other = {"steps": 1000, "initial_agent": None, "training": training | {"env": "procgen:maze"}}
    config = {"steps": 1300, "initial_agent": other, "training": training}
    checkpoint.save(tmp_path / "run" / "agent", policy, params, config)
    lines = "".join(json.dumps(row) + "\n" for row in metrics(5))
    (tmp_path / "run" / "metrics.jsonl").write_text(lines)
    return tmp_path / "run"


def test_an_agent_is_added_with_the_curve_up_to_its_checkpoint(run, tmp_path):
    folder = tmp_path / "agents" / "name"
    copy_agent(run, folder)
    policy, _, config = checkpoint.load(folder)
    assert (policy.name, config["steps"]) == ("nature", 1300)
    assert [row.step for row in read_curve(folder / "curve.csv")] == [1200, 1300]


def changed(run, name, before=None, **training):
    """The run again, with other settings, or as one that went on from the agent of another."""
    folder = run.with_name(name)
    shutil.copytree(run, folder)
    index = json.loads((folder / "agent" / "agent.json").read_text())
    index["config"]["training"] |= training
    if before:
        config = json.loads((before / "agent" / "agent.json").read_text())["config"]
        index["config"] |= {"initial_agent": config, "steps": config["steps"] + 500}
    (folder / "agent" / "agent.json").write_text(json.dumps(index))
    return folder


def test_a_repeat_keeps_its_agent_and_its_curve(run, tmp_path):
    folder = tmp_path / "agents" / "name"
    copy_agent(run, folder)
    longer = changed(run, "longer", seed=3, ppo={"num_epochs": 1, "total_steps": 2000})
    add_repeat(longer, folder, tmp_path / "runs")
    kept = tmp_path / "runs" / "name" / "seed-3"
    assert [row.step for row in read_curve(kept / "curve.csv")] == [1200, 1300]
    assert checkpoint.load(kept)[2]["training"]["seed"] == 3


def test_a_run_that_goes_on_keeps_the_curve_up_to_its_beginning(run, tmp_path):
    """Also if it is added once more; and its seed is the one it began with."""
    folder, runs = tmp_path / "agents" / "name", tmp_path / "runs"
    copy_agent(run, folder)
    on = changed(run, "on", before=run, seed=8)
    for _ in range(2):
        copy_agent(on, folder)
        steps = [row.step for row in read_curve(folder / "curve.csv")]
        assert steps == [1200, 1300, 1500, 1600, 1700, 1800]
    first = changed(run, "first", seed=3)
    second = changed(run, "second", before=first, seed=9)
    for repeat in (first, second):
        add_repeat(repeat, folder, runs)
    assert [path.name for path in (runs / "name").iterdir()] == ["seed-3"]
    assert read_curve(runs / "name" / "seed-3" / "curve.csv")[0].step == 1200
    index = json.loads((folder / "agent.json").read_text())
    (folder / "evaluation.json").write_text(json.dumps({"weights": index["sha256"][:12]}))
    agent = read_agent(folder, runs)
    assert (agent.seed, agent.first_step, list(agent.repeats)) == (0, 1000, [3])


def test_runs_with_other_settings_are_kept_by_name_and_seed(run, tmp_path):
    for seed in (2, 7):
        keep_run(changed(run, f"run-{seed}", seed=seed), "other", tmp_path / "runs")
    kept = tmp_path / "runs" / "other"
    assert sorted(path.name for path in kept.iterdir()) == ["seed-2", "seed-7"]
    assert read_curve(kept / "seed-7" / "curve.csv")[-1].step == 1300


def test_a_run_that_goes_on_from_another_agent_keeps_no_curve(run, tmp_path):
    folder = tmp_path / "agents" / "name"
    copy_agent(changed(run, "another", seed=5), folder)
    copy_agent(changed(run, "on", before=run, seed=8), folder)
    assert read_curve(folder / "curve.csv")[0].step == 1500


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"seed": 3, "model": "clear"}, "it differs in model and has seed 3"),
        ({"seed": 3, "ppo": {"num_epochs": 3, "total_steps": 1000}}, "it differs in num_epochs"),
        ({}, "it differs in nothing and has seed 0"),
    ],
)
def test_other_trainings_are_no_repeats(run, tmp_path, training, message):
    folder = tmp_path / "agents" / "name"
    copy_agent(run, folder)
    with pytest.raises(ValueError, match=message):
        add_repeat(changed(run, "other", **training), folder, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_returns_are_averaged_around_published_steps(shipped):
    """At 1M steps of two runs, at 2M of one: of stretches that end from 0.9 (not itself) to 1.1."""
    long = [CurveRow(step, step / 1e6, 0.0, 1.0) for step in range(25_000, 2_300_000, 25_000)]
    short = [dataclasses.replace(row, episode_return=3.0) for row in long[:44]]
    config = shipped[0].config | {"initial_agent": None}
    agent = dataclasses.replace(shipped[0], config=config, curve=long, repeats={7: short})
    table = fill(agents.CARD.read_text(), [agent])
    cells = {line.split(" | ")[0]: line.split(" | ")[-1] for line in table.splitlines()}
    assert cells["| 1M"] == "2.01 (1.01, 3.00) |"
    assert cells["| 2M"] == "2.01 (2.01) |"
    assert cells["| 5M"] == " |"


def test_seeds_are_compared_over_the_shortest_run(shipped):
    """Returns are the step in hundreds; the repeat, all zeros, ends at half of them, 1,200."""
    curve = [CurveRow(100 * (i + 1), float(i + 1), 0.0, 1.0) for i in range(24)]
    repeated = {7: [dataclasses.replace(row, episode_return=0.0) for row in curve[:12]]}
    agent = dataclasses.replace(shipped[0], curve=curve, repeats=repeated)
    agent = dataclasses.replace(agent, config=agent.config | {"initial_agent": None})
    rows = re.findall(r"^\| [\d,]+ to [\d,]+ .*$", fill(agents.CARD.read_text(), [agent]), re.M)
    assert rows[0] == "| 0 to 200 | 1.50 | 0.00 | 0.75 | 1.06 |"
    assert rows[-1].startswith("| 1,000 to 1,200 | 11.50 | 0.00 |")


def test_adding_again_replaces_the_parameters(run, tmp_path):
    folder = tmp_path / "agents" / "name"
    folder.mkdir(parents=True)
    (folder / "params-0123456789ab.safetensors").write_bytes(b"earlier")
    copy_agent(run, folder)
    assert len(list(folder.glob("params-*"))) == 1


def test_an_evaluation_of_other_parameters_is_refused(run, tmp_path):
    folder = tmp_path / "agents" / "name"
    copy_agent(run, folder)
    (folder / "evaluation.json").write_text('{"weights": "0123456789ab"}')
    with pytest.raises(ValueError, match=r"benchmarks\.agents evaluate name"):
        read_agent(folder)


def test_a_page_without_markers_is_refused(shipped):
    with pytest.raises(ValueError, match="lacks the lines"):
        fill("# The shipped agents", shipped)


def test_picture_places_steps_by_their_logarithm(shipped):
    """A curve through 0.1M and 1M steps at returns 0 and 10 goes through the axes' ticks."""
    rows = [CurveRow(100_000, 0.0, 0.0, 1.0), CurveRow(1_000_000, 10.0, 1.0, 1.0)]
    picture = draw([dataclasses.replace(shipped[0], curve=rows)])
    ticks = re.findall(r'<text x="([\d.]+)" y="[\d.]+" [^>]*>(0.1M|1M)<', picture)
    heights = re.findall(r'<path d="M64 ([\d.]+)H', picture)
    (low, _), (high, _) = ticks
    assert f'points="{low},{heights[0]} {high},{heights[-1]}"' in picture
