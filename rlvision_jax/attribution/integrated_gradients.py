"""Integrated gradients along the straight line from a baseline (Sundararajan et al. 2017)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax.attribution.path_jacobian import Continuation, path_jacobian
from rlvision_jax.attribution.quadrature import nodes_and_weights


def path_gradient(
    score_fn: Callable[[Float[Array, "*shape"]], Float[Array, ""]],
    activation: Float[Array | np.ndarray, "*shape"],
    baseline: Float[Array | np.ndarray, "*shape"],
    *,
    num_steps: int,
    rule: str = "right",
    unroll: bool | None = None,
) -> Float[Array, "*shape"]:
    """Gradient of a score, averaged along the line from a baseline to one activation.

    With one step of the right rule this is the gradient at the activation.

    Args:
      score_fn: any JAX function from the activation to one scalar.
      activation: end of the line.
      baseline: start of the line.
      num_steps: evaluations on the line, at least 1. Static.
      rule: "right", "midpoint" or "gauss_legendre". Static.
      unroll: take ten steps side by side, by `jax.vmap` (True), or scan them (False); None chooses
        by platform. Static.

    Returns:
      Mean gradient, in units of the score per unit of the activation.

    Raises:
      ValueError: if the rule is unknown, `num_steps` below 1 or the score not one number.
    """
    nodes, weights = nodes_and_weights(rule, num_steps)
    activation, baseline = jnp.asarray(activation), jnp.asarray(baseline)
    check_scalar(score_fn, activation)
    continuation = Continuation(lambda x: x, lambda x: score_fn(x)[None])
    line = path_jacobian(continuation, activation, baseline, nodes, weights, unroll=unroll)
    return line.mean[0]


def integrated_gradients(
    score_fn: Callable[[Float[Array, "*shape"]], Float[Array, ""]],
    activation: Float[Array | np.ndarray, "*shape"],
    baseline: Float[Array | np.ndarray, "*shape"],
    *,
    num_steps: int,
    rule: str = "right",
    unroll: bool | None = None,
) -> Float[Array, "*shape"]:
    """Attributes a score to one activation along the line from a baseline.

    The sum of the result tends to `score_fn(activation) - score_fn(baseline)` as `num_steps`
    grows; `completeness_residual` measures how far it is.

    Args:
      score_fn: continues the network from the attributed layer to one scalar, such as the value
        or one policy logit. Any JAX function; differentiated `num_steps` times.
      activation: output of the attributed layer for one frame, [height, width, channel] or any
        other shape.
      baseline: start of the path; zeros mean "this layer is silent".
      num_steps: evaluations on the path, at least 1. Static.
      rule: "right" (the paper's), "midpoint" or "gauss_legendre"; see `nodes_and_weights`. Static.
      unroll: take ten steps side by side, by `jax.vmap` (True), or scan them (False); None chooses
        by platform. Static.

    Returns:
      Signed attribution per entry of the activation, in units of the score.

    Raises:
      ValueError: if the rule is unknown, `num_steps` below 1 or the score not one number.

    Source: Sundararajan et al. 2017, section 3, https://arxiv.org/abs/1703.01365; zero baseline
      and right rule as lucid.scratch.rl_util.attribution.get_attr.

    Example:
      >>> activation = jnp.full((1, 1, 2), 3.0)
      >>> attribution = integrated_gradients(
      ...     lambda a: jnp.sum(a**2),
      ...     activation,
      ...     jnp.zeros((1, 1, 2)),
      ...     num_steps=4,
      ...     rule="midpoint",
      ... )
      >>> print(attribution.sum())
      18.0
    """
    gradient = path_gradient(
        score_fn, activation, baseline, num_steps=num_steps, rule=rule, unroll=unroll
    )
    return jnp.subtract(activation, baseline) * gradient


def check_scalar(
    score_fn: Callable[[Float[Array, "*shape"]], Array], activation: Float[Array, "*shape"]
) -> None:
    """Raises ValueError unless the score of an activation is one number."""
    shape = jax.eval_shape(score_fn, activation).shape
    if shape != ():
        raise ValueError(
            f"score_fn must return one number, of shape []; got {list(shape)}. Sum it, or take "
            "an entry of it"
        )
