"""The IMPALA agent of CleanRL's ppo_procgen.py, from its state dict. (Host only.)

Source: `Agent` of cleanrl/ppo_procgen.py in vwxyzjn/cleanrl at fe8d8a0.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rlvision_jax import models
from rlvision_jax._types import Params
from rlvision_jax.checkpoint.foreign import (
    Foreign,
    as_arrays,
    convert,
    outputs_of,
    parameter_shapes,
)

_MODULES = {
    **{
        f"stack{index + 1}/{ours}": f"network.{index}.{theirs}"
        for index in range(3)
        for ours, theirs in {
            "conv": "conv",
            "block1/conv1": "res_block0.conv0",
            "block1/conv2": "res_block0.conv1",
            "block2/conv1": "res_block1.conv0",
            "block2/conv2": "res_block1.conv1",
        }.items()
    },
    "dense1": "network.5",
    "heads/policy": "actor",
    "heads/value": "critic",
}


def from_cleanrl(
    state_dict: Mapping[str, Any], *, observation_shape: Sequence[int] = (64, 64, 3)
) -> tuple[models.Policy, Params]:
    """The policy of an `Agent` that CleanRL's ppo_procgen.py trained, with equal outputs.

    Args:
      state_dict: `agent.state_dict()`, or what `torch.load(file, map_location="cpu",
        weights_only=True)` read of it: names and arrays, or tensors on the CPU.
      observation_shape: height, width, channel of its frames.

    Returns:
      A policy "impala_cleanrl" with as many actions as the state dict has, and its parameters.

    Raises:
      CheckpointMismatchError: names the arrays that are missing, unexpected or of another shape.
      CheckpointError: if a value is no array.
    """
    arrays = as_arrays(state_dict)
    num_actions = outputs_of(arrays, "actor.weight", "actor.bias")
    policy = models.make("impala_cleanrl", num_actions, observation_shape)
    last = policy.layer_shape(policy.layer_names[-1])
    table = {}
    for path, shape in parameter_shapes(policy).items():
        module, _, leaf = path.rpartition("/")
        name = f"{_MODULES[module]}.{'weight' if leaf == 'kernel' else 'bias'}"
        table[path] = _foreign(name, shape, last if path == "dense1/kernel" else None)
    return policy, convert(arrays, table, "the state dict", policy)


def _foreign(name: str, shape: tuple[int, ...], flattened: tuple[int, int, int] | None) -> Foreign:
    """Torch's form of an array of ours; `flattened` is what a dense layer reads, if not units."""
    if len(shape) == 4:
        height, width, channel, output = shape
        return Foreign(name, (output, channel, height, width), lambda x: x.transpose(2, 3, 1, 0))
    if flattened is not None:
        to_ours = functools.partial(_unflatten, flattened=flattened)
        return Foreign(name, shape[::-1], to_ours)
    return Foreign(name, shape[::-1], np.transpose)


def _unflatten(weight: np.ndarray, flattened: tuple[int, int, int]) -> np.ndarray:
    """Torch flattens channel, height, width; we height, width, channel."""
    height, width, channel = flattened
    weight = weight.reshape(-1, channel, height, width).transpose(2, 3, 1, 0)
    return weight.reshape(height * width * channel, -1)
