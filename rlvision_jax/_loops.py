"""Sums over the steps of a loop whose body contains convolutions.

XLA on CPU runs a convolution inside a loop or a branch 10 to 16 times slower than outside, so
there the loop is written out; on an accelerator it is scanned, which compiles once for all steps.
This is the one place that decides.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree


def sum_over_steps(
    step: Callable[[Float[Array, ""], Float[Array, ""]], PyTree],
    nodes: Float[Array, " step"],
    weights: Float[Array, " step"],
    *,
    unroll: bool | None = None,
) -> PyTree:
    """Adds up `step(node, weight)` over all steps, in order.

    Args:
      step: one term of the sum; the same structure, shapes and dtypes at every step.
      nodes: first argument of each call.
      weights: second argument of each call.
      unroll: True writes the loop out, False scans it, None chooses by the platform that the
        program is lowered for. Static.

    Returns:
      The sum, in the structure of one term.
    """

    def unrolled(nodes: Array, weights: Array) -> PyTree:
        total = step(nodes[0], weights[0])
        for index in range(1, len(nodes)):
            total = jax.tree.map(jnp.add, total, step(nodes[index], weights[index]))
        return total

    def scanned(nodes: Array, weights: Array) -> PyTree:
        def body(total: PyTree, pair: tuple[Array, Array]) -> tuple[PyTree, None]:
            return jax.tree.map(jnp.add, total, step(*pair)), None

        shapes = jax.eval_shape(step, nodes[0], weights[0])
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return jax.lax.scan(body, zeros, (nodes, weights))[0]

    if unroll is None:
        return jax.lax.platform_dependent(nodes, weights, cpu=unrolled, default=scanned)
    return unrolled(nodes, weights) if unroll else scanned(nodes, weights)
