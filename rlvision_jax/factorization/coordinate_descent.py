"""Alternating coordinate descent of W and H on rows that lie in memory.

W is kept transposed and in blocks, so that every update runs along contiguous samples and one pass
over the rows serves a whole iteration.

Source: Cichocki and Phan 2009, doi 10.1587/transfun.E92.A.708 (HALS); the order of the updates and
the convergence rule are those of scikit-learn's solver="cd". That rule depends on how the scale of
a feature is shared between W and H, so a direction that is much longer or shorter than the others
were at the start is brought back.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from rlvision_jax.factorization.blocks import matmul
from rlvision_jax.factorization.nnls import descend

# Powers of two by which a direction's largest entry may leave the median direction's. As a rule
# none does: nndsvd's starts differ by two or three.
_MOST_APART = 6
# Violations below this many roundings of the products that make up the gradients are noise.
_ROUNDING = 2


class Descent(NamedTuple):
    """Factors, and how they were reached."""

    w: Float[Array, "block feature row"]
    h: Float[Array, "feature channel"]
    iterations: Int[Array, ""]
    violation: Float[Array, ""]  # projected gradient, summed over the last iteration
    limit: Float[Array, ""]  # what the violation has to fall to


def coordinate_descent(
    blocks: Float[Array, "block row channel"],
    w: Float[Array, "block feature row"],
    h: Float[Array, "feature channel"],
    *,
    total: Callable[[Array], Array],
    max_iterations: Array | int,
    tolerance: Array | float | None = None,
    limit: Array | float = 0.0,
    correction: Callable[[Array], Array] | None = None,
) -> Descent:
    """Iterates until the projected gradient has fallen to its limit.

    Args:
      blocks: rows of X, at least 0.
      w: start of W, transposed, in the same blocks.
      h: start of H.
      total: adds up an array over all devices that hold rows.
      max_iterations: upper limit, at least 1; 2 with `limit`.
      tolerance: the limit as a fraction of the first iteration's violation.
      limit: the limit itself, where `tolerance` is None. At least two iterations are made, as
        the first does not meet what its own step in H does to W.
      correction: H -> what is added to its gradient.
    """
    dtype = blocks.dtype
    num_features, num_channels = h.shape
    channel_sums = total(jnp.sum(jnp.sum(blocks, 1), 0))
    rounding = _ROUNDING * jnp.finfo(dtype).eps
    fewest = 1 if tolerance is not None else 2
    usual = jnp.median(jnp.max(h, 1))
    w, h = _balance(w, h, usual)

    def iteration(state: Descent) -> Descent:
        w, h, count, _, limit = state
        gram = matmul(h, h.T)

        def update_block(totals: tuple, block: tuple) -> tuple[tuple, Array]:
            w_gram, w_x, violation = totals
            w, x = block
            w, moved = descend(w, matmul(h, x.T), gram)
            return (w_gram + matmul(w, w.T), w_x + matmul(w, x), violation + moved.sum()), w

        totals = (
            jnp.zeros((num_features, num_features), dtype),
            jnp.zeros((num_features, num_channels), dtype),
            jnp.zeros((), dtype),
        )
        totals, w = jax.lax.scan(update_block, totals, (w, blocks))
        w_gram, w_x, violation = jax.tree.map(total, totals)
        h, moved = descend(h, w_x if correction is None else w_x - correction(h), w_gram)
        violation = violation + moved.sum()
        w, h = _balance(w, h, usual)
        # A gradient is a difference of products like these, whose rounding it cannot fall below.
        noise = rounding * (jnp.sum(h * channel_sums[None]) + jnp.sum(w_x))
        limit = jnp.maximum(limit, noise)
        if tolerance is not None:
            limit = jnp.where(count == 0, tolerance * violation, limit)
        return Descent(w, h, count + 1, violation, limit)

    def unfinished(state: Descent) -> Array:
        short = state.iterations < fewest
        return short | ((state.iterations < max_iterations) & (state.violation > state.limit))

    start = Descent(w, h, jnp.int32(0), jnp.zeros((), dtype), jnp.asarray(limit, dtype))
    return jax.lax.while_loop(unfinished, iteration, start)


def _balance(
    w: Float[Array, "block feature row"],
    h: Float[Array, "feature channel"],
    usual: Float[Array, ""],
) -> tuple[Float[Array, "block feature row"], Float[Array, "feature channel"]]:
    """Moves scale between W and H where a direction is far from the usual size.

    By powers of two: nothing is rounded, and W H and all that follows stay as they are.
    """
    largest = jnp.max(h, 1)
    known = (largest > 0) & (usual > 0)
    apart = jnp.where(known, jnp.log2(jnp.where(known, largest / usual, 1)), 0)
    apart = jnp.where(jnp.abs(apart) > _MOST_APART, jnp.round(apart), 0).astype(jnp.int32)
    return jax.lax.cond(
        jnp.any(apart != 0),
        lambda w, h: (jnp.ldexp(w, apart[None, :, None]), jnp.ldexp(h, -apart[:, None])),
        lambda w, h: (w, h),
        w,
        h,
    )
