"""Completeness: an attribution should sum to the score it explains."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def completeness_residual(
    score_fn: Callable[[Float[Array, "*shape"]], Float[Array, ""]],
    activation: Float[Array | np.ndarray, "*shape"],
    baseline: Float[Array | np.ndarray, "*shape"],
    attribution: Float[Array | np.ndarray, "*shape"],
) -> Float[Array, ""]:
    """Sum of an attribution minus the score difference that it should sum to.

    Zero for an exact path integral; with a quadrature rule it shrinks as steps are added.

    Args:
      score_fn: the function that was attributed.
      activation: end of the path.
      baseline: start of the path.
      attribution: what `integrated_gradients` returned for these.

    Returns:
      Signed difference, in units of the score.

    Example:
      >>> residual = completeness_residual(
      ...     jnp.sum, jnp.ones((1, 1, 2)), jnp.zeros((1, 1, 2)), jnp.ones((1, 1, 2)))
      >>> print(residual)
      0.0
    """
    difference = score_fn(jnp.asarray(activation)) - score_fn(jnp.asarray(baseline))
    return jnp.sum(jnp.asarray(attribution)) - difference
