"""Running scale of the reward.

Rewards are divided by the running standard deviation of the discounted return, and clipped, as
OpenAI Baselines' `VecNormalize` does for Procgen's PPO:
https://github.com/openai/baselines/blob/ea25b9e8/baselines/common/vec_env/vec_normalize.py
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

_EPSILON = 1e-8
_CLIP = 10.0


class RewardScale(NamedTuple):
    """Running statistics of discounted returns.

    Attributes:
      mean: mean of the discounted returns seen so far.
      variance: their variance.
      count: how many were seen (plus the prior's 1e-4).
      returns: discounted return of the running episode of each environment.
    """

    mean: Float[Array, ""]
    variance: Float[Array, ""]
    count: Float[Array, ""]  # pyright: ignore[reportIncompatibleMethodOverride]
    returns: Float[Array, " env"]


def initial_scale(num_envs: int) -> RewardScale:
    """Statistics before any reward: mean 0, variance 1, weight 1e-4."""
    return RewardScale(jnp.zeros(()), jnp.ones(()), jnp.float32(1e-4), jnp.zeros(num_envs))


def scale_rewards(
    scale: RewardScale,
    rewards: Float[Array, "time env"],
    done: Bool[Array, "time env"],
    *,
    discount: float,
) -> tuple[RewardScale, Float[Array, "time env"]]:
    """Updates the statistics step by step and scales each reward with those up to its step.

    Args:
      scale: statistics before the first step.
      rewards: rewards as the environment gave them.
      done: whether the step ended its episode; its return starts again at 0.
      discount: gamma of the discounted return that the statistics are of, in [0, 1].

    Returns:
      Statistics after the last step; rewards in units of the return's standard deviation,
      clipped to [-10, 10].
    """

    def step(scale: RewardScale, inputs: tuple[Array, Array]) -> tuple[RewardScale, Array]:
        reward, done = inputs
        returns = discount * scale.returns + reward
        batch = jnp.asarray(reward.shape[0], returns.dtype)
        # Chan et al.'s update of mean and variance by a batch, as increments: in float32 they
        # keep more digits than quotients of sums that grow with the steps.
        total = scale.count + batch
        share = batch / total
        delta = returns.mean() - scale.mean
        mean = scale.mean + share * delta
        variance = scale.variance + share * (
            returns.var() - scale.variance + (1.0 - share) * delta**2
        )
        scaled = jnp.clip(reward / jnp.sqrt(variance + _EPSILON), -_CLIP, _CLIP)
        return RewardScale(mean, variance, total, jnp.where(done, 0.0, returns)), scaled

    return jax.lax.scan(step, scale, (rewards, done))
