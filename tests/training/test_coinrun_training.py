"""The real game, trained on without leaving the device; compiles for a minute."""

import dataclasses
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import checkpoint, envs
from rlvision_jax.training import (
    PPOConfig,
    TrainConfig,
    read_metrics,
    train,
    train_population,
    trainers,
)
from rlvision_jax.training.device_rollout import Playing, collect, episodes
from rlvision_jax.training.device_training import DeviceTrainer
from rlvision_jax.training.rollout import Collector
from rlvision_jax.training.update import initial_learner

pytestmark = pytest.mark.slow

UPDATE = 4 * 8
CONFIG = TrainConfig(
    env="coinrun",
    env_options={"num_levels": 5, "distribution_mode": "easy", "assets": "small"},
    model="nature",
    ppo=PPOConfig(num_envs=4, num_steps=8, num_epochs=1, num_minibatches=2, total_steps=3 * UPDATE),
    checkpoint_minutes=0.0,
    tensorboard=False,
)
# A game's last steps, so that every rollout below sees episodes end.
LATE = 992


@pytest.fixture
def on_device(monkeypatch):
    monkeypatch.setattr(trainers, "stays_on_device", lambda env: True)


def timeless(folder):
    rows = read_metrics(folder)
    return [{name: row[name] for name in row if name != "steps_per_second"} for row in rows]


def test_rollout_equals_the_host_collectors_frame_by_frame():
    num_envs, num_steps = 4, 16
    batch = envs.make_host("coinrun", num_envs=num_envs, seed=1, **CONFIG.env_options)
    batch._games = batch._games._replace(time=LATE + jnp.arange(num_envs))
    games = jax.tree.map(jnp.copy, batch._games)
    collector = Collector([batch])
    trainer = DeviceTrainer(CONFIG, batch.env)
    playing = Playing(games, jnp.asarray(collector.observations), *trainer.playing[2:])
    learner = initial_learner(trainer.policy, CONFIG.ppo, jax.random.key(1))
    action_key, _ = jax.random.split(jax.random.key(2))
    expected, expected_episodes = collector.collect(
        trainer.policy, learner.params, action_key, num_steps
    )
    playing, rollout, last = jax.jit(collect, static_argnums=(0, 1, 6))(
        trainer.policy,
        trainer.mesh,
        trainer.env,
        learner.params,
        playing,
        jax.random.key(2),
        num_steps,
    )
    for name in ("observations", "actions", "rewards", "done"):
        np.testing.assert_array_equal(getattr(rollout, name), getattr(expected, name), name)
    # Float32 sums of up to 3,136 products, compiled apart.
    np.testing.assert_allclose(rollout.values, expected.values, atol=1e-5)
    assert len(expected_episodes) >= num_envs
    assert sorted(episodes(last)) == sorted(expected_episodes)
    np.testing.assert_array_equal(playing.observations, collector.observations)


@pytest.mark.usefixtures("on_device")
def test_stopped_run_continues_exactly(tmp_path, assert_same_tree):
    def stop(progress):
        if progress.step == UPDATE:
            os.kill(os.getpid(), signal.SIGTERM)

    assert train(CONFIG, tmp_path / "whole").finished
    assert train(CONFIG, tmp_path / "stopped", on_update=stop).step == UPDATE
    assert train(CONFIG, tmp_path / "stopped").finished
    assert timeless(tmp_path / "stopped") == timeless(tmp_path / "whole")
    agents = [checkpoint.load(tmp_path / name / "agent") for name in ("stopped", "whole")]
    assert_same_tree(agents[0][1], agents[1][1])


@pytest.mark.usefixtures("on_device")
def test_members_of_different_level_counts_equal_the_runs_trained_alone(tmp_path):
    # The smaller set is tabled when played alone, and drawn from the larger in the population.
    counts = [5, 20_000]
    train_population(CONFIG, tmp_path / "all", seeds=[0], num_levels=counts)
    rows = []
    for index, count in enumerate(counts):
        config = dataclasses.replace(
            CONFIG, env_options={**CONFIG.env_options, "num_levels": count}
        )
        train(config, tmp_path / str(count))
        rows.append(timeless(tmp_path / "all" / f"member-{index:03d}"))
        for row, expected in zip(rows[-1], timeless(tmp_path / str(count)), strict=True):
            # Float32 sums in another order, through 6 steps of Adam.
            assert row == pytest.approx(expected, rel=1e-3, abs=1e-4)
    assert rows[0] != rows[1]


def test_host_path_trains(tmp_path):
    result = train(CONFIG, tmp_path / "run")
    assert checkpoint.load(result.agent)[2]["env"] == "coinrun"
    assert len(read_metrics(tmp_path / "run")) == 3
