"""One PPO update: advantages, then epochs of minibatches.

On an accelerator the whole update is one compiled loop. XLA on CPU runs convolutions inside
compiled loops many times slower, and small batches on one core as fast as on two; there the loop
is Python's, and threads share each minibatch in micro-batches. Both give the same update up to
the order of summation.
"""

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int32

from rlvision_jax._types import Params
from rlvision_jax.models import Policy
from rlvision_jax.training.config import PPOConfig
from rlvision_jax.training.cpu_shares import LayersInTurn, micro_batch_size
from rlvision_jax.training.gae import generalized_advantages
from rlvision_jax.training.normalization import RewardScale, initial_scale, scale_rewards
from rlvision_jax.training.ppo_loss import (
    ActorCritic,
    LossMetrics,
    Minibatch,
    normalize_advantages,
    ppo_loss,
)
from rlvision_jax.training.rollout import Rollout


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


class UpdateMetrics(NamedTuple):
    """What is known of an update when it is done.

    Attributes:
      losses: means over all samples of all minibatches.
      gradient_norm: global norm of the gradient before clipping, mean over minibatches.
      explained_variance: share of the value targets' variance that the rollout's values
        explain; at most 1, and 0 if all targets are equal.
      value_mean: mean value of the rollout's observations, in units of the scaled reward.
    """

    losses: LossMetrics
    gradient_norm: Float[Array, ""]
    explained_variance: Float[Array, ""]
    value_mean: Float[Array, ""]


Update = Callable[[LearnerState, Rollout, Array], tuple[LearnerState, UpdateMetrics]]


def make_optimizer(config: PPOConfig) -> optax.GradientTransformation:
    """Adam (epsilon 1e-5) behind a clip of the global gradient norm, annealed if so configured."""
    step_size: optax.ScalarOrSchedule = config.learning_rate
    if config.anneal_learning_rate:
        gradients = config.num_updates * config.num_epochs * config.num_minibatches
        step_size = optax.linear_schedule(config.learning_rate, 0.0, gradients)
    return optax.chain(
        optax.clip_by_global_norm(config.max_grad_norm), optax.adam(step_size, eps=1e-5)
    )


def learning_rate(config: PPOConfig, step: int) -> float:
    """Adam's step size at the first gradient of the update that begins after `step` steps.

    Example:
      >>> learning_rate(PPOConfig(anneal_learning_rate=True, total_steps=2 * 16384), 16384)
      0.00025
    """
    if not config.anneal_learning_rate:
        return config.learning_rate
    return config.learning_rate * (1.0 - step / (config.num_updates * config.batch_size))


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
      new state and the metrics.
    """
    if compiled is None:
        compiled = jax.default_backend() != "cpu"
    if compiled:
        return functools.partial(_compiled_update, policy, config)
    return _ThreadedUpdate(policy, config)


@functools.partial(jax.jit, static_argnums=0)
def samples_of(
    config: PPOConfig, reward_scale: RewardScale, rollout: Rollout
) -> tuple[RewardScale, Minibatch]:
    """Turns a rollout into samples with advantages and value targets, not yet normalized.

    Args:
      config: settings of the algorithm. Static.
      reward_scale: running scale before the rollout.
      rollout: the experience.

    Returns:
      The scale after it; the samples, whose axes are still time and env.
    """
    reward_scale, rewards = scaled_rewards(config, reward_scale, rollout.rewards, rollout.done)
    return reward_scale, samples_with_targets(config, rollout, rewards)


def scaled_rewards(
    config: PPOConfig,
    reward_scale: RewardScale,
    rewards: Float[Array | np.ndarray, "time env"],
    done: Bool[Array | np.ndarray, "time env"],
) -> tuple[RewardScale, Float[Array, "time env"]]:
    """Scales a rollout's rewards, if so configured; the first part of `samples_of`."""
    rewards, done = jnp.asarray(rewards), jnp.asarray(done)
    if not config.normalize_rewards:
        return reward_scale, rewards
    return scale_rewards(reward_scale, rewards, done, discount=config.reward_scale_discount)


def samples_with_targets(
    config: PPOConfig, rollout: Rollout, rewards: Float[Array, "time env"]
) -> Minibatch:
    """Adds advantages and value targets of the scaled rewards; the rest of `samples_of`."""
    values = jnp.asarray(rollout.values)
    advantages = jax.vmap(
        functools.partial(
            generalized_advantages, discount=config.discount, gae_lambda=config.gae_lambda
        ),
        in_axes=(1, 1, 1, 0),
        out_axes=1,
    )(rewards, values, jnp.asarray(rollout.done), jnp.asarray(rollout.bootstrap_values))
    return Minibatch(
        observations=rollout.observations,
        actions=rollout.actions,
        log_probs=rollout.log_probs,
        values=values,
        advantages=advantages,
        targets=advantages + values,
    )


def _in_one_row(samples: Minibatch) -> Minibatch:
    """Samples of all times and environments along one axis."""
    return Minibatch(*(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]) for x in samples))


@functools.partial(jax.jit, static_argnums=0)
def minibatch_indices(config: PPOConfig, key: Array) -> Int32[Array, "minibatch sample"]:
    """Which samples make up each minibatch; every epoch takes each sample once.

    Args:
      config: settings of the algorithm. Static.
      key: consumed.

    Returns:
      Indices into the samples, a row for each minibatch of each epoch in turn.
    """
    keys = jax.random.split(key, config.num_epochs)
    orders = jax.vmap(lambda key: jax.random.permutation(key, config.batch_size))(keys)
    return orders.reshape(-1, config.minibatch_size)


def _minibatch(samples: Minibatch, indices: Array | np.ndarray) -> Minibatch:
    return Minibatch(*(x[indices] for x in samples))


_normalize = jax.jit(normalize_advantages)


def _normalized(minibatch: Minibatch) -> Minibatch:
    return minibatch._replace(advantages=_normalize(minibatch.advantages))


def loss_gradient(
    policy: ActorCritic, config: PPOConfig, params: Params, minibatch: Minibatch
) -> tuple[Params, LossMetrics]:
    """Gradient of a minibatch's loss by the parameters, and its metrics."""
    return jax.grad(lambda params: ppo_loss(policy, params, minibatch, config), has_aux=True)(
        params
    )


@functools.partial(jax.jit, static_argnums=0)
def descend(
    config: PPOConfig,
    params: Params,
    optimizer_state: optax.OptState,
    shares: Sequence[tuple[Params, LossMetrics]],
) -> tuple[Params, optax.OptState, tuple[LossMetrics, Float[Array, ""]]]:
    """Takes one step of the optimizer.

    Args:
      config: settings of the algorithm. Static.
      params: parameters before the step.
      optimizer_state: Adam's moments before the step.
      shares: gradients and losses that add up to those of the minibatch.

    Returns:
      Parameters and moments after the step; losses and norm of the minibatch's gradient.
    """
    gradient, losses = jax.tree.map(lambda *parts: functools.reduce(jnp.add, parts), *shares)
    updates, optimizer_state = make_optimizer(config).update(gradient, optimizer_state, params)
    params = optax.apply_updates(params, updates)
    return params, optimizer_state, (losses, optax.tree.norm(gradient))


@jax.jit
def _summarized(
    samples: Minibatch, losses: LossMetrics, gradient_norms: Float[Array, " minibatch"]
) -> UpdateMetrics:
    """Metrics of an update, from all samples and the losses and norms of each minibatch."""
    variance = jnp.var(samples.targets)
    unexplained = jnp.var(samples.targets - samples.values) / variance
    return UpdateMetrics(
        losses=LossMetrics(*map(jnp.mean, losses)),
        gradient_norm=jnp.mean(gradient_norms),
        explained_variance=jnp.where(variance > 0.0, 1.0 - unexplained, 0.0),
        value_mean=jnp.mean(samples.values),
    )


def scan_minibatches(
    policy: Policy,
    config: PPOConfig,
    state: LearnerState,
    samples: Minibatch,
    rows: Int32[Array, "minibatch ..."],
    cut: Callable[[Minibatch, Array], Minibatch],
) -> tuple[LearnerState, UpdateMetrics]:
    """Takes one gradient step for each row, in one compiled loop.

    Args:
      policy: the policy to train.
      config: settings of the algorithm.
      state: learner before the first step, its reward scale after the rollout.
      samples: all samples, as `samples_of` made them.
      rows: which samples make up each minibatch, in the way that `cut` understands.
      cut: takes a row's minibatch out of the samples.
    """

    def step(carry: tuple, row: Array) -> tuple[tuple, tuple[LossMetrics, Array]]:
        params, optimizer_state = carry
        whole = loss_gradient(policy, config, params, _normalized(cut(samples, row)))
        params, optimizer_state, metrics = descend(config, params, optimizer_state, [whole])
        return (params, optimizer_state), metrics

    # XLA on CPU runs convolutions inside loops many times slower.
    (params, optimizer_state), (losses, norms) = jax.lax.scan(
        step,
        (state.params, state.optimizer_state),
        rows,
        unroll=jax.default_backend() == "cpu",
    )
    state = LearnerState(params, optimizer_state, state.reward_scale)
    return state, _summarized(samples, losses, norms)


# The state is not donated: a run that is interrupted saves the one it had.
@functools.partial(jax.jit, static_argnums=(0, 1))
def _compiled_update(
    policy: Policy, config: PPOConfig, state: LearnerState, rollout: Rollout, key: Array
) -> tuple[LearnerState, UpdateMetrics]:
    reward_scale, samples = samples_of(config, state.reward_scale, rollout)
    state = state._replace(reward_scale=reward_scale)
    rows = minibatch_indices(config, key)
    return scan_minibatches(policy, config, state, _in_one_row(samples), rows, _minibatch)


class _ThreadedUpdate:
    """The update in a Python loop, each minibatch shared by threads in micro-batches."""

    def __init__(self, policy: Policy, config: PPOConfig):
        self._policy = LayersInTurn(policy)
        self._config = config
        self._num_threads = os.cpu_count() or 1
        self._threads = ThreadPoolExecutor(self._num_threads)
        self._micro_batch = micro_batch_size(policy, config.minibatch_size, self._num_threads)

    def __call__(
        self, state: LearnerState, rollout: Rollout, key: Array
    ) -> tuple[LearnerState, UpdateMetrics]:
        config = self._config
        # Frames stay NumPy's: minibatches are cut out of them here.
        frames = rollout.observations.reshape(-1, *rollout.observations.shape[2:])
        no_frames = np.empty((*rollout.actions.shape, 0), np.uint8)
        reward_scale, samples = samples_of(
            config, state.reward_scale, rollout._replace(observations=no_frames)
        )
        on_host = _in_one_row(Minibatch(*map(np.asarray, samples)))._replace(observations=frames)
        params, optimizer_state = state.params, state.optimizer_state
        nothing, rows = _no_gradient(params), []
        for indices in np.asarray(minibatch_indices(config, key)):
            # NumPy's arrays again: those of JAX are slow to cut.
            minibatch = Minibatch(*map(np.asarray, _normalized(_minibatch(on_host, indices))))
            shares = list(self._shares(nothing, params, minibatch))
            params, optimizer_state, row = descend(config, params, optimizer_state, shares)
            rows.append(row)
        losses, norms = jax.tree.map(lambda *minibatches: np.stack(minibatches), *rows)
        state = LearnerState(params, optimizer_state, reward_scale)
        return state, _summarized(samples, losses, norms)

    def _shares(
        self, nothing: tuple[Params, LossMetrics], params: Params, minibatch: Minibatch
    ) -> Iterator[tuple[Params, LossMetrics]]:
        """Each thread's share of the minibatch's gradient and losses; together the whole."""
        starts = range(0, self._config.minibatch_size, self._micro_batch)

        def share(thread: int) -> tuple[Params, LossMetrics]:
            total = nothing
            for start in starts[thread :: self._num_threads]:
                part = Minibatch(*(x[start : start + self._micro_batch] for x in minibatch))
                total = jax.block_until_ready(
                    _with_part(self._policy, self._config, total, params, part)
                )
            return total

        return self._threads.map(share, range(min(self._num_threads, len(starts))))


@jax.jit
def _no_gradient(params: Params) -> tuple[Params, LossMetrics]:
    zeros = jax.tree.map(jnp.zeros_like, params)
    return zeros, LossMetrics(*(jnp.zeros(()) for _ in LossMetrics._fields))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _with_part(
    policy: LayersInTurn,
    config: PPOConfig,
    total: tuple[Params, LossMetrics],
    params: Params,
    part: Minibatch,
) -> tuple[Params, LossMetrics]:
    """Adds the gradient and losses of part of a minibatch, by its share of the samples."""
    weight = part.actions.shape[0] / config.minibatch_size
    gradient = loss_gradient(policy, config, params, part)
    return jax.tree.map(lambda total, part: total + weight * part, total, gradient)
