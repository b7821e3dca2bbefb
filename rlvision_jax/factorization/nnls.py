"""Non-negative least squares for many rows at once.

Sweeps of coordinate descent solve most rows; the few whose features are too much alike for that are
solved one by one by pivoting. Directions are brought to length 1 first, so that how a feature's
scale is shared between its direction and its activations has no say in when a row is solved.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from rlvision_jax.factorization.blocks import matmul
from rlvision_jax.factorization.pivoting import pivot_row

# Rows are solved when their projected gradient has fallen to this fraction of that at zero.
# Rounding in float32 stops it near 1e-6 for a row, near 1e-8 for a block.
_ROW_TOLERANCE = 1e-5
_BLOCK_TOLERANCE = 1e-6
# Unlike directions need five or six sweeps, nearly parallel ones thousands. A row that needs more
# than these is pivoted, which costs as much as thirty sweeps or so.
_MAX_SWEEPS = 10
# Rows that are pivoted together, by platform: on a CPU, as many as its caches hold.
_PIVOTED_ROWS = {"cpu": 256}
_ACCELERATOR_PIVOTED_ROWS = 2**14


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
    directions, lengths = _unit(components)
    gram = matmul(directions, directions.T)
    projections = matmul(directions, x.T)
    limits = _ROW_TOLERANCE * jnp.sum(jnp.maximum(projections, 0), 0)

    def sweep(state: tuple) -> tuple:
        count, w, left = state
        new, violation = descend(w, projections, gram)
        return count + 1, jnp.where(left, new, w), left & (violation > limits)

    def unfinished(state: tuple) -> Array:
        count, _, left = state
        return (count < _MAX_SWEEPS) & jnp.any(left)

    start = (jnp.int32(0), jnp.zeros_like(projections), jnp.ones(len(x), bool))
    _, w, left = jax.lax.while_loop(unfinished, sweep, start)
    return (_pivot(x, directions, w, left) / lengths).T


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
    directions, lengths = _unit(components)
    gram = matmul(directions, directions.T)
    projections = matmul(directions, x.T)
    limit = _BLOCK_TOLERANCE * jnp.sum(jnp.maximum(projections, 0))

    def sweep(state: tuple) -> tuple:
        count, w, _ = state
        w, violation = descend(w, projections, gram)
        return count + 1, w, violation

    def unfinished(state: tuple) -> Array:
        count, _, violation = state
        return (count == 0) | ((count < _MAX_SWEEPS) & (jnp.sum(violation) > limit))

    w = jnp.zeros_like(projections) if w is None else w * lengths
    start = (jnp.int32(0), w, jnp.zeros(len(x), w.dtype))
    _, w, violation = jax.lax.while_loop(unfinished, sweep, start)
    # While the block is not solved, neither are the rows above their share of its limit.
    left = (jnp.sum(violation) > limit) & (violation > limit / len(x))
    w = _pivot(x, directions, w, left)
    statistics = Statistics(
        gram=matmul(w, w.T) / (lengths * lengths.T),
        products=matmul(w, x) / lengths,
        squares=jnp.sum((x - matmul(w.T, directions)) ** 2),
    )
    return w / lengths, statistics


def _unit(
    components: Float[Array, "feature channel"],
) -> tuple[Float[Array, "feature channel"], Float[Array, "feature 1"]]:
    """Directions of length 1, and what they were divided by; one of length 0 stays."""
    lengths = jnp.linalg.norm(components, axis=1, keepdims=True)
    lengths = jnp.where(lengths > 0, lengths, 1)
    return components / lengths, lengths


def _pivot(
    x: Float[Array, "row channel"],
    directions: Float[Array, "feature channel"],
    w: Float[Array, "feature row"],
    left: Bool[Array, " row"],
) -> Float[Array, "feature row"]:
    """Replaces w where `left` says that a row is left unsolved, some rows at a time."""
    together = _PIVOTED_ROWS.get(jax.default_backend(), _ACCELERATOR_PIVOTED_ROWS)
    together = min(together, len(x))

    def pivot_some(state: tuple) -> tuple:
        w, left = state
        is_left, rows = jax.lax.top_k(left.astype(jnp.int32), together)
        rows = jnp.where(is_left > 0, rows, len(x))  # beyond the end: nothing is read or written
        some = x.at[rows].get(mode="fill", fill_value=0)
        swept = w.at[:, rows].get(mode="fill", fill_value=0).T
        pivoted = jax.vmap(pivot_row, (0, None))(some, directions)
        before, after = (
            jnp.sum((some - matmul(each, directions)) ** 2, 1, keepdims=True)
            for each in (swept, pivoted)
        )
        # Directions that rounding cannot tell apart may be beyond pivoting too.
        best = jnp.where(after <= before, pivoted, swept)
        return w.at[:, rows].set(best.T, mode="drop"), left.at[rows].set(False, mode="drop")

    return jax.lax.while_loop(lambda state: jnp.any(state[1]), pivot_some, (w, left))[0]
