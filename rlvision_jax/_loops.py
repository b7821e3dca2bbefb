"""Sums over the steps of a loop whose body contains convolutions.

XLA on CPU runs a convolution inside a loop or a branch 10 to 16 times slower than outside, so
there several rows are computed side by side and what is left of the loop is written out; on an
accelerator it is scanned, which needs the memory of one row. This is the one place that decides.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

# Side by side, rows need one program instead of one each, which compiles faster and runs as fast,
# as long as a core's caches hold them. Written out, XLA computes what does not depend on each other
# in any order, and keeps it all until it is added up. So many must suffice to have in memory.
_ROWS_IN_MEMORY = 10

Row: TypeAlias = Float[Array | np.ndarray, " column"] | list[np.generic | Array]
"""One row: an array, or its entries."""


def sum_over_rows(
    step: Callable[[Row], PyTree],
    rows: Float[np.ndarray, "step column"],
    *,
    branches: int = 1,
    unroll: bool | None = None,
) -> PyTree:
    """Adds up `step(row)` over all rows.

    Args:
      step: one term of the sum; the same structure, shapes and dtypes at every row. Where single
        rows are written out, NumPy's entries are constants of the program.
      rows: what tells the steps apart. Static.
      branches: how many times as much a term needs as one pass through a network: so many fewer
        rows are taken side by side, down to one. Static.
      unroll: True takes rows side by side and writes out the loop over what remains, False scans
        it, None chooses by the platform that the program is lowered for. Static.

    Returns:
      The sum, in the structure of one term.
    """

    together = max(_ROWS_IN_MEMORY // branches, 1)

    def unrolled() -> PyTree:
        total, zero = None, np.zeros((), rows.dtype)
        for first in range(0, len(rows), together):
            block = rows[first : first + together]
            if len(block) > 1:
                term = jax.tree.map(lambda x: x.sum(0), jax.vmap(step)(block + zero))
            else:
                term = step([entry + zero if entry else entry for entry in block[0]])
            total = term if total is None else jax.tree.map(jnp.add, total, term)
            after = first + together
            if after % _ROWS_IN_MEMORY < together or after >= len(rows):
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
