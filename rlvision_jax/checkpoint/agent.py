"""Agents on disk: parameters as safetensors, everything else as JSON beside them.

An agent is a folder. `agent.json` names the file that holds the parameters and its SHA-256, and
is replaced last and at once, so an interrupted or failed save leaves the earlier agent whole.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flax
import jax
import numpy as np
import safetensors
import safetensors.numpy

from rlvision_jax import models
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.checkpoint.errors import CheckpointError, CheckpointMismatchError

_INDEX = "agent.json"
_FORMAT = 1


def save(
    path: str | Path, policy: models.Policy, params: Params, config: Mapping[str, Any]
) -> None:
    """Saves an agent; one that is there already is replaced at once or not at all.

    Args:
      path: folder to write; made if missing.
      policy: the policy.
      params: its parameters.
      config: how it came to be (environment, options, steps, ...): JSON values.

    Raises:
      CheckpointError: if the folder holds other files than an agent's.
      OSError: if writing fails, as when the disk is full; the earlier agent is intact.
    """
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; expected a folder to save an agent in")
    if folder.exists() and any(folder.iterdir()) and not (folder / _INDEX).exists():
        raise CheckpointError(
            f"{folder} holds files but no {_INDEX}, so it is not an agent; choose another folder"
        )
    folder.mkdir(parents=True, exist_ok=True)
    payload = safetensors.numpy.save(_flatten(params))
    digest = hashlib.sha256(payload).hexdigest()
    weights = folder / f"params-{digest[:12]}.safetensors"
    index = {
        "format": _FORMAT,
        "rlvision_jax": __version__,
        "policy": policy.config,
        "weights": weights.name,
        "sha256": digest,
        "config": dict(config),
    }
    _replace(weights, payload)
    _replace(folder / _INDEX, (json.dumps(index, indent=2) + "\n").encode())
    for old in folder.glob("params-*.safetensors"):
        if old != weights:
            old.unlink()


def load(path: str | Path) -> tuple[models.Policy, Params, dict[str, Any]]:
    """Loads an agent that `save` wrote.

    Args:
      path: its folder.

    Returns:
      The policy, its parameters, and the config it was saved with.

    Raises:
      CheckpointError: if there is no agent, or a file is damaged.
      CheckpointMismatchError: if the parameters are not those of the model it names.
    """
    index = _read_index(Path(path))
    weights = Path(path) / index["weights"]
    try:
        payload = weights.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"{weights} is missing; the agent is incomplete") from None
    digest = hashlib.sha256(payload).hexdigest()
    if digest != index["sha256"]:
        raise CheckpointError(
            f"{weights} is damaged: its SHA-256 begins {digest[:12]}, expected "
            f"{index['sha256'][:12]}; copy the agent again"
        )
    policy = models.make(**index["policy"])
    flat = safetensors.numpy.load(payload)
    _check_parameters(policy, flat, weights)
    params = flax.traverse_util.unflatten_dict(flat, sep="/")
    return policy, params, index["config"]


def fingerprint(params: Params) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the parameters, as `save` would store them."""
    return hashlib.sha256(safetensors.numpy.save(_flatten(params))).hexdigest()[:12]


def _flatten(params: Params) -> dict[str, np.ndarray]:
    flat = flax.traverse_util.flatten_dict(params, sep="/")
    return {name: np.ascontiguousarray(flat[name]) for name in sorted(flat)}


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / _INDEX).read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{folder} is not an agent: it has no {_INDEX}; expected a folder that "
            "`rlvision train` or `checkpoint.save` wrote"
        ) from None
    except ValueError as error:
        raise CheckpointError(f"{folder / _INDEX} is damaged: {error}") from None
    fields = ("format", "policy", "weights", "sha256", "config")
    if not isinstance(index, dict) or any(field not in index for field in fields):
        raise CheckpointError(f"{folder / _INDEX} is damaged: expected {', '.join(fields)}")
    if index["format"] != _FORMAT:
        raise CheckpointError(
            f"{folder} has format {index['format']}; this version of rlvision_jax reads {_FORMAT}"
        )
    if Path(index["weights"]).name != index["weights"]:
        raise CheckpointError(f"{folder / _INDEX} names weights outside its folder")
    return index


def _check_parameters(policy: models.Policy, flat: Mapping[str, np.ndarray], weights: Path) -> None:
    expected = flax.traverse_util.flatten_dict(
        jax.eval_shape(policy.init, jax.random.key(0)), sep="/"
    )
    for name in sorted(expected.keys() | flat.keys()):
        want = list(expected[name].shape) if name in expected else "nothing"
        got = list(flat[name].shape) if name in flat else "nothing"
        if want != got:
            raise CheckpointMismatchError(
                f'{weights} does not fit model "{policy.name}" with {policy.num_actions} actions: '
                f"expected {want} for {name}, got {got}"
            )


def _replace(path: Path, payload: bytes) -> None:
    """Writes a file under a temporary name, flushes it to disk, and renames it."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        with open(temporary, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
