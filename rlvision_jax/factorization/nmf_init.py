"""Starting factors for NMF: non-negative double SVD (Boutsidis and Gallopoulos 2008), or random.

The singular vectors come from the [channel, channel] Gram matrix, so that a tall matrix is read
twice and never decomposed; W is made only for the rows that are asked for.

Source: Boutsidis and Gallopoulos 2008, doi 10.1016/j.patcog.2007.09.010; equal to scikit-learn's
starts up to the threshold below which entries become zero.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from rlvision_jax.factorization.blocks import matmul

INITS = ("nndsvd", "nndsvda", "random")

# Entries below this fraction of a factor's largest are zero at the start, as rounding leaves
# them where exact arithmetic would not.
_SMALLEST = 1e-6


class DoubleSVD(NamedTuple):
    """What nndsvd makes H and any row of W from."""

    right: Float[Array, "feature channel"]  # leading right singular vectors
    squares: Float[Array, "sign feature"]  # of the positive and negative parts of X right^T


def right_vectors(
    gram: Float[Array, "channel channel"], num_features: int
) -> Float[Array, "feature channel"]:
    """Leading right singular vectors of the matrix X whose X^T X is `gram`."""
    # Scaled to entries near 1, so that small matrices do not leave the range of float32.
    scale = jnp.maximum(jnp.max(jnp.abs(gram)), jnp.finfo(gram.dtype).tiny)
    return jnp.linalg.eigh(gram / scale)[1][:, ::-1][:, :num_features].T


def part_squares(
    right: Float[Array, "feature channel"], x: Float[Array, "row channel"]
) -> Float[Array, "sign feature"]:
    """A block's share of `DoubleSVD.squares`."""
    left = matmul(right, x.T)
    return jnp.stack([jnp.sum(_part(left, sign) ** 2, -1) for sign in (1, -1)])


def nndsvd(
    svd: DoubleSVD, rows: Float[Array, "row channel"]
) -> tuple[Float[Array, "row feature"], Float[Array, "feature channel"]]:
    """Factors W and H to start NMF from, out of the leading singular vectors.

    The first pair of factors is the absolute value of the first singular vectors; each other is
    the positive or the negative part of its singular vectors, whichever carries more.

    Args:
      svd: of the whole matrix.
      rows: those to make W for.

    Returns:
      W of the rows, and H; both at least 0.
    """
    right = svd.right
    left_norms = jnp.sqrt(svd.squares)
    right_norms = jnp.stack([jnp.linalg.norm(_part(right, sign), axis=-1) for sign in (1, -1)])
    singular = jnp.sqrt(jnp.sum(svd.squares, 0))
    positive = left_norms[0] * right_norms[0] >= left_norms[1] * right_norms[1]
    sign = jnp.where(positive, 1, -1).astype(right.dtype)
    # The first singular vectors of a non-negative matrix have one sign: their absolute value is
    # that part, without the noise of the other.
    left_norm = jnp.where(positive, left_norms[0], left_norms[1]).at[0].set(singular[0])
    right_norm = jnp.where(positive, right_norms[0], right_norms[1]).at[0].set(1)
    first = jnp.arange(len(right)) == 0
    left = matmul(rows, right.T)
    left = jnp.where(first[None], jnp.abs(left), _part(left, sign[None]))
    right = jnp.where(first[:, None], jnp.abs(right), _part(right, sign[:, None]))

    # Both factors of a pair get the same norm; that of `left` includes the singular value.
    norm = jnp.sqrt(left_norm * right_norm)
    w = left * _divide(norm, left_norm)[None]
    h = right * _divide(norm, right_norm)[:, None]
    return _drop_small(w), _drop_small(h)


def fill_zeros(factor: Float[Array, "i j"], value: Float[Array, ""]) -> Float[Array, "i j"]:
    """What makes nndsvd's factors those of "nndsvda": the mean of X instead of zeros."""
    return jnp.where(factor == 0, value, factor)


def random_factors(
    key: PRNGKeyArray, shape: tuple[int, int, int], mean: Float[Array, ""]
) -> tuple[Float[Array, "row feature"], Float[Array, "feature channel"]]:
    """Absolute normal deviates of the size that reproduces the mean of X.

    Args:
      key: used for both factors.
      shape: numbers of rows, features and channels. Static.
      mean: of X.
    """
    num_rows, num_features, num_channels = shape
    w_key, h_key = jax.random.split(key)
    size = jnp.sqrt(mean / num_features)
    w = jax.random.normal(w_key, (num_rows, num_features), mean.dtype)
    h = jax.random.normal(h_key, (num_features, num_channels), mean.dtype)
    return jnp.abs(size * w), jnp.abs(size * h)


def _part(x: Array, sign: Array | int) -> Array:
    return jnp.maximum(sign * x, 0)


def _divide(numerator: Array, denominator: Array) -> Array:
    return jnp.where(denominator > 0, numerator / jnp.where(denominator > 0, denominator, 1), 0)


def _drop_small(x: Array) -> Array:
    return jnp.where(x < _SMALLEST * jnp.max(x), 0, x)
