"""How each step of a play turned out against what the agent expected. (Host only.)"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from rlvision_jax.training.gae import generalized_advantages
from rlvision_jax.training.playing import Played

_DISCOUNT, _GAE_LAMBDA = 0.999, 0.95


def played_advantages(
    played: Played, agent_config: Mapping[str, Any]
) -> Float[np.ndarray, "time env"]:
    """Advantages of every step, in units of the values.

    Uses the agent's own discount and lambda (else the paper's 0.999 and 0.95), and divides
    rewards by the scale that its values were trained with, where the config tells it.

    Args:
      played: what the agent did.
      agent_config: as `checkpoint.load` returned it.
    """
    return agent_advantages(
        played.rewards,
        played.values,
        played.terminated | played.truncated,
        played.bootstrap_values,
        agent_config,
    )


def agent_advantages(
    rewards: Float[np.ndarray, "time env"],
    values: Float[np.ndarray, "time env"],
    done: Bool[np.ndarray, "time env"],
    bootstrap_values: Float[np.ndarray, " env"],
    agent_config: Mapping[str, Any],
) -> Float[np.ndarray, "time env"]:
    """The same of steps that are given one by one.

    Args:
      rewards: as the environment gave them.
      values: of the observation that each step acted on.
      done: whether the step ended its episode.
      bootstrap_values: value of the observation after the last step; unused where that is `done`.
      agent_config: as `checkpoint.load` returned it.
    """
    ppo = agent_config.get("training", {}).get("ppo", {})
    rewards = rewards / np.float32(agent_config.get("reward_scale", 1.0))

    def one(rewards: Array, values: Array, done: Array, bootstrap_value: Array) -> Array:
        return generalized_advantages(
            rewards,
            values,
            done,
            bootstrap_value,
            discount=ppo.get("discount", _DISCOUNT),
            gae_lambda=ppo.get("gae_lambda", _GAE_LAMBDA),
        )

    batched = jax.jit(jax.vmap(one, in_axes=(1, 1, 1, 0), out_axes=1))
    return np.asarray(batched(rewards, values, done, bootstrap_values))
