"""The clipped objective of proximal policy optimization and its metrics.

Source: Schulman et al. 2017, https://arxiv.org/abs/1707.06347; value clipping as OpenAI Baselines'
`ppo2`, which Procgen's published curves were made with.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32, UInt8

from rlvision_jax._types import Params
from rlvision_jax.training.config import PPOConfig


@runtime_checkable
class ActorCritic(Protocol):
    """What the loss needs of a policy."""

    def apply(
        self, params: Params, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value."""
        ...


class Minibatch(NamedTuple):
    """Samples for one gradient, with what the behaviour policy said of them.

    Attributes:
      observations: frames, 0-255.
      actions: actions taken.
      log_probs: log-probability of each action when it was taken.
      values: value of each observation when it was met.
      advantages: normalized advantages.
      targets: value targets.
    """

    observations: UInt8[Array | np.ndarray, "sample height width channel"]
    actions: Int32[Array | np.ndarray, " sample"]
    log_probs: Float[Array | np.ndarray, " sample"]
    values: Float[Array | np.ndarray, " sample"]
    advantages: Float[Array | np.ndarray, " sample"]
    targets: Float[Array | np.ndarray, " sample"]


class LossMetrics(NamedTuple):
    """Means over the samples.

    Attributes:
      loss: what is minimized.
      policy_loss: clipped surrogate, negated.
      value_loss: half the squared error, the larger of clipped and unclipped.
      entropy: entropy of the policy, in nats.
      approximate_kl: KL from the behaviour policy, by Schulman's estimator (ratio - 1) - log ratio.
      clip_fraction: share of samples whose ratio left the clip range.
    """

    loss: Float[Array, ""]
    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    approximate_kl: Float[Array, ""]
    clip_fraction: Float[Array, ""]


def normalize_advantages(
    advantages: Float[Array | np.ndarray, " sample"],
) -> Float[Array | np.ndarray, " sample"]:
    """Mean 0 and standard deviation 1 over a minibatch."""
    return (advantages - advantages.mean()) / (advantages.std() + 1e-8)


def ppo_loss(
    policy: ActorCritic, params: Params, minibatch: Minibatch, config: PPOConfig
) -> tuple[Float[Array, ""], LossMetrics]:
    """Loss of a minibatch: mean over its samples, so means over equal parts average to it.

    Args:
      policy: the policy to improve.
      params: its parameters, which the loss is differentiated by.
      minibatch: samples; advantages already normalized.
      config: clip ranges and coefficients.

    Returns:
      The loss and its metrics.
    """
    logits, values = policy.apply(params, minibatch.observations)
    log_policy = jax.nn.log_softmax(logits)
    log_probs = jnp.take_along_axis(log_policy, minibatch.actions[:, None], axis=1)[:, 0]
    log_ratio = log_probs - minibatch.log_probs
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1.0 - config.clip_range, 1.0 + config.clip_range)
    policy_loss = -jnp.minimum(ratio * minibatch.advantages, clipped * minibatch.advantages).mean()

    near = minibatch.values + jnp.clip(
        values - minibatch.values, -config.value_clip_range, config.value_clip_range
    )
    value_loss = (
        0.5 * jnp.maximum((values - minibatch.targets) ** 2, (near - minibatch.targets) ** 2).mean()
    )
    entropy = -(jnp.exp(log_policy) * log_policy).sum(-1).mean()
    loss = (
        policy_loss + config.value_coefficient * value_loss - config.entropy_coefficient * entropy
    )
    return loss, LossMetrics(
        loss=loss,
        policy_loss=policy_loss,
        value_loss=value_loss,
        entropy=entropy,
        approximate_kl=(ratio - 1.0 - log_ratio).mean(),
        clip_fraction=(jnp.abs(ratio - 1.0) > config.clip_range).mean(),
    )
