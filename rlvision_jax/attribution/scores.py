"""Scores: the scalars of a policy that are attributed."""

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.models import Policy

Score: TypeAlias = str | int | tuple[int, ...]
"""The value ("value"), one policy logit (its action), or a sum of logits (several actions)."""


def check_score(score: Score, num_actions: int) -> None:
    """Raises ValueError unless a score is "value", an action, or a tuple of different actions.

    Example:
      >>> check_score("reward", 15)  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      ValueError: unknown score 'reward'; expected "value", an action from 0 to 14, or a tuple ...
    """
    actions = score if isinstance(score, tuple) else (score,)
    known = all(type(action) is int and 0 <= action < num_actions for action in actions)
    if score != "value" and not (known and 0 < len(actions) == len(set(actions))):
        raise ValueError(
            f'unknown score {score!r}; expected "value", an action from 0 to {num_actions - 1}, '
            "or a tuple of different actions"
        )


def select_score(
    logits: Float[Array, "*batch action"], value: Float[Array, "*batch"], score: Score
) -> Float[Array, "*batch"]:
    """Picks a score out of a policy's outputs.

    Args:
      logits: policy logits.
      value: value function.
      score: "value", an action (its logit), or several (the sum of their logits). Static.
    """
    if score == "value":
        return value
    actions = score if isinstance(score, tuple) else (score,)
    return jnp.sum(jnp.stack([logits[..., action] for action in actions], -1), -1)


def score_function(
    policy: Policy, params: Params, layer: str | None, score: Score
) -> Callable[[Float[Array, "height width channel"]], Float[Array, ""]]:
    """Continues a policy from a layer to one score, for one frame.

    Args:
      policy: what computes the score.
      params: its parameters.
      layer: where the function starts; None: the pixels in [0, 1]. Static.
      score: "value", an action (its logit), or several (the sum of their logits). Static.

    Returns:
      A function such as `integrated_gradients` takes.

    Raises:
      ValueError: if the layer or the score is unknown.
    """
    check_score(score, policy.num_actions)
    if layer is not None:
        policy.check_layer(layer)

    def score_fn(activation: Float[Array, "height width channel"]) -> Float[Array, ""]:
        logits, value = policy.head(params, activation[None], layer)
        return select_score(logits[0], value[0], score)

    return score_fn
