"""Sums over the steps of a loop whose body contains convolutions.

XLA on CPU runs a convolution inside a loop or a branch 10 to 16 times slower than outside, so
there several rows are computed side by side and what is left of the loop is written out; on an
accelerator it is scanned, which needs the memory of one row. This is the one place that decides.
"""

import functools
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

# Side by side, rows need one program instead of one each, which compiles faster and runs as fast.
# So many must suffice to have in memory together.
_ROWS_AT_ONCE = 10

Row: TypeAlias = Float[Array, " column"]


def sum_over_rows(
    step: Callable[[Row], PyTree],
    rows: Float[np.ndarray, "step column"],
    *,
    unroll: bool | None = None,
) -> PyTree:
    """Adds up `step(row)` over all rows.

    Args:
      step: one term of the sum; the same structure, shapes and dtypes at every row.
      rows: what tells the steps apart. Static.
      unroll: True takes ten rows side by side and writes out the loop over tens, False scans the
        rows, None chooses by the platform that the program is lowered for. Static.

    Returns:
      The sum, in the structure of one term.
    """

    def unrolled() -> PyTree:
        # One by one, for XLA on CPU adds along the middle of an array many times slower.
        add_up = functools.partial(functools.reduce, jnp.add)
        total, zero = None, np.zeros((), rows.dtype)
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            terms = jax.vmap(step)(jnp.asarray(rows[first : first + _ROWS_AT_ONCE]) + zero)
            term = jax.tree.map(add_up, terms)
            total = term if total is None else jax.tree.map(jnp.add, total, term)
            total, zero = _finished(total)
        return total

    def scanned() -> PyTree:
        def body(total: PyTree, row: Array) -> tuple[PyTree, None]:
            return jax.tree.map(jnp.add, total, step(row)), None

        shapes = jax.eval_shape(step, jnp.asarray(rows[0]))
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return jax.lax.scan(body, zeros, jnp.asarray(rows))[0]

    if unroll is None:
        return jax.lax.platform_dependent(cpu=unrolled, default=scanned)
    return unrolled() if unroll else scanned()


@jax.custom_jvp
def _finished(total: PyTree) -> tuple[PyTree, Array]:
    """A sum that is added up here and now, and a zero that is known only afterwards.

    A loop that never runs, which XLA cannot know: it needs the whole sum in memory to enter, and
    gives the zero only when it is left.
    """
    never = 0 * jax.tree.leaves(total)[0].ravel()[0]  # not folded, for it may be NaN
    return jax.lax.while_loop(
        lambda carry: carry[1] > 0,
        lambda carry: jax.tree.map(jnp.add, carry, carry),
        (total, never),
    )


@_finished.defjvp
def _finished_jvp(
    primals: tuple[PyTree], tangents: tuple[PyTree]
) -> tuple[tuple[PyTree, Array], tuple[PyTree, Array]]:
    total, zero = _finished(*primals)
    return (total, zero), (tangents[0], jnp.zeros_like(zero))
