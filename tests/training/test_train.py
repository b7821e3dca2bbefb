import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys

import jax
import numpy as np
import pytest

from rlvision_jax import checkpoint, models
from rlvision_jax.checkpoint import CheckpointMismatchError, TrainingStateStore
from rlvision_jax.training import PPOConfig, TrainConfig, read_metrics, train
from rlvision_jax.training.train import _Run
from rlvision_jax.training.update import initial_learner

SCRIPT = pathlib.Path(__file__).parent / "train_and_die.py"
# Four updates, as SCRIPT has them.
UPDATE = 128
TOTAL = 4 * UPDATE
CONFIG = TrainConfig(
    env="procgen:starpilot",
    env_options={"distribution_mode": "easy", "num_levels": 3, "num_threads": 1},
    model="nature",
    seed=3,
    ppo=PPOConfig(num_envs=4, num_steps=32, num_epochs=2, num_minibatches=2, total_steps=TOTAL),
    checkpoint_minutes=0.0,
    tensorboard=False,
)


def with_total(config, total_steps):
    return dataclasses.replace(config, ppo=dataclasses.replace(config.ppo, total_steps=total_steps))


def stop_at(step):
    """Interrupts this process's run after so many steps."""

    def on_update(progress):
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGINT)

    return on_update


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder of a run that was never interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    reported = []
    result = train(CONFIG, folder, on_update=reported.append)
    assert (result.step, result.finished, result.agent) == (TOTAL, True, folder / "agent")
    assert [progress.step for progress in reported] == [UPDATE, 2 * UPDATE, 3 * UPDATE, TOTAL]
    assert [{"step": p.step, **p.metrics} for p in reported] == read_metrics(folder)
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Folders of the same run, stopped in different ways."""
    folder = tmp_path_factory.mktemp("stopped")
    command = [sys.executable, str(SCRIPT), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout)


@pytest.fixture(scope="module")
def state_of():
    """Loads the training state of a folder after a number of steps."""
    policy = models.make("nature", num_actions=15)
    like = jax.eval_shape(lambda: initial_learner(policy, CONFIG.ppo, jax.random.key(0)))

    def load(folder, step):
        store = TrainingStateStore(folder / "state")
        state = store.load(step, like)
        store.close()
        return state

    return load


def timeless(rows):
    return [{name: row[name] for name in row if name != "steps_per_second"} for row in rows]


@pytest.fixture(scope="module")
def assert_same_run(state_of, assert_same_tree):
    """Asserts that a run ended as the other did, to the last bit."""

    def check(folder, other, step=TOTAL):
        state, other_state = state_of(folder, step), state_of(other, step)
        assert_same_tree(state.learner, other_state.learner)
        assert_same_tree(state.collector, other_state.collector)
        assert state.progress["recent"] == other_state.progress["recent"]
        assert timeless(read_metrics(folder)) == timeless(read_metrics(other))
        _, params, config = checkpoint.load(folder / "agent")
        assert_same_tree(params, checkpoint.load(other / "agent")[1])
        assert config["steps"] == step

    return check


def test_resumed_run_equals_the_uninterrupted_one(tmp_path, whole, assert_same_run):
    folder = tmp_path / "run"
    first = train(CONFIG, folder, on_update=stop_at(2 * UPDATE))
    assert (first.step, first.finished) == (2 * UPDATE, False)
    second = train(CONFIG, folder)
    assert (second.step, second.finished) == (TOTAL, True)
    assert_same_run(folder, whole)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "killed-20", "killed-40", "full"])
def test_stopped_run_resumes_exactly(stopped, whole, assert_same_run, name):
    folder, statuses = stopped
    assert statuses[name] == (-9 if name.startswith("killed") else 0)
    before = TrainingStateStore(folder / name / "state")
    saved = {"killed-20": UPDATE, "full": UPDATE}.get(name, 2 * UPDATE)
    assert before.latest_step() == saved
    before.close()
    # Whatever happened, an agent can be loaded.
    steps = 2 * UPDATE if name.startswith("SIG") else UPDATE
    assert checkpoint.load(folder / name / "agent")[2]["steps"] == steps
    result = train(CONFIG, folder / name)
    assert result.finished
    assert_same_run(folder / name, whole)
    # Runs that were interrupted had been meant to be longer.
    held = json.loads((folder / name / "config.json").read_text())
    assert held["ppo"]["total_steps"] == TOTAL


def test_full_disk_is_one_clear_error(stopped):
    folder, _ = stopped
    message = (folder / "full.error").read_text()
    assert message.startswith(
        f"cannot save the training state after {2 * UPDATE} steps in {folder}"
    )
    assert message.endswith("; earlier checkpoints are intact")
    assert len(message.splitlines()) == 1


def test_same_seed_gives_the_same_run_and_another_seed_another(tmp_path, whole):
    train(CONFIG, tmp_path / "same", on_update=stop_at(UPDATE))
    train(dataclasses.replace(CONFIG, seed=4), tmp_path / "other", on_update=stop_at(UPDATE))
    expected = timeless(read_metrics(whole))[:1]
    assert timeless(read_metrics(tmp_path / "same")) == expected
    assert timeless(read_metrics(tmp_path / "other")) != expected


def test_finished_run_is_left_as_it_is(whole):
    before = (whole / "metrics.jsonl").read_text()
    for total_steps in (UPDATE, TOTAL):
        result = train(with_total(CONFIG, total_steps), whole)
        assert (result.step, result.finished) == (TOTAL, True)
    assert (whole / "metrics.jsonl").read_text() == before


def test_agent_records_how_it_was_trained(whole):
    policy, _, config = checkpoint.load(whole / "agent")
    assert policy == models.make("nature", num_actions=15)
    assert TrainConfig.from_json(config["training"]) == CONFIG
    assert config["env"] == "procgen:starpilot"
    assert config["env_options"] == dict(CONFIG.env_options)
    assert config["steps"] == TOTAL
    assert config["reward_scale"] == read_metrics(whole)[-1]["reward_scale"]


def test_metrics_are_those_of_the_documentation(whole):
    documented = (SCRIPT.parents[2] / "docs" / "ppo.md").read_text()
    names = set(re.findall(r"^\| `(\w+)` \|", documented, re.MULTILINE))
    row = read_metrics(whole)[-1]
    assert row["episode_return"] > 0, "an episode must end for the test to mean something"
    assert set(row) == names


@pytest.mark.parametrize(
    ("changes", "different"),
    [
        ({"seed": 4}, "seed"),
        ({"model": "clear"}, "model"),
        ({"ppo": dataclasses.replace(CONFIG.ppo, discount=0.9)}, "ppo.discount"),
    ],
)
def test_folder_of_another_run_is_refused(whole, changes, different):
    before = (whole / "config.json").read_text()
    with pytest.raises(
        CheckpointMismatchError, match=f"holds a run with another {different}; choose another"
    ):
        train(dataclasses.replace(CONFIG, **changes), whole)
    assert (whole / "config.json").read_text() == before


def test_annealed_run_cannot_change_its_total(tmp_path):
    ppo = dataclasses.replace(CONFIG.ppo, anneal_learning_rate=True)
    config = dataclasses.replace(CONFIG, ppo=ppo)
    (tmp_path / "config.json").write_text(json.dumps(config.to_json()))
    with pytest.raises(CheckpointMismatchError, match=r"another ppo\.total_steps"):
        train(with_total(config, UPDATE), tmp_path)


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointMismatchError, match="holds files but no training run"):
        train(CONFIG, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": "procgen:coinrn"}, 'unknown environment "procgen:coinrn"'),
        ({"env_options": {"num_level": 3}}, 'has no option "num_level"'),
        ({"model": "resnet"}, 'unknown model "resnet"'),
        ({"initial_agent": "nowhere"}, "nowhere is not an agent"),
    ],
)
def test_refused_settings_leave_no_folder_behind(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(CONFIG, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_file_is_refused_and_a_damaged_config_too(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointMismatchError, match="is a file; expected a folder to train in"):
        train(CONFIG, tmp_path / "notes.txt")
    for text in ("{", "[]", '{"ppo": {}}'):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(CheckpointMismatchError, match=r"config\.json is no run's config: "):
            train(CONFIG, tmp_path)
        assert (tmp_path / "config.json").read_text() == text


def test_loss_that_is_not_finite_ends_the_run_before_it_is_saved(tmp_path, whole, monkeypatch):
    compute = _Run.compute

    def diverging(run):
        outcome = compute(run)
        if run.step < UPDATE:
            return outcome
        losses = outcome.metrics.losses._replace(loss=np.float32(np.nan))
        return dataclasses.replace(outcome, metrics=outcome.metrics._replace(losses=losses))

    monkeypatch.setattr(_Run, "compute", diverging)
    with pytest.raises(
        FloatingPointError, match="the loss after 256 steps is nan; the state of 128"
    ):
        train(CONFIG, tmp_path / "run")
    assert timeless(read_metrics(tmp_path / "run")) == timeless(read_metrics(whole))[:1]
    assert checkpoint.load(tmp_path / "run" / "agent")[2]["steps"] == UPDATE
