"""Edits of weights that blind a policy to one feature (appendix A of Hilton et al. 2020).

Host module: computes in NumPy, in float64.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.models import Policy


def project_out(
    policy: Policy,
    params: Params,
    layer: str,
    direction: Float[Array | np.ndarray, " channel"],
) -> Params:
    """Removes one direction of a layer from everything that reads the layer.

    The kernel that follows `layer` is projected, along its input channels, on the orthogonal
    complement of the direction. Doing so twice changes nothing more. (Where the layer is pooled
    before that kernel, it is the pooled activation that loses the direction.)

    Args:
      policy: what the parameters belong to.
      params: parameters to start from; left as they are.
      layer: one of `policy.layer_names`.
      direction: over the channels of the layer, of any length but 0; a row of
        `NMF.components`, for example.

    Returns:
      New parameters, which share every array with the old but one kernel.

    Raises:
      ValueError: if the layer is unknown, or the direction is zero, not finite, or not as long
        as the layer has channels.

    Source: Hilton et al. 2020, appendix A, doi 10.23915/distill.00029.
    """
    policy.check_layer(layer)
    num_channels = policy.layer_shape(layer)[-1]
    direction = np.asarray(direction, np.float64)
    if direction.shape != (num_channels,):
        raise ValueError(
            f'direction must have the {num_channels} channels of layer "{layer}"; '
            f"got shape {list(direction.shape)}"
        )
    norm = np.linalg.norm(direction)
    if not (np.isfinite(norm) and norm > 0):
        raise ValueError(f"direction must be finite and not zero; got one of norm {norm}")
    unit = direction / norm

    def edit(kernel: Array) -> Array:
        # A convolution's kernel is [height, width, channel, output]. Behind the flattening it is
        # [height * width * channel, output], with the channel moving fastest.
        rows = np.asarray(kernel, np.float64).reshape(-1, num_channels, kernel.shape[-1])
        rows = rows - unit[:, None] * (unit @ rows)[:, None]
        return jnp.asarray(rows.reshape(kernel.shape), kernel.dtype)

    return _replace(params, ("params", *policy.network.consumer(layer), "kernel"), edit)


def _replace(tree: Any, path: tuple[str, ...], edit: Any) -> Any:
    if not path:
        return edit(tree)
    return {**tree, path[0]: _replace(tree[path[0]], path[1:], edit)}
