"""From the best H for a subset of the samples to the best H for all of them.

A pass over all samples, at some H, gives the exact gradient there, with every sample's best W,
which is not kept. Between passes coordinate descent goes on with the subset alone, whose gradient
is corrected by the difference: at the H of the pass it is the gradient for all samples, and nearby
it changes as the subset's does. Few passes are needed, because the curvature that a large subset
sees is nearly that of all samples.

Source: Shamir, Srebro and Zhang 2014, https://arxiv.org/abs/1312.7853 (DANE, here with one machine
that holds a part of the data).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rlvision_jax.factorization.coordinate_descent import coordinate_descent
from rlvision_jax.factorization.nnls import Statistics, descend, solve_block

# A pass finds H worse than the last one if the squares have risen by more than rounding.
_RISE = 1e-5
# Iterations on the subset between two passes: enough to profit from one, too few to stray.
_SUBSET_ITERATIONS = 50
# Sweeps over H for given statistics; they cost next to nothing.
_PLAIN_SWEEPS = 10


class Refinement(NamedTuple):
    """State between two passes over all samples."""

    w: Float[Array, "block feature row"]  # of the subset
    h: Float[Array, "feature channel"]  # which the next pass is to judge
    best_h: Float[Array, "feature channel"]  # the best that a pass has seen
    best: Statistics  # of all samples, at best_h
    passes: Int[Array, ""]
    plain: Bool[Array, ""]  # the subset misled: H follows from the statistics alone
    done: Bool[Array, ""]  # the convergence rule holds at best_h

    @classmethod
    def start(
        cls, w: Float[Array, "block feature row"], h: Float[Array, "feature channel"]
    ) -> "Refinement":
        """Before the first pass."""
        num_features = len(h)
        nothing = Statistics(
            jnp.zeros((num_features, num_features), h.dtype),
            jnp.zeros_like(h),
            jnp.asarray(jnp.inf, h.dtype),
        )
        return cls(w, h, h, nothing, jnp.int32(0), jnp.asarray(False), jnp.asarray(False))

    def unfinished(self, max_iterations: Array | int) -> Bool[Array, ""]:
        """Whether another pass is needed, and allowed."""
        return ~self.done & (self.passes < max_iterations)


def refine(
    state: Refinement,
    seen: Statistics,
    blocks: Float[Array, "block row channel"],
    *,
    share: Array | float,
    limit: Array | float,
    total: Callable[[Array], Array],
) -> Refinement:
    """Takes what a pass over all samples has seen at `state.h`, and proposes the next H.

    The convergence rule is that of `coordinate_descent`, the projected gradient of H being that of
    all samples and that of W being extrapolated from the subset.

    Args:
      state: whose `h` was judged.
      seen: by all samples.
      blocks: the subset.
      share: samples in the subset over all samples.
      limit: what the projected gradient of the subset has to fall to.
      total: adds up an array over all devices that hold rows.
    """
    # A proposal that made things worse is taken back.
    worse = ~(seen.squares <= state.best.squares * (1 + _RISE))
    best: Statistics = jax.tree.map(lambda old, new: jnp.where(worse, old, new), state.best, seen)
    h = jnp.where(worse, state.best_h, state.h)
    plain = state.plain | worse

    def solve(totals: Statistics, block: tuple) -> tuple[Statistics, Array]:
        w, here = solve_block(block[1], h, block[0])
        return jax.tree.map(jnp.add, totals, here), w

    zeros = jax.tree.map(jnp.zeros_like, best)
    sampled, w = jax.lax.scan(solve, zeros, (state.w, blocks))
    sampled = jax.tree.map(total, sampled)
    difference = share * best.gradient(h) - sampled.gradient(h)
    lengths = _lengths(h)

    def correction(current: Array) -> Array:
        # The gradient of sum(difference * current), if every direction kept its length. W takes up
        # the scale of a feature, so nothing would balance a force along its direction.
        scale = _lengths(current)
        along = jnp.sum(difference * current, -1, keepdims=True) / scale**2
        return lengths / scale * (difference - along * current)

    descent = coordinate_descent(
        blocks,
        w,
        h,
        total=total,
        max_iterations=jnp.where(plain, 2, _SUBSET_ITERATIONS),
        limit=limit,
        correction=correction,
    )

    plain_h = jax.lax.fori_loop(
        0, _PLAIN_SWEEPS, lambda _, h: descend(h, best.products, best.gram)[0], h
    )
    gradient = best.gradient(h)
    projected = jnp.where(h == 0, jnp.minimum(gradient, 0), gradient)
    plain_done = ~worse & (share * jnp.sum(jnp.abs(projected)) <= limit)
    return Refinement(
        w=descent.w,
        h=jnp.where(plain, plain_h, descent.h),
        best_h=h,
        best=best,
        passes=state.passes + 1,
        plain=plain,
        done=jnp.where(plain, plain_done, (descent.iterations == 2) & (descent.violation <= limit)),
    )


def _lengths(h: Float[Array, "feature channel"]) -> Float[Array, "feature 1"]:
    length = jnp.sqrt(jnp.sum(h * h, -1, keepdims=True))
    return jnp.where(length > 0, length, 1)
