"""The best of several factorizations from random starts, all at once."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from rlvision_jax._checks import check_at_least
from rlvision_jax.factorization.nmf import NMF, SUBSET_SAMPLES, fit_nmf


def fit_restarts(
    matrix: Float[Array | np.ndarray, "sample channel"],
    num_features: int,
    key: PRNGKeyArray,
    num_restarts: int,
    *,
    max_iterations: int = 200,
    tolerance: float = 1e-4,
    subset_samples: int | None = SUBSET_SAMPLES,
) -> NMF:
    """Factorizes from several random starts and keeps the one with the smallest error.

    Works under `jax.jit` and `jax.vmap`, as `fit_nmf`.

    Args:
      matrix: at least 0, finite.
      num_features: number of feature directions, 1 to the number of channels. Static.
      key: split into one for each start.
      num_restarts: number of starts, at least 1. Static.
      max_iterations: of each, as in `fit_nmf`.
      tolerance: of each, as in `fit_nmf`.
      subset_samples: of each, as in `fit_nmf`. Static.

    Raises:
      ValueError: as `fit_nmf`, or if `num_restarts` is below 1.

    Example:
      >>> nmf = fit_restarts(jnp.eye(3), 3, jax.random.key(0), 4)
      >>> bool(nmf.reconstruction_error < 1e-3)
      True
    """
    check_at_least("num_restarts", num_restarts, 1)

    def fit_from(key: PRNGKeyArray) -> NMF:
        return fit_nmf(
            matrix,
            num_features,
            init="random",
            key=key,
            max_iterations=max_iterations,
            tolerance=tolerance,
            subset_samples=subset_samples,
        )

    fits = jax.vmap(fit_from)(jax.random.split(key, num_restarts))
    best = jnp.argmin(fits.reconstruction_error)
    return jax.tree.map(lambda leaf: leaf[best], fits)
