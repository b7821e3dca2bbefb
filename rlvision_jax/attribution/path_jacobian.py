"""Derivatives of scores, averaged along the line from a baseline to an activation.

The engine behind straight-line attribution. A network behind a layer is taken in two parts: the
*read*, which is the next layer's convolution or product up to its nonlinearity, with the pooling
before it, and the *rest*. A read is nearly always the dearest part, and its derivative is the same
all along the line, so it is evaluated at the ends of the line (or a third place) and not at every
node: only the rest is differentiated there, and what comes back is added up before it goes back
through the read, once.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax._loops import Row, sum_over_rows
from rlvision_jax.attribution.guarded_root import slope_weights, value_weights


class Continuation(NamedTuple):
    """How scores continue from a layer, for one frame.

    Attributes:
      read: from the activation to what `rest` needs of it.
      rest: from there to all scores.
      affine: whether the read is affine: what it makes of a line is fixed by the line's ends.
        Otherwise it must be positively homogeneous, up to a small guard and an affine map behind
        it (pooling and a convolution), and the line must begin at zeros.
    """

    read: Callable[[Float[Array, "*shape"]], Float[Array, "..."]]
    rest: Callable[[Float[Array, "..."]], Float[Array, " score"]]
    affine: bool = True


class PathJacobian(NamedTuple):
    """What is known at the end of a line.

    Attributes:
      mean: weighted mean of the derivatives of the scores, in units of the scores per unit of the
        activation.
      read: the read of the activation.
    """

    mean: Float[Array, "score ..."]
    read: Float[Array, "..."]


def path_jacobian(
    continuation: Continuation,
    activation: Float[Array, "*shape"],
    baseline: Float[Array, "*shape"],
    nodes: Float[np.ndarray, " step"],
    weights: Float[np.ndarray, " step"],
    *,
    unroll: bool | None = None,
) -> PathJacobian:
    """Averages the derivatives of scores along the line from a baseline to one activation.

    Args:
      continuation: the scores as functions of the activation.
      activation: end of the line.
      baseline: start of the line.
      nodes: where on the line to differentiate, 0 (baseline) to 1, ascending. Static.
      weights: how much each counts; they sum to 1. Static.
      unroll: as in `sum_over_rows`. Static.
    """
    read, rest, affine = continuation
    places = np.asarray([0.0, 1.0]) if affine else _three_places(nodes)

    def point(place: np.floating) -> Float[Array, "*shape"]:
        # Two products rather than baseline + place * (activation - baseline): at place 1 the
        # first form is the activation itself, to the last bit.
        return float(1 - place) * baseline + float(place) * activation

    there, pullbacks = zip(*(jax.vjp(read, point(place)) for place in places), strict=True)
    if affine:
        values, slopes = np.stack([1 - nodes, nodes], 1), np.asarray([0.0, 1.0])
    else:
        values, slopes = value_weights(nodes, places), weights @ slope_weights(nodes, places)

    def step(row: Row) -> Array:
        terms = [factor * term for factor, term in zip(row[:-1], there, strict=True)]
        return row[-1] * jax.jacrev(rest)(functools.reduce(jnp.add, terms))

    rows = np.concatenate([values, weights[:, None]], 1).astype(activation.dtype)
    total = sum_over_rows(step, rows, unroll=unroll)
    # The same total goes back from every place, so that the way back through what is linear in
    # the read, which is nearly all of it, is computed once.
    parts = [
        float(slope) * jax.vmap(back)(total)[0]
        for slope, back in zip(slopes, pullbacks, strict=True)
        if slope
    ]
    return PathJacobian(mean=functools.reduce(jnp.add, parts), read=there[-1])


def _three_places(nodes: Float[np.ndarray, " step"]) -> Float[np.ndarray, " place"]:
    """The first node, the one in the geometric middle, and the end of the line.

    What is not straight lies near the baseline, where the guard of the pooling still counts.
    """
    middle = nodes[np.argmin(np.abs(nodes - np.sqrt(nodes[0] * nodes[-1])))]
    return np.unique([nodes[0], middle, 1.0])
