"""Factorization of signed attributions, and their projection on the features.

Source: lucid.scratch.rl_util.nmf (LayerNMF with attr_layer_name) and transform_attr in
understanding_rl_vision/rl_clarity/interface.py.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from rlvision_jax.factorization.nmf import (
    NMF,
    SUBSET_SAMPLES,
    check_options,
    extrema,
    fit_rows,
)


def fit_signed(
    attributions: Float[Array | np.ndarray, "*sample channel"],
    num_features: int,
    *,
    init: str = "nndsvd",
    key: PRNGKeyArray | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-4,
    subset_samples: int | None = SUBSET_SAMPLES,
) -> NMF:
    """Factorizes attributions by magnitude: what counts for and against share the features.

    The positive part and the negative part of every row are samples of their own. They are taken
    apart block by block: the matrix of both is never in memory.

    Args:
      attributions: signed, finite, channel last; all leading axes are samples.
      num_features: number of feature directions, 1 to the number of channels. Static.
      init: starting factors, as in `fit_nmf`. Static.
      key: for `init="random"`, and only then.
      max_iterations: upper limit, as in `fit_nmf`.
      tolerance: stopping rule of `fit_nmf`.
      subset_samples: samples to start with, as in `fit_nmf`; both parts count. Static.

    Returns:
      The factorization; `project_signed` expresses attributions in its features.

    Raises:
      ValueError: as `fit_nmf`; also if (unless traced) every attribution is zero.
    """
    shape = tuple(attributions.shape)
    rows = jnp.asarray(attributions, float).reshape(-1, shape[-1])
    check_options(rows.shape, num_features, init, key, max_iterations, subset_samples)
    if not isinstance(rows, Tracer):
        smallest, largest = (float(end) for end in extrema(rows))
        if smallest == largest == 0:
            raise ValueError(
                f"attributions {list(shape)} must not all be zero: no feature can be found"
            )
        if not (smallest > -np.inf and largest < np.inf):
            raise ValueError(
                f"attributions must be finite; got entries from {smallest} to {largest}"
            )
    return fit_rows(
        rows,
        key,
        max_iterations,
        tolerance,
        num_features=num_features,
        init=init,
        signed=True,
        subset_samples=subset_samples,
    )


def project_signed(
    nmf: NMF, attributions: Float[Array | np.ndarray, "*shape channel"]
) -> tuple[Float[Array, "*shape feature"], Float[Array, "*shape"]]:
    """Splits attributions into the shares of the features and what they leave.

    The positive part projected minus the negative part projected, each feature times the sum of
    its direction. At every position, features and residual add up to the attribution summed over
    channels.

    Args:
      nmf: factorization of the layer's attributions.
      attributions: signed, of any leading shape.

    Returns:
      Signed share of each feature, and the residual, both in units of the attributed score.

    Raises:
      ValueError: if the number of channels is not that of the components.
    """
    attributions = jnp.asarray(attributions)
    positive = nmf.transform(jnp.maximum(attributions, 0))
    negative = nmf.transform(jnp.maximum(-attributions, 0))
    norms = jnp.broadcast_to(nmf.norms, positive.shape)
    maps = (positive - negative) * norms
    return maps, jnp.sum(attributions, -1) - jnp.sum(maps, -1)
