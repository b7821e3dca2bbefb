"""Passes over the rows of a tall matrix in blocks that stay in the caches of a CPU.

Sums over rows are sums of block sums: in float32 that loses less than one long sum.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

# Rows per block, by platform; an accelerator is best kept busy with few large blocks.
_BLOCK_ROWS = {"cpu": 8192}
_ACCELERATOR_BLOCK_ROWS = 2**21


def block_rows_for(num_rows: int) -> int:
    """Rows per block that suit the platform, in equal blocks. Static."""
    most = _BLOCK_ROWS.get(jax.default_backend(), _ACCELERATOR_BLOCK_ROWS)
    num_blocks = max(-(-num_rows // most), 1)
    # Equal blocks: fewer zeros than full blocks and a nearly empty last one.
    return -(-num_rows // num_blocks)


def split_rows(
    matrix: Float[Array, "sample channel"], block_rows: int | None = None
) -> Float[Array, "block row channel"]:
    """Cuts a matrix into blocks of rows, the last one filled up with zeros.

    Args:
      matrix: any number of rows.
      block_rows: rows per block, or None for a number that suits the platform. Static.
    """
    num_rows, num_channels = matrix.shape
    block_rows = block_rows or block_rows_for(num_rows)
    num_blocks = max(-(-num_rows // block_rows), 1)
    padded = jnp.pad(matrix, ((0, num_blocks * block_rows - num_rows), (0, 0)))
    return padded.reshape(num_blocks, block_rows, num_channels)


def sum_over_rows(
    function: Callable[[Float[Array, "row channel"]], Any],
    matrix: Float[Array, "sample channel"],
    block_rows: int | None = None,
) -> Any:
    """Sums a function of blocks of rows, reading the matrix once and copying none of it.

    Args:
      function: block -> pytree of arrays; rows of zeros must not count in its result.
      matrix: any number of rows.
      block_rows: rows per block, or None for a number that suits the platform. Static.
    """
    num_rows = len(matrix)
    block_rows = block_rows or block_rows_for(num_rows)
    places = np.arange(0, num_rows, block_rows)
    # The last block starts early enough to be whole; rows that it repeats are silenced.
    starts = np.minimum(places, num_rows - block_rows)

    def add(total: Any, place: tuple) -> tuple[Any, None]:
        start, repeated = place
        x = jax.lax.dynamic_slice_in_dim(matrix, start, block_rows)
        x = jnp.where(jnp.arange(block_rows)[:, None] < repeated, 0, x)
        return jax.tree.map(jnp.add, total, function(x)), None

    block = jax.ShapeDtypeStruct((block_rows, *matrix.shape[1:]), matrix.dtype)
    zeros = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(function, block))
    return jax.lax.scan(add, zeros, (starts, places - starts))[0]


def spread_indices(num_rows: int, num_chosen: int, first: int = 0) -> Int[np.ndarray, " chosen"]:
    """Rows spread evenly over a matrix: one out of each of `num_chosen` equal runs.

    The place within a run follows the golden ratio, so that no period in the rows (such as the
    width of a frame) is met again and again.

    Args:
      num_rows: rows to choose from.
      num_chosen: rows to choose, at most `num_rows`.
      first: number of the first run, for a part of a larger matrix.

    Example:
      >>> spread_indices(12, 4)
      array([ 0,  4,  6, 11])
    """
    places = (np.arange(first, first + num_chosen) * ((np.sqrt(5) - 1) / 2)) % 1
    return ((np.arange(num_chosen) + places) * (num_rows / num_chosen)).astype(np.int64)


def matmul(a: Float[Array, "i j"], b: Float[Array, "j k"]) -> Float[Array, "i k"]:
    """Matrix product in full float32, also where the platform's default is lower precision."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
