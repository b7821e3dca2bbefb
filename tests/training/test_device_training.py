import dataclasses
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import signal_env
import spread_iterations
from signal_env import LinearPolicy, SignalBatch
from spread_iterations import iterated

from rlvision_jax import models
from rlvision_jax.envs import DeviceEnv, HostEnv
from rlvision_jax.training import PPOConfig, TrainConfig
from rlvision_jax.training.device_rollout import begin, collect, episodes
from rlvision_jax.training.device_training import DeviceTrainer, iterate, minibatch_times
from rlvision_jax.training.rollout import Collector
from rlvision_jax.training.trainer import run_keys
from rlvision_jax.training.update import initial_learner, make_update

CONFIG = TrainConfig(
    env="signal",
    env_options={},
    model="nature",
    ppo=PPOConfig(num_envs=6, num_steps=20, num_epochs=2, num_minibatches=4),
)
POLICY = LinearPolicy("nature", 4, signal_env.SHAPE)


@pytest.fixture(autouse=True)
def linear_policy(monkeypatch):
    monkeypatch.setattr(models, "make", LinearPolicy)


def with_ppo(**changes):
    return dataclasses.replace(CONFIG, ppo=dataclasses.replace(CONFIG.ppo, **changes))


def same_play_on_the_host(trainer, key):
    """A collector whose games begin and go on as the trainer's, and its key."""
    action_key, env_key = jax.random.split(key)
    _, game_key, _ = run_keys(trainer.config.seed)
    batch = SignalBatch(signal_env.make(), trainer.config.ppo.num_envs, game_key, env_key)
    return Collector([batch]), action_key


def test_contracts_are_told_apart():
    env = signal_env.make()
    batch = SignalBatch(env, 2, jax.random.key(0))
    assert isinstance(env, DeviceEnv)
    assert not isinstance(env, HostEnv)
    assert isinstance(batch, HostEnv)


def test_rollout_equals_the_host_collectors():
    trainer = DeviceTrainer(CONFIG, signal_env.make())
    learner = initial_learner(POLICY, CONFIG.ppo, jax.random.key(1))
    collector, action_key = same_play_on_the_host(trainer, jax.random.key(2))
    expected, expected_episodes = collector.collect(POLICY, learner.params, action_key, 20)
    playing, rollout, last = jax.jit(collect, static_argnums=(0, 1, 6))(
        POLICY, trainer.mesh, trainer.env, learner.params, trainer.playing, jax.random.key(2), 20
    )
    for name in ("observations", "actions", "rewards", "done"):
        np.testing.assert_array_equal(getattr(rollout, name), getattr(expected, name), err_msg=name)
    for name in ("log_probs", "values", "bootstrap_values"):
        # Sums of four float32 terms, compiled apart.
        np.testing.assert_allclose(
            getattr(rollout, name), getattr(expected, name), rtol=1e-6, err_msg=name
        )
    assert len(expected_episodes) > 20
    assert {episode.level_complete for episode in expected_episodes} == {True, False}
    assert sorted(episodes(last)) == sorted(expected_episodes)
    assert int(last.num_ended) == len(expected_episodes)
    np.testing.assert_array_equal(playing.observations, collector.observations)
    np.testing.assert_array_equal(playing.returns, collector.returns)
    np.testing.assert_array_equal(playing.lengths, collector.lengths)


def test_update_equals_the_host_update_on_one_minibatch():
    config = with_ppo(num_epochs=1, num_minibatches=1)
    trainer = DeviceTrainer(config, signal_env.make())
    learner = initial_learner(POLICY, config.ppo, jax.random.key(1))
    rollout_key, update_key = jax.random.split(jax.random.key(2))
    collector, action_key = same_play_on_the_host(trainer, rollout_key)
    rollout, _ = collector.collect(POLICY, learner.params, action_key, 20)
    update = make_update(POLICY, config.ppo, compiled=False)
    expected, metrics = update(learner, rollout, update_key)
    outcome = trainer.iterate(learner, jax.random.key(2))
    # Sums of 120 float32 terms in another order; Adam's first step has the size of the learning
    # rate whatever the gradient's, so rounding of a gradient near 0 shows as a part of 5e-4.
    for ours, theirs in ((outcome.learner, expected), (outcome.metrics, metrics)):
        jax.tree.map(
            lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=2e-5), ours, theirs
        )


@pytest.mark.slow
def test_only_the_last_hundred_episodes_leave_the_device_in_order_of_time():
    config = with_ppo(num_envs=30)
    trainer = DeviceTrainer(config, signal_env.make())
    learner = initial_learner(POLICY, config.ppo, jax.random.key(1))
    collector, action_key = same_play_on_the_host(trainer, jax.random.split(jax.random.key(2))[0])
    _, expected = collector.collect(POLICY, learner.params, action_key, 20)
    outcome = trainer.iterate(learner, jax.random.key(2))
    assert outcome.num_episodes == len(expected) > 100
    assert outcome.episodes == expected[-100:]


def test_running_episodes_continue_in_the_next_rollout_without_compiling_again():
    trainer = DeviceTrainer(with_ppo(num_steps=1, num_minibatches=1), signal_env.make())
    learner = initial_learner(POLICY, trainer.config.ppo, jax.random.key(1))
    ended, compiled_before = [], iterate._cache_size()
    for count in range(12):
        outcome = trainer.iterate(learner, jax.random.key(count))
        learner = outcome.learner
        ended += outcome.episodes
    assert iterate._cache_size() == compiled_before + 1
    assert len(ended) > 12
    assert all(episode.length == episode.level_seed % 3 + 2 for episode in ended)


def test_each_epoch_takes_each_sample_once_and_equally_many_of_each_environment():
    rows = np.asarray(minibatch_times(CONFIG.ppo, jax.random.key(0)))
    assert rows.shape == (8, 6, 5)
    for epoch in rows.reshape(2, 4, 6, 5):
        of_each_env = epoch.swapaxes(0, 1).reshape(6, 20)
        np.testing.assert_array_equal(np.sort(of_each_env), np.tile(np.arange(20), (6, 1)))
    assert len({tuple(row) for row in rows.reshape(-1, 5)}) == 48


def test_games_draw_levels_from_the_given_set():
    env = signal_env.make(num_levels=1000)
    playing = begin(env, jax.random.key(0), 50, jnp.asarray([200, 203]))
    assert set(np.asarray(playing.env_states.level_seed).tolist()) == {200, 201, 202}


def test_two_devices_do_as_one_does_and_exchange_no_frames():
    # In another process: the number of devices is fixed when JAX starts.
    result = subprocess.run(
        [sys.executable, spread_iterations.__file__],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2"},
    )
    assert result.returncode == 0, result.stderr
    one, two = (json.loads(text) for text in (json.dumps(iterated()), result.stdout))
    assert (one["devices"], two["devices"]) == (1, 2)
    assert one["episodes"] == two["episodes"]
    # Sums of 20 float32 terms in another order, through eight steps of Adam.
    np.testing.assert_allclose(one["params"], two["params"], rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(one["metrics"], two["metrics"], rtol=1e-4, atol=2e-5)
    assert one["exchanged"] == []
    assert "f32" in two["exchanged"], "gradients must be added up for the test to mean something"
    assert "u8" not in two["exchanged"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_steps": 22, "num_minibatches": 4}, "num_steps = 22 must be divisible by num_mini"),
        ({"num_envs": 7}, "num_envs = 7 must be divisible by the number of devices, 2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DeviceTrainer(with_ppo(**changes), signal_env.make(), devices=2 * jax.devices())
