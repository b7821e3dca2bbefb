"""Nodes and weights on [0, 1] for integrals along a path."""

import numpy as np
from jaxtyping import Float

from rlvision_jax._checks import check_at_least, check_choice

RULES = ("right", "midpoint", "gauss_legendre")


def nodes_and_weights(
    rule: str, num_steps: int
) -> tuple[Float[np.ndarray, " step"], Float[np.ndarray, " step"]]:
    """Where to evaluate an integrand on [0, 1], and how much each value counts.

    Args:
      rule: "right" (right ends of equal intervals, as the paper), "midpoint" (their middles;
        exact for straight lines) or "gauss_legendre" (exact for polynomials of degree
        2 * num_steps - 1).
      num_steps: number of nodes, at least 1.

    Returns:
      Nodes in ascending order, and weights that sum to 1; float64.

    Raises:
      ValueError: if the rule is unknown or `num_steps` below 1.

    Example:
      >>> nodes, weights = nodes_and_weights("right", 4)
      >>> print(nodes, weights)
      [0.25 0.5  0.75 1.  ] [0.25 0.25 0.25 0.25]
    """
    check_choice("rule", rule, RULES)
    check_at_least("num_steps", num_steps, 1)
    if rule == "gauss_legendre":
        nodes, weights = np.polynomial.legendre.leggauss(num_steps)
        return (nodes + 1) / 2, weights / 2
    first = 1 if rule == "right" else 0.5
    return (np.arange(num_steps) + first) / num_steps, np.full(num_steps, 1 / num_steps)
