"""Scores: the scalars of a policy that are attributed."""

from collections.abc import Callable
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy, check_layer

Score: TypeAlias = str | int | np.integer | tuple[int | np.integer, ...]
"""The value ("value"), one policy logit (its action), or a sum of logits (several actions)."""


def checked_score(score: Score, num_actions: int) -> str | int | tuple[int, ...]:
    """The score in its plain form: "value", an int, or a tuple of different ints.

    Raises:
      ValueError: if it is none of these, or an action is out of range.

    Example:
      >>> checked_score((np.int64(6), 7), 15)
      (6, 7)
    """
    if isinstance(score, str) and score == "value":
        return score
    actions = score if isinstance(score, tuple) else (score,)
    known = all(
        isinstance(action, int | np.integer)
        and not isinstance(action, bool)
        and 0 <= action < num_actions
        for action in actions
    )
    if not (known and 0 < len(actions) == len(set(actions))):
        raise ValueError(
            f'unknown score {score!r}; expected "value", an action from 0 to {num_actions - 1}, '
            "or a tuple of different actions"
        )
    plain = tuple(int(action) for action in actions)
    return plain if isinstance(score, tuple) else plain[0]


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
    policy: VisionPolicy, params: Params, layer: str | None, score: Score
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
    score = checked_score(score, policy.num_actions)
    if layer is not None:
        check_layer(policy, layer)

    def score_fn(activation: Float[Array, "height width channel"]) -> Float[Array, ""]:
        logits, value = policy.head(params, activation[None], layer)
        return select_score(logits[0], value[0], score)

    return score_fn
