"""The fit itself: start, coordinate descent on the samples or a subset, refinement on all."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from rlvision_jax.factorization.blocks import (
    matmul,
    split_rows,
    spread_indices,
    sum_over_rows,
)
from rlvision_jax.factorization.coordinate_descent import Descent, coordinate_descent
from rlvision_jax.factorization.nmf_init import (
    DoubleSVD,
    fill_zeros,
    nndsvd,
    part_squares,
    random_factors,
    right_vectors,
)
from rlvision_jax.factorization.nnls import solve_block
from rlvision_jax.factorization.refinement import Refinement, refine


def power_of_two(largest: Float[Array, ""]) -> Array:
    """The exponent e for which a matrix over 4^e is of order one.

    Scaling by a power of 4 rounds nothing (and shares its root between W and H); it keeps squares
    of small attributions within float32.
    """
    return jnp.where(largest > 0, jnp.floor(jnp.log2(largest) / 2), 0).astype(jnp.int32)


def prepare(
    rows: Float[Array, "row channel"], exponent: Array, *, signed: bool
) -> Float[Array, "sample channel"]:
    """Rows as they are factorized: scaled, and for signed rows positive and negative parts."""
    root = jnp.ldexp(jnp.ones((), rows.dtype), -exponent)
    rows = rows * root * root
    return jnp.concatenate([jnp.maximum(rows, 0), jnp.maximum(-rows, 0)]) if signed else rows


def start_factors(
    rows: Float[Array, "sample channel"],
    svd: DoubleSVD,
    mean: Float[Array, ""],
    exponent: Array,
    key: PRNGKeyArray | None,
    *,
    init: str,
    signed: bool = False,
    place: tuple[Array | int, int] = (0, 1),
) -> tuple[Float[Array, "sample feature"], Float[Array, "feature channel"]]:
    """W of the rows, and H, to begin with.

    Args:
      rows: prepared.
      svd: of all prepared rows.
      mean: of all prepared rows.
      exponent: of the preparation.
      key: for `init="random"`.
      init: one of INITS. Static.
      signed: whether the rows are positive parts, then negative parts. Static.
      place: which part of all rows these are, and how many equal parts there are.
    """
    num_rows, num_channels = rows.shape
    if init == "random":
        assert key is not None
        part, parts = place
        shape = (parts * num_rows, len(svd.right), num_channels)
        w, h = random_factors(key, shape, mean)
        # Every device draws for all, so that their number does not matter.
        return w.reshape(2 if signed else 1, parts, -1, len(h))[:, part].reshape(-1, len(h)), h
    w, h = nndsvd(svd, rows)
    if init == "nndsvda":
        # scikit-learn fills with the mean of X itself, whatever its unit.
        value = jnp.ldexp(mean, exponent)
        w, h = fill_zeros(w, value), fill_zeros(h, value)
    return w, h


def descend_from(
    rows: Float[Array, "sample channel"],
    w: Float[Array, "sample feature"],
    h: Float[Array, "feature channel"],
    *,
    max_iterations: Array | int,
    tolerance: Array | float,
    total: Callable[[Array], Array],
) -> tuple[Float[Array, "block row channel"], Descent]:
    """Coordinate descent from given factors; also the rows in blocks."""
    blocks = split_rows(rows)
    w_blocks = split_rows(w, blocks.shape[1]).swapaxes(1, 2)
    descent = coordinate_descent(
        blocks, w_blocks, h, total=total, max_iterations=max_iterations, tolerance=tolerance
    )
    return blocks, descent


def fit(
    matrix: Float[Array, "row channel"],
    max_iterations: Array | int,
    tolerance: Array | float,
    key: PRNGKeyArray | None,
    *,
    num_features: int,
    init: str,
    signed: bool,
    subset_samples: int | None,
    axes: tuple[str, ...] = (),
) -> tuple[Float[Array, "feature channel"], Float[Array, ""], Array]:
    """H, reconstruction error and iterations. See `fit_nmf`.

    Args:
      matrix: all rows, or this device's.
      max_iterations: upper limit.
      tolerance: of the convergence rule.
      key: for `init="random"`.
      num_features: static.
      init: static.
      signed: whether the rows are to be split into their positive and negative parts. Static.
      subset_samples: samples (parts of rows count apart) to start with; None: all. Static.
      axes: mapped axes over which the rows are spread, in `jax.shard_map`. Static.
    """
    num_parts = jax.lax.axis_size(axes) if axes else 1
    part = jax.lax.axis_index(axes) if axes else 0
    total = (lambda x: jax.lax.psum(x, axes)) if axes else (lambda x: x)
    largest = jnp.max(jnp.abs(matrix))
    exponent = power_of_two(jax.lax.pmax(largest, axes) if axes else largest)

    def over_all(function: Callable) -> Any:
        sums = sum_over_rows(lambda x: function(prepare(x, exponent, signed=signed)), matrix)
        return jax.tree.map(total, sums)

    num_samples = len(matrix) * (2 if signed else 1)
    gram, entries = over_all(lambda x: (matmul(x.T, x), jnp.sum(x)))
    mean = entries / (num_parts * num_samples * matrix.shape[1])
    right = right_vectors(gram, num_features)
    svd = DoubleSVD(right, over_all(lambda x: part_squares(right, x)))

    chosen = len(matrix)
    if subset_samples is not None and subset_samples < num_parts * num_samples:
        chosen = max(subset_samples // (num_parts * (2 if signed else 1)), 1)
    rows = matrix
    if chosen < len(matrix):
        places = [spread_indices(len(matrix), chosen, i * chosen) for i in range(num_parts)]
        rows = matrix[jnp.asarray(np.stack(places))[part]]
    rows = prepare(rows, exponent, signed=signed)
    w, h = start_factors(
        rows, svd, mean, exponent, key, init=init, signed=signed, place=(part, num_parts)
    )
    blocks, descent = descend_from(
        rows, w, h, max_iterations=max_iterations, tolerance=tolerance, total=total
    )

    if chosen == len(matrix):
        w, h, count = descent.w, descent.h, descent.iterations

        def add_squares(sum_so_far: Array, block: tuple) -> tuple[Array, None]:
            w, x = block
            return sum_so_far + jnp.sum((x - matmul(w.T, h)) ** 2), None

        squares = total(jax.lax.scan(add_squares, jnp.zeros((), h.dtype), (w, blocks))[0])
    else:
        limit = descent.limit

        def another_pass(state: Refinement) -> Refinement:
            seen = over_all(lambda x: solve_block(x, state.h)[1])
            return refine(
                state,
                seen,
                blocks,
                share=chosen / len(matrix),
                limit=limit,
                total=total,
            )

        state = jax.lax.while_loop(
            lambda state: state.unfinished(max_iterations),
            another_pass,
            Refinement.start(descent.w, descent.h),
        )
        h, squares, count = state.best_h, state.best.squares, descent.iterations + state.passes
    return jnp.ldexp(h, exponent), jnp.ldexp(jnp.sqrt(squares), 2 * exponent), count
