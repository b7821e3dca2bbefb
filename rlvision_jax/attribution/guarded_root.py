"""How a guarded root between the places where it was evaluated follows from them. (Host only.)

Pooling by sqrt(mean square + guard) is straight along a line from zeros where there is something
(it grows with the place) and where there is nothing (it is constant). Only where squares are as
small as the guard does it bend, at a place that depends on their strength. The weights below are
exact for what is straight, and best for all strengths together, in least squares.
"""

import numpy as np
from jaxtyping import Float

# Mean squares at the end of a line, in units of the guard: from where the root is all guard to
# where it is none, evenly in orders of magnitude, as which of them occur is unknown.
_STRENGTHS = np.logspace(-3, 9, 241)[:, None]


def value_weights(
    nodes: Float[np.ndarray, " step"], places: Float[np.ndarray, " place"]
) -> Float[np.ndarray, "step place"]:
    """How much the root at each place counts in the root at each node.

    Args:
      nodes: where on the line the root is wanted, 0 to 1.
      places: where it was evaluated, ascending; at least two, unless all nodes are there.

    Example:
      >>> places = np.asarray([0.1, 0.3, 1.0])
      >>> weights = value_weights(np.asarray([0.1, 0.6]), places)
      >>> print(abs(weights[0]), weights[1] @ places)
      [1. 0. 0.] 0.6
    """
    straight = np.stack([np.ones_like(places), places]), np.stack([np.ones_like(nodes), nodes])
    return _best_weights(_root(places), _root(nodes), *straight)


def slope_weights(
    nodes: Float[np.ndarray, " step"], places: Float[np.ndarray, " place"]
) -> Float[np.ndarray, "step place"]:
    """The same for the root's derivative by what is under it, at least one place.

    Example:
      >>> print(slope_weights(np.asarray([0.1, 0.6]), np.asarray([0.1, 1.0])).sum(1).round(6))
      [1. 1.]
    """
    straight = np.ones((1, len(places))), np.ones((1, len(nodes)))
    return _best_weights(_slope(places), _slope(nodes), *straight)


def _root(places: Float[np.ndarray, " n"]) -> Float[np.ndarray, "strength n"]:
    return np.sqrt(places**2 * _STRENGTHS + 1)


def _slope(places: Float[np.ndarray, " n"]) -> Float[np.ndarray, "strength n"]:
    """By the square root of the strength, so that it tends to 1 and not to ever smaller numbers."""
    return places * np.sqrt(_STRENGTHS) / _root(places)


def _best_weights(
    known: Float[np.ndarray, "strength place"],
    wanted: Float[np.ndarray, "strength step"],
    exact_known: Float[np.ndarray, "constraint place"],
    exact_wanted: Float[np.ndarray, "constraint step"],
) -> Float[np.ndarray, "step place"]:
    """Least squares under constraints: those solved first, the rest in what they leave free."""
    weights = np.linalg.lstsq(exact_known, exact_wanted, rcond=None)[0]
    free = np.linalg.svd(exact_known)[2][np.linalg.matrix_rank(exact_known) :].T
    if free.size:
        weights += free @ np.linalg.lstsq(known @ free, wanted - known @ weights, rcond=None)[0]
    return weights.T.round(12)  # so that a place counts itself and nothing else
