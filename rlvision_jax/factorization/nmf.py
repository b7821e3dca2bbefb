"""Non-negative matrix factorization on the device.

X [sample, channel] is approximated by W H with H [feature, channel], both at least 0. What is kept
is H: W follows from it, row by row.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.sharding import AbstractMesh, Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, Int, PRNGKeyArray

from rlvision_jax._checks import check_at_least, check_choice
from rlvision_jax.factorization.blocks import matmul, split_rows
from rlvision_jax.factorization.nmf_init import INITS
from rlvision_jax.factorization.nnls import solve_rows
from rlvision_jax.factorization.solver import fit

# Samples that a fit starts with: as many as 64 frames have at 32 x 32 positions, of both signs.
SUBSET_SAMPLES = 2**17


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class NMF:
    """Feature directions, and how well they reconstruct what they were fitted to.

    A pytree: `jax.vmap` over `fit_nmf` gives one of these with a leading axis in every field.

    Attributes:
      components: H, the feature directions, at least 0.
      reconstruction_error: Frobenius norm of X - W H.
      num_iterations: iterations until convergence, or the maximum; after a subset of the samples,
        with the passes over all of them.
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
    key: PRNGKeyArray | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-4,
    subset_samples: int | None = SUBSET_SAMPLES,
) -> NMF:
    """Factorizes a non-negative matrix.

    Up to `subset_samples` samples, the updates are those of scikit-learn's `solver="cd"`, one by
    one. Of more, a subset is factorized so, spread evenly over the matrix; then its H is refined
    with exact gradients of all samples until the same convergence rule holds for all of them.

    Pure JAX: works under `jax.jit`, and under `jax.vmap` over a leading axis. A matrix whose
    samples are spread over devices (`NamedSharding`) is factorized where it lies.

    Args:
      matrix: at least 0, finite.
      num_features: number of feature directions, 1 to the number of channels. Static.
      init: starting factors; "nndsvd", "nndsvda" (zeros filled with the mean) or "random". Static.
      key: for "random", and only then.
      max_iterations: upper limit of the iterations, at least 1; and, after a subset, of the
        passes over all samples that refine its H.
      tolerance: stop when the projected gradient, summed over all entries of W and H as they are
        updated, has fallen to this fraction of its value in the first iteration (or to rounding).
      subset_samples: samples to start with; None for all, and so for scikit-learn's updates
        however large the matrix. Static.

    Returns:
      The factorization. Directions are in the order of the singular vectors they started from,
      unnormalized.

    Raises:
      ValueError: if `num_features`, `init` or another number is out of range, `key` is missing or
        of no use, or (unless traced) the matrix is empty or has a negative or non-finite entry.

    Example:
      >>> matrix = jnp.asarray([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0]])
      >>> nmf = fit_nmf(matrix, 2)
      >>> bool(nmf.reconstruction_error < 1e-5)
      True
    """
    check_options(matrix.shape, num_features, init, key, max_iterations, subset_samples)
    matrix = jnp.asarray(matrix, float)
    if not isinstance(matrix, Tracer):
        smallest, largest = (float(end) for end in extrema(matrix))
        if not (smallest >= 0 and largest < np.inf):
            raise ValueError(
                "matrix must be finite and at least 0; "
                f"got entries from {smallest} to {largest}. Signed attributions: use fit_signed"
            )
    return fit_rows(
        matrix,
        key,
        max_iterations,
        tolerance,
        num_features=num_features,
        init=init,
        signed=False,
        subset_samples=subset_samples,
    )


def fit_rows(
    rows: Float[Array, "row channel"],
    key: PRNGKeyArray | None,
    max_iterations: int,
    tolerance: float,
    *,
    num_features: int,
    init: str,
    signed: bool,
    subset_samples: int | None,
) -> NMF:
    """`fit_nmf` and `fit_signed` behind their checks."""
    mesh, axes = _mesh_of_rows(rows)
    h, error, count = _fit(
        rows,
        max_iterations,
        tolerance,
        key,
        num_features=num_features,
        init=init,
        signed=signed,
        subset_samples=subset_samples,
        mesh=mesh,
        axes=axes,
    )
    return NMF(components=h, reconstruction_error=error, num_iterations=count)


def check_options(
    shape: tuple[int, ...],
    num_features: int,
    init: str,
    key: PRNGKeyArray | None,
    max_iterations: int,
    subset_samples: int | None,
) -> None:
    """Raises ValueError for what `fit_nmf` cannot do with a matrix of this shape."""
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"matrix must be [sample, channel] with at least one of each; got {list(shape)}"
        )
    check_at_least("num_features", num_features, 1)
    if num_features > shape[1]:
        raise ValueError(
            f"num_features must be at most the number of channels, {shape[1]}; got {num_features}"
        )
    check_choice("init", init, INITS)
    if (init == "random") != (key is not None):
        raise ValueError(
            f'key must be given for init "random" and only then; '
            f'got init "{init}" {"without" if key is None else "with"} a key'
        )
    if not isinstance(max_iterations, Tracer):
        check_at_least("max_iterations", max_iterations, 1)
    if subset_samples is not None:
        check_at_least("subset_samples", subset_samples, 1)


@jax.jit
def extrema(matrix: Float[Array, "sample channel"]) -> tuple[Array, Array]:
    """Smallest and largest entry."""
    return jnp.min(matrix), jnp.max(matrix)


def _mesh_of_rows(rows: Array) -> tuple[Mesh | AbstractMesh | None, tuple[str, ...]]:
    """The devices over which rows are spread, and the axes of the mesh that spread them."""
    sharding = None if isinstance(rows, Tracer) else rows.sharding
    if not isinstance(sharding, NamedSharding) or not sharding.spec or sharding.spec[0] is None:
        return None, ()
    axes = sharding.spec[0]
    return sharding.mesh, axes if isinstance(axes, tuple) else (axes,)


@functools.partial(
    jax.jit,
    static_argnames=("num_features", "init", "signed", "subset_samples", "mesh", "axes"),
)
def _fit(
    rows: Float[Array, "row channel"],
    max_iterations: Array | int,
    tolerance: Array | float,
    key: PRNGKeyArray | None,
    *,
    num_features: int,
    init: str,
    signed: bool,
    subset_samples: int | None,
    mesh: Mesh | AbstractMesh | None,
    axes: tuple[str, ...],
) -> tuple[Float[Array, "feature channel"], Float[Array, ""], Int[Array, ""]]:
    solve = functools.partial(
        fit,
        num_features=num_features,
        init=init,
        signed=signed,
        subset_samples=subset_samples,
        axes=axes,
    )
    if mesh is not None:
        everywhere = PartitionSpec()
        solve = jax.shard_map(
            solve,
            mesh=mesh,
            in_specs=(PartitionSpec(axes), everywhere, everywhere, everywhere),
            out_specs=everywhere,
            # The loops mix what all devices share with what is theirs.
            check_vma=False,
        )
    return solve(rows, max_iterations, tolerance, key)


@jax.jit
def _transform_rows(
    rows: Float[Array, "sample channel"], components: Float[Array, "feature channel"]
) -> Float[Array, "sample feature"]:
    w = jax.lax.map(lambda x: solve_rows(x, components), split_rows(rows))
    return w.reshape(-1, len(components))[: len(rows)]
