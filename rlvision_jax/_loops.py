"""Sums over the steps of a loop whose body contains convolutions.

XLA on CPU runs a convolution inside a loop or a branch 10 to 16 times slower than outside, so
there the loop is written out; on an accelerator it is scanned, which compiles once for all steps.
This is the one place that decides.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

# XLA on CPU computes what does not depend on each other in any order, and keeps it all until it
# is added up in one pass. That is fast, but so many terms must suffice to have in memory together.
_TERMS_AT_ONCE = 10

Row: TypeAlias = Float[Array | np.ndarray, " column"] | list[np.generic | Array]
"""One row: an array, or its entries."""


def sum_over_rows(
    step: Callable[[Row], PyTree],
    rows: Float[np.ndarray, "step column"],
    *,
    unroll: bool | None = None,
) -> PyTree:
    """Adds up `step(row)` over all rows, in order.

    Args:
      step: one term of the sum; the same structure, shapes and dtypes at every row. Where the
        loop is written out, NumPy's entries are constants of the program.
      rows: what tells the steps apart. Static.
      unroll: True writes the loop out, False scans it, None chooses by the platform that the
        program is lowered for. Static.

    Returns:
      The sum, in the structure of one term.
    """

    def unrolled() -> PyTree:
        total, zero = step(rows[0]), None
        for count, row in enumerate(rows[1:], start=1):
            if count % _TERMS_AT_ONCE == 0:
                total, zero = _finished(total)
            entries = row if zero is None else [entry + zero if entry else entry for entry in row]
            total = jax.tree.map(jnp.add, total, step(entries))
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
