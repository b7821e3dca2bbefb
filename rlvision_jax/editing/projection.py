"""Edits of weights that blind a policy to one feature (appendix A of Hilton et al. 2020).

Host module: computes in NumPy, in float64.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.models import Policy, VisionPolicy, check_layer


def project_out(
    policy: VisionPolicy,
    params: Params,
    layer: str,
    direction: Float[Array | np.ndarray, " channel"],
) -> Params:
    """Removes one direction of a layer from everything that reads the layer.

    The kernel that follows `layer` is projected, along its input channels, on the orthogonal
    complement of the direction. Doing so twice changes nothing more. (Where the layer is pooled
    before that kernel, it is the pooled activation that loses the direction.)

    Args:
      policy: what the parameters belong to; a `models.Policy`, which knows its kernels.
      params: parameters to start from; left as they are.
      layer: one of `policy.layer_names`.
      direction: over the channels of the layer, of any length but 0; a row of
        `NMF.components`, for example.

    Returns:
      New parameters, which share every array with the old but one kernel.

    Raises:
      ValueError: if the layer is unknown, the direction is zero, not finite, or not as long
        as the layer has channels, or the policy is your own (edit its kernel with
        `project_out_of_kernel`).

    Source: Hilton et al. 2020, appendix A, doi 10.23915/distill.00029.
    """
    check_layer(policy, layer)
    if not isinstance(policy, Policy):
        raise ValueError(
            f'project_out knows the kernels of models.Policy only; got "{policy.name}", a '
            f"{type(policy).__name__}: put project_out_of_kernel(kernel, direction) of the kernel "
            f'that reads "{layer}" into its params'
        )
    num_channels = policy.layer_shape(layer)[-1]
    if np.shape(direction) != (num_channels,):
        raise ValueError(
            f'direction must have the {num_channels} channels of layer "{layer}"; '
            f"got shape {list(np.shape(direction))}"
        )
    path = ("params", *policy.network.consumer(layer), "kernel")
    return _replace(params, path, lambda kernel: project_out_of_kernel(kernel, direction))


def project_out_of_kernel(
    kernel: Float[Array | np.ndarray, "*shape"],
    direction: Float[Array | np.ndarray, " channel"],
    *,
    channel_axis: int = -2,
) -> Float[Array, "*shape"]:
    """Removes one direction of a layer from a kernel that reads the layer.

    Args:
      kernel: of a convolution, or of a dense layer behind a flattening.
      direction: over the channels of the layer, of any length but 0.
      channel_axis: axis of the kernel along which the layer's channels lie: -2 in Flax, 1 in
        Equinox and PyTorch. Behind a flattening of height, width, channel the axis holds the
        channels once per position. After another flattening, reshape the kernel first: of
        channel, height, width to [output, channel, height * width] with axis 1.

    Returns:
      A kernel that gives the same output wherever the layer moves along the direction.

    Raises:
      ValueError: if the direction is zero or not finite, or its length does not divide the axis.

    Example:
      >>> print(project_out_of_kernel(jnp.eye(2)[None, None], jnp.ones(2))[0, 0])
      [[ 0.5 -0.5]
       [-0.5  0.5]]
    """
    direction = np.asarray(direction, np.float64)
    norm = np.linalg.norm(direction)
    if not (np.isfinite(norm) and norm > 0):
        raise ValueError(f"direction must be finite and not zero; got one of norm {norm}")
    size = kernel.shape[channel_axis]
    if size % len(direction):
        raise ValueError(
            f"the kernel's axis {channel_axis} must hold the direction's {len(direction)} channels "
            f"once or several times; got {size} in shape {list(kernel.shape)}"
        )
    unit = direction / norm
    last = np.moveaxis(np.asarray(kernel, np.float64), channel_axis, -1)
    rows = last.reshape(-1, len(unit))
    rows = rows - (rows @ unit)[:, None] * unit
    edited = np.moveaxis(rows.reshape(last.shape), -1, channel_axis)
    return jnp.asarray(edited, kernel.dtype)


def _replace(tree: Any, path: tuple[str, ...], edit: Any) -> Any:
    if not path:
        return edit(tree)
    return {**tree, path[0]: _replace(tree[path[0]], path[1:], edit)}
