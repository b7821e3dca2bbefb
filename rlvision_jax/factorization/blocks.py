"""Passes over the rows of a tall matrix in blocks that stay in the caches of a CPU.

Sums over rows are sums of block sums: in float32 that loses less than one long sum.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

# Rows per block, by platform; an accelerator is best kept busy with few large blocks.
_BLOCK_ROWS = {"cpu": 8192}
_ACCELERATOR_BLOCK_ROWS = 2**21


def split_rows(
    matrix: Float[Array, "sample channel"], block_rows: int | None = None
) -> Float[Array, "block row channel"]:
    """Cuts a matrix into blocks of rows, the last one filled up with zeros.

    Args:
      matrix: any number of rows.
      block_rows: rows per block, or None for a number that suits the platform. Static.
    """
    num_rows, num_channels = matrix.shape
    if block_rows is None:
        block_rows = _BLOCK_ROWS.get(jax.default_backend(), _ACCELERATOR_BLOCK_ROWS)
    num_blocks = max(-(-num_rows // block_rows), 1)
    # Equal blocks: fewer zeros than full blocks and a nearly empty last one.
    block_rows = -(-num_rows // num_blocks)
    padded = jnp.pad(matrix, ((0, num_blocks * block_rows - num_rows), (0, 0)))
    return padded.reshape(num_blocks, block_rows, num_channels)


def matmul(a: Float[Array, "i j"], b: Float[Array, "j k"]) -> Float[Array, "i k"]:
    """Matrix product in full float32, also where the platform's default is lower precision."""
    return jnp.matmul(a, b, precision=jax.lax.Precision.HIGHEST)
