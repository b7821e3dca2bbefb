"""Edits of weights that blind a policy to one feature, or strengthen it for the policy.

Blinding is appendix A of Hilton et al. 2020; scaling by another factor is ours.

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
    return scale_direction(policy, params, layer, direction, 0.0)


def scale_direction(
    policy: VisionPolicy,
    params: Params,
    layer: str,
    direction: Float[Array | np.ndarray, " channel"],
    factor: float | int,
) -> Params:
    """Makes everything that reads a layer see one direction of it stronger or weaker.

    As if the layer's activation were stretched along the direction by the factor, and nothing
    else changed.

    Args:
      policy: as in `project_out`.
      params: parameters to start from; left as they are.
      layer: one of `policy.layer_names`.
      direction: over the channels of the layer, of any length but 0.
      factor: 0 removes the direction (`project_out`), 1 changes nothing, 2 doubles it, -1 turns
        it around.

    Returns:
      New parameters, which share every array with the old but one kernel.

    Raises:
      ValueError: as `project_out`; or if the factor is not finite.
    """
    check_layer(policy, layer)
    if not isinstance(policy, Policy):
        raise ValueError(
            f'edits know the kernels of models.Policy only; got "{policy.name}", a '
            f"{type(policy).__name__}: put project_out_of_kernel(kernel, direction), or "
            f'scale_in_kernel, of the kernel that reads "{layer}" into its params'
        )
    num_channels = policy.layer_shape(layer)[-1]
    if np.shape(direction) != (num_channels,):
        raise ValueError(
            f'direction must have the {num_channels} channels of layer "{layer}"; '
            f"got shape {list(np.shape(direction))}"
        )
    path = ("params", *policy.network.consumer(layer), "kernel")
    return _replace(params, path, lambda kernel: scale_in_kernel(kernel, direction, factor))


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
    return scale_in_kernel(kernel, direction, 0.0, channel_axis=channel_axis)


def scale_in_kernel(
    kernel: Float[Array | np.ndarray, "*shape"],
    direction: Float[Array | np.ndarray, " channel"],
    factor: float | int,
    *,
    channel_axis: int = -2,
) -> Float[Array, "*shape"]:
    """Makes a kernel see one direction of the layer it reads stronger or weaker.

    Args:
      kernel: as in `project_out_of_kernel`.
      direction: over the channels of the layer, of any length but 0.
      factor: of what the kernel answers to the direction; 0 removes it, 1 changes nothing.
      channel_axis: as in `project_out_of_kernel`.

    Returns:
      A kernel whose answer to the direction is `factor` times the old one, and the same to all
      that is orthogonal to it.

    Raises:
      ValueError: if the direction is zero or not finite, the factor is not finite, or the
        direction's length does not divide the axis.

    Example:
      >>> kernel, direction = jnp.eye(2)[None, None], jnp.ones(2)
      >>> doubled = scale_in_kernel(kernel, direction, 2.0)
      >>> print(direction @ doubled[0, 0], jnp.array([1.0, -1.0]) @ doubled[0, 0])
      [2. 2.] [ 1. -1.]
    """
    direction = np.asarray(direction, np.float64)
    norm = np.linalg.norm(direction)
    if not (np.isfinite(norm) and norm > 0):
        raise ValueError(f"direction must be finite and not zero; got one of norm {norm}")
    if not np.isfinite(factor):
        raise ValueError(f"factor must be finite; got {factor}")
    size = kernel.shape[channel_axis]
    if size % len(direction):
        raise ValueError(
            f"the kernel's axis {channel_axis} must hold the direction's {len(direction)} channels "
            f"once or several times; got {size} in shape {list(kernel.shape)}"
        )
    unit = direction / norm
    last = np.moveaxis(np.asarray(kernel, np.float64), channel_axis, -1)
    rows = last.reshape(-1, len(unit))
    rows = rows + (factor - 1) * (rows @ unit)[:, None] * unit
    edited = np.moveaxis(rows.reshape(last.shape), -1, channel_axis)
    return jnp.asarray(edited, kernel.dtype)


def _replace(tree: Any, path: tuple[str, ...], edit: Any) -> Any:
    if not path:
        return edit(tree)
    return {**tree, path[0]: _replace(tree[path[0]], path[1:], edit)}
