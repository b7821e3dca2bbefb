"""Parameters of other people's networks, checked and brought into our order. (Host only.)"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import traverse_util

from rlvision_jax._types import Params
from rlvision_jax.checkpoint.errors import CheckpointError, CheckpointMismatchError
from rlvision_jax.models import Policy


class Foreign(NamedTuple):
    """Where a parameter of ours stands in another network.

    Attributes:
      name: its name there.
      shape: its shape there.
      convert: from that shape to ours.
    """

    name: str
    shape: tuple[int, ...]
    convert: Callable[[np.ndarray], np.ndarray]


def parameter_shapes(policy: Policy) -> dict[str, tuple[int, ...]]:
    """Shape of every parameter, by its path without the leading "params": "dense1/kernel"."""
    shapes = jax.eval_shape(policy.init, jax.random.key(0))["params"]
    flat: dict[str, Any] = traverse_util.flatten_dict(shapes, sep="/")
    return {path: leaf.shape for path, leaf in flat.items()}


def as_arrays(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Array-likes, such as torch tensors on the CPU, as NumPy arrays.

    Raises:
      CheckpointError: if NumPy cannot read one.
    """
    arrays = {}
    for name, value in values.items():
        try:
            arrays[name] = np.asarray(value)
        except (TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(
                f"{name} cannot be read as an array: {error}; hand over float32 on the CPU, as "
                "value.detach().float().cpu() makes it in torch"
            ) from None
    return arrays


def outputs_of(arrays: Mapping[str, np.ndarray], *names: str) -> int:
    """Length of the first axis of the first of these arrays that is there; 1 of none."""
    found = (arrays[name] for name in names if name in arrays)
    return next((array.shape[0] for array in found if array.ndim), 1)


def convert(
    arrays: Mapping[str, np.ndarray], table: Mapping[str, Foreign], origin: str, policy: Policy
) -> Params:
    """Parameters of `policy` from the arrays of another network.

    Args:
      arrays: by their names there.
      table: by path of ours, as `parameter_shapes` has them; all of them.
      origin: what the arrays are, for errors.
      policy: the network they are for.

    Raises:
      CheckpointMismatchError: names every array that is missing, unexpected, of another shape, or
        without finite floating-point numbers.
    """
    wanted = {entry.name: entry for entry in table.values()}
    complaints = [f"{name} is missing" for name in wanted if name not in arrays]
    complaints += [f"{name} is unexpected" for name in arrays if name not in wanted]
    for name in wanted.keys() & arrays.keys():
        array, shape = arrays[name], list(wanted[name].shape)
        if list(array.shape) != shape:
            complaints.append(f"{name} has shape {list(array.shape)} instead of {shape}")
        elif array.dtype.kind != "f":
            complaints.append(f"{name} holds {array.dtype} instead of floating-point numbers")
        elif not np.isfinite(array).all():
            complaints.append(f"{name} holds numbers that are not finite")
    if complaints:
        raise CheckpointMismatchError(
            f'{origin} does not fit model "{policy.name}" with {policy.num_actions} actions and '
            f"observations {list(policy.observation_shape)}: {'; '.join(sorted(complaints))}"
        )
    flat = {
        path: jnp.asarray(entry.convert(arrays[entry.name]), jnp.float32)
        for path, entry in table.items()
    }
    return {"params": traverse_util.unflatten_dict(flat, sep="/")}
