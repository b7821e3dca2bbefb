"""One PPO update: advantages, then epochs of minibatches.

On an accelerator the whole update is one compiled loop. XLA on CPU runs convolutions inside
compiled loops many times slower, and a batch of 16 on one core as fast as on two; there the loop
is Python's, and threads share each minibatch in micro-batches. Both give the same update up to
the order of summation.
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.models import Policy
from rlvision_jax.training.config import PPOConfig
from rlvision_jax.training.gae import generalized_advantages
from rlvision_jax.training.normalization import RewardScale, initial_scale, scale_rewards
from rlvision_jax.training.ppo_loss import (
    LossMetrics,
    Minibatch,
    normalize_advantages,
    ppo_loss,
)
from rlvision_jax.training.rollout import Rollout

_CPU_MICRO_BATCH = 16


class LearnerState(NamedTuple):
    """What an update changes.

    Attributes:
      params: parameters of the policy.
      optimizer_state: Adam's moments.
      reward_scale: running scale of the reward.
    """

    params: Params
    optimizer_state: optax.OptState
    reward_scale: RewardScale


Update = Callable[[LearnerState, Rollout, Array], tuple[LearnerState, LossMetrics]]


def make_optimizer(config: PPOConfig) -> optax.GradientTransformation:
    """Adam (epsilon 1e-5) behind a clip of the global gradient norm, annealed if so configured."""
    learning_rate: optax.ScalarOrSchedule = config.learning_rate
    if config.anneal_learning_rate:
        gradients = config.num_updates * config.num_epochs * config.num_minibatches
        learning_rate = optax.linear_schedule(config.learning_rate, 0.0, gradients)
    return optax.chain(
        optax.clip_by_global_norm(config.max_grad_norm), optax.adam(learning_rate, eps=1e-5)
    )


def initial_learner(policy: Policy, config: PPOConfig, key: Array) -> LearnerState:
    """Fresh parameters and optimizer; `key` is consumed."""
    params = policy.init(key)
    return LearnerState(params, make_optimizer(config).init(params), initial_scale(config.num_envs))


def make_update(policy: Policy, config: PPOConfig, *, compiled: bool | None = None) -> Update:
    """Makes the update function for the devices in use.

    Args:
      policy: the policy to train.
      config: settings of the algorithm.
      compiled: whether epochs and minibatches are one compiled loop; None: unless on CPU.

    Returns:
      A function from learner state, rollout and key (consumed: it draws the minibatches) to the
      new state and the metrics, averaged over all minibatches. The state passed in must not be
      used again.
    """
    if compiled is None:
        compiled = jax.default_backend() != "cpu"
    if compiled:
        return jax.jit(functools.partial(_compiled_update, policy, config), donate_argnums=0)
    return _ThreadedUpdate(policy, config)


def _samples(
    config: PPOConfig, reward_scale: RewardScale, rollout: Rollout
) -> tuple[RewardScale, Minibatch]:
    """Turns a rollout into samples with advantages and value targets, not yet normalized."""
    rewards = jnp.asarray(rollout.rewards)
    if config.normalize_rewards:
        reward_scale, rewards = scale_rewards(
            reward_scale, rewards, rollout.done, discount=config.discount
        )
    advantages = jax.vmap(
        functools.partial(
            generalized_advantages, discount=config.discount, gae_lambda=config.gae_lambda
        ),
        in_axes=(1, 1, 1, 0),
        out_axes=1,
    )(rewards, rollout.values, rollout.done, rollout.bootstrap_values)
    samples = Minibatch(
        observations=rollout.observations,
        actions=rollout.actions,
        log_probs=rollout.log_probs,
        values=rollout.values,
        advantages=advantages,
        targets=advantages + rollout.values,
    )
    return reward_scale, Minibatch(*(x.reshape(config.batch_size, *x.shape[2:]) for x in samples))


def _shuffled(config: PPOConfig, key: Array) -> Array:
    """Sample indices of every minibatch of every epoch, [epoch * minibatch, sample]."""
    keys = jax.random.split(key, config.num_epochs)
    orders = jax.vmap(lambda key: jax.random.permutation(key, config.batch_size))(keys)
    return orders.reshape(-1, config.minibatch_size)


def _gradient(
    policy: Policy, config: PPOConfig, params: Params, minibatch: Minibatch
) -> tuple[Params, LossMetrics]:
    return jax.grad(lambda params: ppo_loss(policy, params, minibatch, config), has_aux=True)(
        params
    )


def _descend(
    config: PPOConfig, params: Params, optimizer_state: optax.OptState, gradient: Params
) -> tuple[Params, optax.OptState]:
    updates, optimizer_state = make_optimizer(config).update(gradient, optimizer_state, params)
    return optax.apply_updates(params, updates), optimizer_state


def _compiled_update(
    policy: Policy, config: PPOConfig, state: LearnerState, rollout: Rollout, key: Array
) -> tuple[LearnerState, LossMetrics]:
    reward_scale, samples = _samples(config, state.reward_scale, rollout)

    def step(carry: tuple, indices: Array) -> tuple[tuple, LossMetrics]:
        params, optimizer_state = carry
        minibatch = Minibatch(*(x[indices] for x in samples))
        minibatch = minibatch._replace(advantages=normalize_advantages(minibatch.advantages))
        gradient, metrics = _gradient(policy, config, params, minibatch)
        return _descend(config, params, optimizer_state, gradient), metrics

    (params, optimizer_state), metrics = jax.lax.scan(
        step, (state.params, state.optimizer_state), _shuffled(config, key)
    )
    return (
        LearnerState(params, optimizer_state, reward_scale),
        LossMetrics(*(metric.mean() for metric in metrics)),
    )


class _ThreadedUpdate:
    """The update in a Python loop, each minibatch shared by threads in micro-batches."""

    def __init__(self, policy: Policy, config: PPOConfig):
        self._config = config
        self._num_threads = os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._num_threads)
        self._samples = jax.jit(functools.partial(_samples, config))
        self._shuffled = jax.jit(functools.partial(_shuffled, config))
        self._descend = jax.jit(functools.partial(_descend, config))
        size = config.minibatch_size
        self._micro_batch = next(n for n in range(_CPU_MICRO_BATCH, 0, -1) if size % n == 0)

        def accumulate(total: tuple, params: Params, minibatch: Minibatch) -> tuple:
            weight = self._micro_batch / size
            part = _gradient(policy, config, params, minibatch)
            return jax.tree.map(lambda total, part: total + weight * part, total, part)

        self._accumulate = jax.jit(accumulate, donate_argnums=0)

    def __call__(
        self, state: LearnerState, rollout: Rollout, key: Array
    ) -> tuple[LearnerState, LossMetrics]:
        small = rollout._replace(observations=np.empty((*rollout.actions.shape, 0), np.uint8))
        reward_scale, samples = self._samples(state.reward_scale, small)
        frames = rollout.observations.reshape(-1, *rollout.observations.shape[2:])
        samples = Minibatch(*map(np.asarray, samples))._replace(observations=frames)
        params, optimizer_state = state.params, state.optimizer_state
        all_metrics = []
        for indices in np.asarray(self._shuffled(key)):
            minibatch = Minibatch(*(x[indices] for x in samples))
            minibatch = minibatch._replace(advantages=normalize_advantages(minibatch.advantages))
            gradient, metrics = self._gradient(params, minibatch)
            params, optimizer_state = self._descend(params, optimizer_state, gradient)
            all_metrics.append(metrics)
        mean = jax.tree.map(lambda *values: jnp.mean(jnp.stack(values)), *all_metrics)
        return LearnerState(params, optimizer_state, reward_scale), mean

    def _gradient(self, params: Params, minibatch: Minibatch) -> tuple[Params, LossMetrics]:
        starts = range(0, self._config.minibatch_size, self._micro_batch)
        zero = LossMetrics(*(np.zeros((), np.float32) for _ in LossMetrics._fields))

        def share(thread: int) -> tuple[Params, LossMetrics]:
            total = (jax.tree.map(jnp.zeros_like, params), zero)
            for start in starts[thread :: self._num_threads]:
                part = Minibatch(*(x[start : start + self._micro_batch] for x in minibatch))
                total = jax.block_until_ready(self._accumulate(total, params, part))
            return total

        totals = self._threads.map(share, range(self._num_threads))
        return jax.tree.map(lambda *parts: functools.reduce(jnp.add, parts), *totals)


def explained_variance(
    values: Float[np.ndarray, "time env"], targets: Float[np.ndarray, "time env"]
) -> float:
    """Share of the targets' variance that the values explain; at most 1, 0 for a constant."""
    variance = float(np.var(targets))
    return 1.0 - float(np.var(targets - values)) / variance if variance else 0.0
