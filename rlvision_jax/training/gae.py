"""Generalized advantage estimation.

Source: Schulman et al. 2016, equation 16, https://arxiv.org/abs/1506.02438.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def generalized_advantages(
    rewards: Float[Array, " time"],
    values: Float[Array, " time"],
    done: Bool[Array, " time"],
    bootstrap_value: Float[Array, ""],
    *,
    discount: float,
    gae_lambda: float,
) -> Float[Array, " time"]:
    """Advantage of every step of one trajectory, which may span several episodes.

    Args:
      rewards: reward of each step.
      values: value of the observation that each step acted on.
      done: whether the step ended its episode.
      bootstrap_value: value of the observation after the last step; unused if that step was
        `done`.
      discount: gamma, in [0, 1].
      gae_lambda: lambda, in [0, 1]; 0 gives one-step temporal differences, 1 Monte Carlo returns
        minus values.

    Returns:
      Advantages, in units of the reward. Value targets are advantages + values.

    Example:
      >>> rewards, values = jnp.asarray([0.0, 1.0]), jnp.asarray([0.5, 0.5])
      >>> done = jnp.asarray([False, True])
      >>> print(generalized_advantages(
      ...     rewards, values, done, jnp.asarray(9.0), discount=1.0, gae_lambda=1.0))
      [0.5 0.5]
    """
    next_values = jnp.append(values[1:], bootstrap_value)
    continues = 1.0 - done.astype(values.dtype)
    errors = rewards + discount * continues * next_values - values

    def backward(advantage: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
        error, continues = step
        advantage = error + discount * gae_lambda * continues * advantage
        return advantage, advantage

    _, advantages = jax.lax.scan(
        backward, jnp.zeros_like(bootstrap_value), (errors, continues), reverse=True
    )
    return advantages
