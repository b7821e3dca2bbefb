"""Non-negative matrix factorization by coordinate descent, on the device.

X [sample, channel] is approximated by W H with H [feature, channel], both at least 0. W is kept
transposed and in blocks, so that every update runs along contiguous samples and one pass over X
serves a whole iteration.

Source: Cichocki and Phan 2009, doi 10.1587/transfun.E92.A.708 (HALS); the order of the updates and
the convergence rule are those of scikit-learn's solver="cd".
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from rlvision_jax._checks import check_at_least, check_choice
from rlvision_jax.factorization.blocks import matmul, split_rows
from rlvision_jax.factorization.nmf_init import nndsvd
from rlvision_jax.factorization.nnls import descend, solve_rows

INITS = ("nndsvd",)

# Violations below this many roundings of the products that make up the gradients are noise.
_ROUNDING = 2


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class NMF:
    """Feature directions, and how well they reconstruct what they were fitted to.

    A pytree: `jax.vmap` over `fit_nmf` gives one of these with a leading axis in every field.

    Attributes:
      components: H, the feature directions, at least 0.
      reconstruction_error: Frobenius norm of X - W H.
      num_iterations: iterations until convergence, or the maximum.
    """

    components: Float[Array, "*model feature channel"]
    reconstruction_error: Float[Array, "*model"]
    num_iterations: Int[Array, "*model"]

    @property
    def norms(self) -> Float[Array, "*model feature"]:
        """Sum of each direction over channels: what one unit of a feature adds up to."""
        return jnp.sum(self.components, -1)

    def transform(
        self, x: Float[Array | np.ndarray, "*shape channel"]
    ) -> Float[Array, "*shape feature"]:
        """Non-negative feature activations that reconstruct `x` best, position by position.

        Each row is solved to convergence on its own, so a result does not depend on what else is
        in `x` (scikit-learn stops by the sum over all rows).

        Args:
          x: any leading shape; entries below 0 are allowed and pull features down.

        Returns:
          Feature activations, at least 0.

        Raises:
          ValueError: if the number of channels is not that of the components.
        """
        num_features, num_channels = self.components.shape
        if x.shape[-1] != num_channels:
            raise ValueError(
                f"x must have {num_channels} channels, as the components; got {x.shape[-1]}"
            )
        rows = jnp.asarray(x, self.components.dtype).reshape(-1, num_channels)
        return _transform_rows(rows, self.components).reshape(*x.shape[:-1], num_features)

    def inverse_transform(
        self, w: Float[Array | np.ndarray, "*shape feature"]
    ) -> Float[Array, "*shape channel"]:
        """Reconstruction from feature activations.

        Raises:
          ValueError: if the number of features is not that of the components.
        """
        num_features, num_channels = self.components.shape
        if w.shape[-1] != num_features:
            raise ValueError(
                f"w must have {num_features} features, as the components; got {w.shape[-1]}"
            )
        rows = jnp.asarray(w, self.components.dtype).reshape(-1, num_features)
        return matmul(rows, self.components).reshape(*w.shape[:-1], num_channels)


def fit_nmf(
    matrix: Float[Array | np.ndarray, "sample channel"],
    num_features: int,
    *,
    init: str = "nndsvd",
    max_iterations: int = 200,
    tolerance: float = 1e-4,
) -> NMF:
    """Factorizes a non-negative matrix.

    Pure JAX: works under `jax.jit`, and under `jax.vmap` over a leading axis.

    Args:
      matrix: at least 0, finite.
      num_features: number of feature directions, 1 to the number of channels. Static.
      init: starting factors; "nndsvd". Static.
      max_iterations: upper limit, at least 1.
      tolerance: stop when the projected gradient, summed over all entries of W and H as they are
        updated, has fallen to this fraction of its value in the first iteration (or to rounding).

    Returns:
      The factorization. Directions are in the order of the singular vectors they started from,
      unnormalized.

    Raises:
      ValueError: if `num_features` or `init` is out of range, or (unless traced) the matrix is
        empty or has a negative or non-finite entry.

    Example:
      >>> matrix = jnp.asarray([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
      >>> nmf = fit_nmf(matrix, 2)
      >>> bool(nmf.reconstruction_error < 1e-5)
      True
    """
    _check_matrix(matrix)
    num_channels = matrix.shape[1]
    check_at_least("num_features", num_features, 1)
    if num_features > num_channels:
        raise ValueError(
            f"num_features must be at most the number of channels, {num_channels}; "
            f"got {num_features}"
        )
    check_choice("init", init, INITS)
    if not isinstance(max_iterations, Tracer):
        check_at_least("max_iterations", max_iterations, 1)
    return _fit(jnp.asarray(matrix, float), max_iterations, tolerance, num_features=num_features)


def _check_matrix(matrix: Array | np.ndarray) -> None:
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise ValueError(
            f"matrix must be [sample, channel] with at least one of each; got {list(matrix.shape)}"
        )
    if isinstance(matrix, Tracer):
        return
    smallest, largest = (float(end) for end in (matrix.min(), matrix.max()))
    if not (smallest >= 0 and largest < np.inf):
        raise ValueError(
            "matrix must be finite and at least 0; "
            f"got entries from {smallest} to {largest}. Signed attributions: use fit_signed"
        )


@functools.partial(jax.jit, static_argnames="num_features")
def _fit(
    matrix: Float[Array, "sample channel"],
    max_iterations: Array | int,
    tolerance: Array | float,
    *,
    num_features: int,
) -> NMF:
    # Scaled by a power of 4, which rounds nothing (and shares its root between W and H), so that
    # squares of small attributions stay within float32.
    largest = jnp.max(matrix)
    exponent = jnp.where(largest > 0, jnp.floor(jnp.log2(largest) / 2), 0).astype(jnp.int32)
    blocks = split_rows(jnp.ldexp(matrix, -2 * exponent))
    num_channels = blocks.shape[-1]
    dtype = blocks.dtype
    w, h = nndsvd(blocks, num_features)

    channel_sums = jnp.sum(jnp.sum(blocks, 1), 0)
    rounding = _ROUNDING * jnp.finfo(dtype).eps

    def iteration(state: tuple) -> tuple:
        count, w, h, _, limit = state
        gram = matmul(h, h.T)

        def update_block(totals: tuple, block: tuple) -> tuple[tuple, Array]:
            w_gram, w_x, violation = totals
            w, x = block
            w, moved = descend(w, matmul(h, x.T), gram)
            return (w_gram + matmul(w, w.T), w_x + matmul(w, x), violation + moved.sum()), w

        totals = (
            jnp.zeros((num_features, num_features), dtype),
            jnp.zeros((num_features, num_channels), dtype),
            jnp.zeros((), dtype),
        )
        (w_gram, w_x, violation), w = jax.lax.scan(update_block, totals, (w, blocks))
        h, moved = descend(h, w_x, w_gram)
        violation = violation + moved.sum()
        # A gradient is a difference of products like these, whose rounding it cannot fall below.
        noise = rounding * (jnp.sum(h * channel_sums[None]) + jnp.sum(w_x))
        limit = jnp.where(count == 0, tolerance * violation, jnp.maximum(limit, noise))
        return count + 1, w, h, violation, limit

    def unfinished(state: tuple) -> Array:
        count, _, _, violation, limit = state
        return (count == 0) | ((count < max_iterations) & (violation > limit))

    zero = jnp.zeros((), dtype)
    state = jax.lax.while_loop(unfinished, iteration, (jnp.int32(0), w, h, zero, zero))
    count, w, h, _, _ = state

    def add_squares(total: Array, block: tuple) -> tuple[Array, None]:
        w, x = block
        return total + jnp.sum((x - matmul(w.T, h)) ** 2), None

    squares = jax.lax.scan(add_squares, zero, (w, blocks))[0]
    return NMF(
        components=jnp.ldexp(h, exponent),
        reconstruction_error=jnp.ldexp(jnp.sqrt(squares), 2 * exponent),
        num_iterations=count,
    )


@jax.jit
def _transform_rows(
    rows: Float[Array, "sample channel"], components: Float[Array, "feature channel"]
) -> Float[Array, "sample feature"]:
    w = jax.lax.map(lambda x: solve_rows(x, components), split_rows(rows))
    return w.reshape(-1, len(components))[: len(rows)]
