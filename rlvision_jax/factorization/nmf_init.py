"""Starting factors for NMF: non-negative double SVD (Boutsidis and Gallopoulos 2008).

The singular vectors come from the [channel, channel] Gram matrix, so that a tall matrix is read
twice and never decomposed.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from rlvision_jax.factorization.blocks import matmul

# Entries below this fraction of a factor's largest are zero at the start, as rounding leaves
# them where exact arithmetic would not.
_SMALLEST = 1e-6


def nndsvd(
    blocks: Float[Array, "block row channel"], num_features: int
) -> tuple[Float[Array, "block feature row"], Float[Array, "feature channel"]]:
    """Factors W and H to start NMF from, out of the leading singular vectors.

    The first pair of factors is the absolute value of the first singular vectors; each other is
    the positive or the negative part of its singular vectors, whichever carries more.

    Args:
      blocks: the matrix, in blocks of rows; at least 0.
      num_features: number of pairs of factors, at most the number of channels. Static.

    Returns:
      W, transposed and in the same blocks, and H; both at least 0.

    Source: Boutsidis and Gallopoulos 2008, doi 10.1016/j.patcog.2007.09.010; equal to
      scikit-learn's `init="nndsvd"` up to the threshold below which entries become zero.
    """
    num_channels = blocks.shape[-1]
    zeros = jnp.zeros((num_channels, num_channels), blocks.dtype)
    gram = jax.lax.scan(lambda gram, x: (gram + matmul(x.T, x), None), zeros, blocks)[0]
    # Scaled to entries near 1, so that small matrices do not leave the range of float32.
    scale = jnp.maximum(jnp.max(jnp.abs(gram)), jnp.finfo(gram.dtype).tiny)
    right = jnp.linalg.eigh(gram / scale)[1][:, ::-1][:, :num_features].T

    def projections(
        totals: Float[Array, "sign feature"], x: Float[Array, "row channel"]
    ) -> tuple[Float[Array, "sign feature"], Float[Array, "feature row"]]:
        left = matmul(right, x.T)
        squares = jnp.stack([jnp.sum(_part(left, sign) ** 2, -1) for sign in (1, -1)])
        return totals + squares, left

    totals = jnp.zeros((2, num_features), blocks.dtype)
    totals, left = jax.lax.scan(projections, totals, blocks)

    left_norms = jnp.sqrt(totals)
    right_norms = jnp.stack([jnp.linalg.norm(_part(right, sign), axis=-1) for sign in (1, -1)])
    singular = jnp.sqrt(jnp.sum(totals, 0))
    positive = left_norms[0] * right_norms[0] >= left_norms[1] * right_norms[1]
    sign = jnp.where(positive, 1, -1).astype(blocks.dtype)[:, None]
    # The first singular vectors of a non-negative matrix have one sign: their absolute value is
    # that part, without the noise of the other.
    left_norm = jnp.where(positive, left_norms[0], left_norms[1]).at[0].set(singular[0])
    right_norm = jnp.where(positive, right_norms[0], right_norms[1]).at[0].set(1)
    first = (jnp.arange(num_features) == 0)[:, None]
    left = jnp.where(first[None], jnp.abs(left), _part(left, sign[None]))
    right = jnp.where(first, jnp.abs(right), _part(right, sign))

    # Both factors of a pair get the same norm; that of `left` includes the singular value.
    norm = jnp.sqrt(left_norm * right_norm)
    w = left * _divide(norm, left_norm)[None, :, None]
    h = right * _divide(norm, right_norm)[:, None]
    return _drop_small(w), _drop_small(h)


def _part(x: Array, sign: Array | int) -> Array:
    return jnp.maximum(sign * x, 0)


def _divide(numerator: Array, denominator: Array) -> Array:
    return jnp.where(denominator > 0, numerator / jnp.where(denominator > 0, denominator, 1), 0)


def _drop_small(x: Array) -> Array:
    return jnp.where(x < _SMALLEST * jnp.max(x), 0, x)
