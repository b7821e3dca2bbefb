"""Sums over the steps of a loop whose body contains convolutions.

XLA on CPU runs a convolution inside a loop or a branch 10 to 16 times slower than outside, so
there the loop is written out; on an accelerator it is scanned, which compiles once for all steps.
This is the one place that decides.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree


def sum_over_rows(
    step: Callable[[Float[Array | np.ndarray, " column"]], PyTree],
    rows: Float[np.ndarray, "step column"],
    *,
    unroll: bool | None = None,
) -> PyTree:
    """Adds up `step(row)` over all rows, in order.

    Args:
      step: one term of the sum; the same structure, shapes and dtypes at every row. Where the
        loop is written out it gets NumPy's rows, whose entries the program holds as constants.
      rows: what tells the steps apart. Static.
      unroll: True writes the loop out, False scans it, None chooses by the platform that the
        program is lowered for. Static.

    Returns:
      The sum, in the structure of one term.
    """

    def unrolled() -> PyTree:
        total = step(rows[0])
        for row in rows[1:]:
            total = jax.tree.map(jnp.add, total, step(row))
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
