"""Actions of a batch of games, checked before the games see them."""

import numpy as np
import numpy.typing as npt

FORCE_RESET = -1
"""Procgen's action that ends an episode: the agent does nothing once, then a level begins."""


def check_actions(
    actions: npt.ArrayLike, num_envs: int, num_actions: int, *, lowest: int = FORCE_RESET
) -> np.ndarray:
    """The actions as an array.

    Args:
      actions: integers of shape (env,).
      num_envs: environments stepped together.
      num_actions: actions are below this number.
      lowest: actions are at least this: 0, or `FORCE_RESET` where the games know it.

    Raises:
      ValueError: if the shape, the type or the range of the actions is wrong.
    """
    array = np.asarray(actions)
    if array.shape != (num_envs,):
        raise ValueError(
            f"actions must have shape ({num_envs},), one for each environment; got {array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise ValueError(f"actions must be integers; got {array.dtype}")
    low, high = array.min(), array.max()
    if low < lowest or high >= num_actions:
        forced = f", or {FORCE_RESET} to force a reset" if lowest == FORCE_RESET else ""
        raise ValueError(
            f"actions must be from 0 to {num_actions - 1}{forced}; got values from {low} to {high}"
        )
    return array
