"""Factorization of signed attributions, and their projection on the features.

Source: lucid.scratch.rl_util.nmf (LayerNMF with attr_layer_name) and transform_attr in
understanding_rl_vision/rl_clarity/interface.py.
"""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from rlvision_jax.factorization.nmf import NMF, fit_nmf


def fit_signed(
    attributions: Float[Array | np.ndarray, "*sample channel"],
    num_features: int,
    *,
    init: str = "nndsvd",
    max_iterations: int = 200,
    tolerance: float = 1e-4,
) -> NMF:
    """Factorizes attributions by magnitude: what counts for and against share the features.

    The positive part and the negative part of every row enter as samples of their own.

    Args:
      attributions: signed, channel last; all leading axes are samples.
      num_features: number of feature directions, 1 to the number of channels. Static.
      init: starting factors, as in `fit_nmf`. Static.
      max_iterations: upper limit, at least 1.
      tolerance: stopping rule of `fit_nmf`.

    Returns:
      The factorization; `project_signed` expresses attributions in its features.

    Raises:
      ValueError: as `fit_nmf`; also if (unless traced) every attribution is zero.
    """
    if not isinstance(attributions, Tracer) and not np.any(attributions):
        raise ValueError(
            f"attributions {list(attributions.shape)} must not all be zero: no feature can be found"
        )
    rows = jnp.asarray(attributions).reshape(-1, attributions.shape[-1])
    matrix = jnp.concatenate([jnp.maximum(rows, 0), jnp.maximum(-rows, 0)])
    return fit_nmf(
        matrix, num_features, init=init, max_iterations=max_iterations, tolerance=tolerance
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
