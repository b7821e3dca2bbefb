"""Whole runs of environments that stay on the device."""

import dataclasses
import json
import os
import signal

import jax
import numpy as np
import pytest
import signal_env
from signal_env import LinearPolicy, SignalBatch

from rlvision_jax import checkpoint, envs, models
from rlvision_jax.checkpoint import CheckpointMismatchError, TrainingStateStore
from rlvision_jax.training import (
    PPOConfig,
    TrainConfig,
    read_metrics,
    train,
    train_population,
    trainers,
)
from rlvision_jax.training.population import _iterate_all

UPDATE = 64
TOTAL = 4 * UPDATE
CONFIG = TrainConfig(
    env="coinrun",  # by name; the games are those of `signal_env`
    env_options={"num_levels": 7},
    model="nature",
    seed=3,
    ppo=PPOConfig(num_envs=4, num_steps=16, num_epochs=2, num_minibatches=4, total_steps=TOTAL),
    checkpoint_minutes=0.0,
    tensorboard=False,
)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(models, "make", LinearPolicy)


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(trainers, "stays_on_device", lambda env: True)
    monkeypatch.setattr(envs, "make", lambda name, **options: signal_env.make(**options))


@pytest.fixture
def on_host(monkeypatch):
    def make(name, *, num_envs, seed, num_levels, **options):
        return SignalBatch(signal_env.make(num_levels), num_envs, jax.random.key(seed))

    monkeypatch.setattr(trainers, "stays_on_device", lambda env: False)
    monkeypatch.setattr(envs, "make_host", make)


def with_ppo(**changes):
    return dataclasses.replace(CONFIG, ppo=dataclasses.replace(CONFIG.ppo, **changes))


def timeless(folder):
    rows = read_metrics(folder)
    return [{name: row[name] for name in row if name != "steps_per_second"} for row in rows]


def interrupt_at(step):
    def on_update(progress):
        first = progress if not isinstance(progress, list) else progress[0]
        if first.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return on_update


def die_at(step):
    """Ends the run as a kill would: nothing is saved after the checkpoint before."""

    def on_update(progress):
        first = progress if not isinstance(progress, list) else progress[0]
        if first.step == step:
            raise RuntimeError("killed")

    return on_update


def assert_same_agent(folder, other, assert_same_tree):
    assert timeless(folder) == timeless(other)
    assert_same_tree(checkpoint.load(folder / "agent")[1], checkpoint.load(other / "agent")[1])


@pytest.mark.parametrize(
    ("backend", "env", "stays"),
    [
        ("gpu", "coinrun", True),
        ("tpu", "coinrun", True),
        ("cpu", "coinrun", False),
        ("gpu", "procgen:coinrun", False),
    ],
)
def test_games_on_an_accelerator_stay_there(monkeypatch, backend, env, stays):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    assert trainers.stays_on_device(env) is stays


@pytest.mark.usefixtures("on_device")
def test_stopped_and_killed_runs_continue_exactly(tmp_path, assert_same_tree):
    assert train(CONFIG, tmp_path / "whole").finished
    stopped = train(CONFIG, tmp_path / "stopped", on_update=interrupt_at(2 * UPDATE))
    assert (stopped.step, stopped.finished) == (2 * UPDATE, False)
    with pytest.raises(RuntimeError, match="killed"):
        train(CONFIG, tmp_path / "killed", on_update=die_at(3 * UPDATE))
    for name in ("stopped", "killed"):
        result = train(CONFIG, tmp_path / name)
        assert (result.step, result.finished) == (TOTAL, True)
        assert_same_agent(tmp_path / name, tmp_path / "whole", assert_same_tree)


@pytest.mark.slow
def test_device_and_host_report_the_same_things_and_both_learn(tmp_path, request):
    # An episode of n steps returns n / 4 by chance and n when every signal is named; 7 levels of
    # 2 to 4 steps.
    config = with_ppo(
        num_envs=16, num_steps=32, num_minibatches=4, total_steps=40 * 512, learning_rate=0.02
    )
    curves = {}
    for path in ("on_device", "on_host"):
        request.getfixturevalue(path)
        train(config, tmp_path / path)
        curves[path] = [row["episode_return"] for row in read_metrics(tmp_path / path)]
    names = [set(read_metrics(tmp_path / path)[-1]) for path in curves]
    assert names[0] == names[1]
    for curve in curves.values():
        assert curve[0] < 1.5
        assert np.mean(curve[-5:]) > 2.5
    # Means over 100 episodes of returns between 0 and 4: standard error 0.1 at the start, less
    # later; the curves cross each level within a few updates of each other.
    np.testing.assert_allclose(curves["on_device"], curves["on_host"], atol=0.6)


@pytest.mark.usefixtures("on_device")
def test_members_equal_the_runs_trained_alone(tmp_path):
    compiled_before = _iterate_all._cache_size()
    results = train_population(CONFIG, tmp_path / "all", seeds=[3, 5], num_levels=[2, 30])
    assert _iterate_all._cache_size() == compiled_before + 1
    assert [result.step for result in results] == [TOTAL] * 4
    for index, (levels, seed) in enumerate([(2, 3), (2, 5), (30, 3), (30, 5)]):
        config = dataclasses.replace(CONFIG, seed=seed, env_options={"num_levels": levels})
        alone, member = tmp_path / f"alone-{index}", tmp_path / "all" / f"member-{index:03d}"
        train(config, alone)
        for row, expected in zip(timeless(member), timeless(alone), strict=True):
            # Float32 sums in another order, through 32 steps of Adam.
            assert row == pytest.approx(expected, rel=1e-3, abs=1e-4)
        assert results[index].agent == member / "agent"
        params, expected = (checkpoint.load(f / "agent")[1]["kernel"] for f in (member, alone))
        np.testing.assert_allclose(params, expected, rtol=1e-3, atol=1e-4)
    returns = [timeless(tmp_path / "all" / f"member-{i:03d}")[-1]["loss"] for i in range(4)]
    assert len(set(returns)) == 4, "members must differ for the test to mean something"


@pytest.mark.parametrize("path", ["on_device", pytest.param("on_host", marks=pytest.mark.slow)])
def test_stopped_and_killed_populations_continue_exactly(tmp_path, path, request, assert_same_tree):
    request.getfixturevalue(path)
    seeds = [3, 5]
    train_population(CONFIG, tmp_path / "whole", seeds=seeds)
    stopped = train_population(
        CONFIG, tmp_path / "stopped", seeds=seeds, on_update=interrupt_at(2 * UPDATE)
    )
    assert not any(result.finished for result in stopped)
    with pytest.raises(RuntimeError, match="killed"):
        train_population(CONFIG, tmp_path / "killed", seeds=seeds, on_update=die_at(3 * UPDATE))
    for name in ("stopped", "killed"):
        assert all(r.finished for r in train_population(CONFIG, tmp_path / name, seeds=seeds))
        for member in ("member-000", "member-001"):
            assert_same_agent(
                tmp_path / name / member, tmp_path / "whole" / member, assert_same_tree
            )
    # Members run by the host are the very runs trained alone.
    if path == "on_host":
        train(CONFIG, tmp_path / "alone")
        assert_same_agent(tmp_path / "whole" / "member-000", tmp_path / "alone", assert_same_tree)


@pytest.mark.usefixtures("on_host")
def test_another_population_is_refused(tmp_path):
    folder = tmp_path / "population"
    train_population(with_ppo(total_steps=UPDATE), folder, seeds=[0, 1])
    with pytest.raises(CheckpointMismatchError, match=r"holds a population of .*; got .*Choose an"):
        train_population(CONFIG, folder, seeds=[0, 1, 2])
    with pytest.raises(CheckpointMismatchError, match="holds a run with another model"):
        train_population(dataclasses.replace(CONFIG, model="clear"), folder, seeds=[0, 1])
    with pytest.raises(CheckpointMismatchError, match="is a member of a population"):
        train(CONFIG, folder / "member-000")
    with pytest.raises(CheckpointMismatchError, match="holds files but no training run"):
        train(CONFIG, folder)
    train(CONFIG, tmp_path / "run")
    with pytest.raises(CheckpointMismatchError, match="holds files but no population"):
        train_population(CONFIG, tmp_path / "run", seeds=[0])
    (folder / "population.json").write_text("[[")
    with pytest.raises(CheckpointMismatchError, match=r"population\.json is no population's"):
        train_population(CONFIG, folder, seeds=[0, 1])
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointMismatchError, match="is a file; expected a folder"):
        train_population(CONFIG, tmp_path / "file", seeds=[0])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"seeds": []}, "number of seeds must be an integer of at least 1; got 0"),
        ({"seeds": [1, 1]}, r"seeds must all be different; got \[1, 1\]"),
        ({"seeds": [1], "num_levels": [5, 5]}, r"num_levels must all be different; got \[5, 5\]"),
    ],
)
def test_populations_without_sense_are_refused(tmp_path, members, message):
    with pytest.raises(ValueError, match=message):
        train_population(CONFIG, tmp_path / "population", **members)
    assert not (tmp_path / "population").exists()


@pytest.mark.usefixtures("on_device")
def test_run_that_did_not_say_its_activation_dtype_continues(tmp_path):
    train(with_ppo(total_steps=UPDATE), tmp_path / "run")
    path = tmp_path / "run" / "config.json"
    held = json.loads(path.read_text())
    assert held.pop("activation_dtype") == "float32"
    path.write_text(json.dumps(held))
    assert train(CONFIG, tmp_path / "run").step == TOTAL
    rounded = dataclasses.replace(CONFIG, activation_dtype="bfloat16")
    with pytest.raises(CheckpointMismatchError, match="another activation_dtype"):
        train(rounded, tmp_path / "run")


@pytest.mark.usefixtures("on_device")
def test_checkpoint_of_other_games_is_refused(tmp_path):
    train(with_ppo(total_steps=UPDATE), tmp_path / "run")
    store = TrainingStateStore(tmp_path / "run" / "state")
    learner = {"kernel": np.zeros(3)}
    with pytest.raises(checkpoint.CheckpointError, match="is damaged or of another model"):
        store.load(UPDATE, learner, {"games": np.zeros(3)})
    store.close()
