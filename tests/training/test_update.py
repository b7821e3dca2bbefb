import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numbered_env import SHAPE, TablePolicy

from rlvision_jax.training import PPOConfig, generalized_advantages
from rlvision_jax.training.normalization import initial_scale, scale_rewards
from rlvision_jax.training.ppo_loss import Minibatch, normalize_advantages, ppo_loss
from rlvision_jax.training.rollout import Rollout
from rlvision_jax.training.update import (
    LearnerState,
    learning_rate,
    make_optimizer,
    make_update,
    minibatch_indices,
)

POLICY = TablePolicy("impala", 4, SHAPE)
# 20 samples in each minibatch: micro-batches of 7, 7 and 6, or for two threads of 5.
CONFIG = PPOConfig(num_envs=4, num_steps=10, num_minibatches=2, num_epochs=2)


@pytest.fixture
def state():
    logits, values = jax.random.normal(jax.random.key(0), (8, 4)), jnp.arange(8.0)
    params = {"logits": logits, "values": values}
    return LearnerState(params, make_optimizer(CONFIG).init(params), initial_scale(4))


@pytest.fixture
def rollout():
    rng = np.random.default_rng(0)
    shape = (CONFIG.num_steps, CONFIG.num_envs)
    return Rollout(
        observations=rng.integers(0, 8, (*shape, *SHAPE), dtype=np.uint8),
        actions=rng.integers(0, 4, shape, dtype=np.int32),
        log_probs=np.full(shape, np.log(0.25), np.float32),
        values=rng.normal(size=shape).astype(np.float32),
        rewards=rng.normal(size=shape).astype(np.float32),
        done=rng.random(shape) < 0.2,
        bootstrap_values=rng.normal(size=4).astype(np.float32),
    )


def assert_close(tree, other):
    # Sums of at most 40 float32 terms in another order, then Adam: the first steps have the
    # size of the learning rate whatever the gradient's, so rounding of a gradient near 0 shows
    # as a part of 5e-4.
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=2e-5), tree, other)


def test_compiled_and_threaded_updates_agree(state, rollout):
    key = jax.random.key(1)
    compiled = make_update(POLICY, CONFIG, compiled=True)(state, rollout, key)
    threaded = make_update(POLICY, CONFIG, compiled=False)(state, rollout, key)
    assert_close(compiled, threaded)


def test_number_of_threads_changes_only_the_order_of_sums(state, rollout, monkeypatch):
    results = []
    for num_threads in (1, 2, 3, 7):
        monkeypatch.setattr(os, "cpu_count", lambda: num_threads)  # noqa: B023
        update = make_update(POLICY, CONFIG, compiled=False)
        results.append(update(state, rollout, jax.random.key(1)))
    assert_close(results[0], results[1])
    assert_close(results[0], results[2])
    assert_close(results[0], results[3])


def test_same_key_gives_the_same_update_and_keeps_the_old_state(state, rollout, assert_same_tree):
    update = make_update(POLICY, CONFIG, compiled=False)
    first, second, other = (update(state, rollout, jax.random.key(k)) for k in (1, 1, 2))
    assert_same_tree(first, second)
    assert float(other[1].losses.loss) != float(first[1].losses.loss)


@pytest.mark.parametrize("normalize", [True, False])
def test_single_minibatch_is_one_step_of_adam_on_the_loss(state, rollout, normalize):
    config = PPOConfig(
        num_envs=4, num_steps=10, num_minibatches=1, num_epochs=1, normalize_rewards=normalize
    )
    update = make_update(POLICY, config, compiled=False)
    result, metrics = update(state, rollout, jax.random.key(1))
    scale, rewards = state.reward_scale, rollout.rewards
    if normalize:
        scale, rewards = scale_rewards(
            scale, jnp.asarray(rewards), jnp.asarray(rollout.done), discount=0.99
        )
    advantages = np.asarray(
        jax.vmap(
            lambda *arrays: generalized_advantages(*arrays, discount=0.999, gae_lambda=0.95),
            in_axes=(1, 1, 1, 0),
            out_axes=1,
        )(rewards, rollout.values, rollout.done, rollout.bootstrap_values)
    )
    minibatch = Minibatch(
        observations=rollout.observations.reshape(-1, *SHAPE),
        actions=rollout.actions.reshape(-1),
        log_probs=rollout.log_probs.reshape(-1),
        values=rollout.values.reshape(-1),
        advantages=normalize_advantages(advantages.reshape(-1)),
        targets=(advantages + rollout.values).reshape(-1),
    )

    @jax.jit
    def expected(params):
        grad = jax.value_and_grad(lambda p: ppo_loss(POLICY, p, minibatch, config), has_aux=True)
        (loss, _), gradient = grad(params)
        norm = jnp.sqrt(jnp.sum(gradient["logits"] ** 2) + jnp.sum(gradient["values"] ** 2))
        # Adam's first step: the gradient, clipped to a norm of 0.5, divided by its own size.
        clipped = jax.tree.map(lambda g: g * jnp.minimum(1.0, 0.5 / norm), gradient)
        steps = jax.tree.map(lambda g: 5e-4 * g / (jnp.abs(g) + 1e-5), clipped)
        return loss, norm, jax.tree.map(jnp.subtract, params, steps)

    loss, norm, params = expected(state.params)
    assert_close(result.params, params)
    assert_close(result.reward_scale, scale)
    assert_close(metrics.losses.loss, loss)
    assert_close(metrics.gradient_norm, norm)
    explained = 1 - np.var(advantages) / np.var(advantages + rollout.values)
    assert_close(metrics.explained_variance, explained)
    assert_close(metrics.value_mean, rollout.values.mean())


def test_equal_targets_explain_nothing(state, rollout):
    still = rollout._replace(
        rewards=np.zeros_like(rollout.rewards),
        values=np.zeros_like(rollout.values),
        bootstrap_values=np.zeros(4, np.float32),
    )
    _, metrics = make_update(POLICY, CONFIG, compiled=False)(state, still, jax.random.key(1))
    assert metrics.explained_variance == 0.0


def test_each_epoch_takes_each_sample_once_in_its_own_order():
    rows = minibatch_indices(CONFIG, jax.random.key(0))
    first, second = np.asarray(rows).reshape(CONFIG.num_epochs, -1)
    np.testing.assert_array_equal(np.sort(first), np.arange(CONFIG.batch_size))
    np.testing.assert_array_equal(np.sort(second), np.arange(CONFIG.batch_size))
    assert (first != second).any()


def test_annealed_steps_shrink_to_zero():
    config = dataclasses.replace(
        CONFIG, anneal_learning_rate=True, total_steps=3 * CONFIG.batch_size, learning_rate=0.1
    )
    optimizer = make_optimizer(config)
    params, gradient = {"w": jnp.zeros(())}, {"w": jnp.ones(())}
    optimizer_state = optimizer.init(params)
    sizes = []
    for _ in range(3 * config.num_epochs * config.num_minibatches + 1):
        updates, optimizer_state = optimizer.update(gradient, optimizer_state, params)
        sizes.append(-float(updates["w"]))
    logged = [learning_rate(config, update * config.batch_size) for update in range(4)]
    # A constant gradient gives Adam steps of the step size, up to epsilon = 1e-5 of 0.5.
    np.testing.assert_allclose(sizes[:: config.num_epochs * config.num_minibatches], logged, 1e-4)
    assert logged[0] == 0.1
    assert logged[-1] == 0.0
    assert learning_rate(CONFIG, 12345) == CONFIG.learning_rate
