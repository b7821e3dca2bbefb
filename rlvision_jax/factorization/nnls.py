"""Non-negative least squares for many rows at once, by coordinate descent."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rlvision_jax.factorization.blocks import matmul

# Rows are solved when their projected gradient has fallen to this fraction of that at zero.
# Rounding in float32 stops it near 1e-6 for a row, near 1e-8 for a block.
_ROW_TOLERANCE = 1e-5
_BLOCK_TOLERANCE = 1e-6
# Coordinate descent converges linearly, unlike components within ten sweeps; only nearly parallel
# ones need more than this. A block does not wait for those: what is left of its rows depends little
# on how the two share what they explain.
_MAX_SWEEPS = 1000
_MAX_BLOCK_SWEEPS = 50


class Statistics(NamedTuple):
    """All that an update of H needs to know of the rows and their best W; sums over rows."""

    gram: Float[Array, "feature feature"]  # W^T W
    products: Float[Array, "feature channel"]  # W^T X
    squares: Float[Array, ""]  # |X - W H|^2

    def gradient(self, h: Float[Array, "feature channel"]) -> Float[Array, "feature channel"]:
        """Of half the squares, by the H whose W this is."""
        return matmul(self.gram, h) - self.products


def descend(
    w: Float[Array, "feature row"],
    projections: Float[Array, "feature row"],
    gram: Float[Array, "feature feature"],
) -> tuple[Float[Array, "feature row"], Float[Array, " row"]]:
    """One sweep over the features: each in turn is set to its best value given the others.

    Minimizes |x - w H|^2 / 2 over w >= 0 for every row at once.

    Args:
      w: current solution, transposed, at least 0.
      projections: H x^T.
      gram: H H^T.

    Returns:
      The new w, and per row the sum of the absolute projected gradients met.
    """
    violation = jnp.zeros(w.shape[1], w.dtype)
    for feature in range(len(gram)):
        old, curvature = w[feature], gram[feature, feature]
        gradient = matmul(gram[feature][None], w)[0] - projections[feature]
        projected = jnp.where(old == 0, jnp.minimum(gradient, 0), gradient)
        violation += jnp.abs(projected)
        # A feature whose direction is zero has no effect and stays where it is.
        step = gradient / jnp.where(curvature > 0, curvature, 1)
        new = jnp.where(curvature > 0, jnp.maximum(old - step, 0), old)
        w = w.at[feature].set(new)
    return w, violation


def solve_rows(
    x: Float[Array, "row channel"], components: Float[Array, "feature channel"]
) -> Float[Array, "row feature"]:
    """Non-negative w with the smallest |x - w components|, row by row.

    A row stops when it has converged by itself, so its result does not depend on the others.

    Args:
      x: rows to be explained, of any sign.
      components: H, at least 0.
    """
    gram = matmul(components, components.T)
    projections = matmul(components, x.T)
    at_zero = jnp.sum(jnp.maximum(projections, 0), 0)

    def sweep(state: tuple) -> tuple:
        count, w, active = state
        new, violation = descend(w, projections, gram)
        w = jnp.where(active, new, w)
        return count + 1, w, active & (violation > _ROW_TOLERANCE * at_zero)

    def unfinished(state: tuple) -> Array:
        count, _, active = state
        return (count < _MAX_SWEEPS) & jnp.any(active)

    start = (jnp.int32(0), jnp.zeros_like(projections), jnp.ones(len(x), bool))
    return jax.lax.while_loop(unfinished, sweep, start)[1].T


def solve_block(
    x: Float[Array, "row channel"],
    components: Float[Array, "feature channel"],
    w: Float[Array, "feature row"] | None = None,
) -> tuple[Float[Array, "feature row"], Statistics]:
    """The same for sums over a block, where single rows may be less exact than the block.

    Args:
      x: rows to be explained.
      components: H, at least 0.
      w: where to start, transposed; None for zeros.

    Returns:
      The solution, transposed, and its sums.
    """
    gram = matmul(components, components.T)
    projections = matmul(components, x.T)
    limit = _BLOCK_TOLERANCE * jnp.sum(jnp.maximum(projections, 0))

    def sweep(state: tuple) -> tuple:
        count, w, _ = state
        w, violation = descend(w, projections, gram)
        return count + 1, w, jnp.sum(violation)

    def unfinished(state: tuple) -> Array:
        count, _, violation = state
        return (count == 0) | ((count < _MAX_BLOCK_SWEEPS) & (violation > limit))

    start = (jnp.int32(0), jnp.zeros_like(projections) if w is None else w, jnp.zeros_like(limit))
    w = jax.lax.while_loop(unfinished, sweep, start)[1]
    squares = jnp.sum((x - matmul(w.T, components)) ** 2)
    return w, Statistics(matmul(w, w.T), matmul(w, x), squares)
