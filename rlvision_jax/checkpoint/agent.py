"""Agents on disk: parameters as safetensors, everything else as JSON beside them. (Host only.)

An agent is a folder. `agent.json` names the file that holds the parameters and its SHA-256, and
is replaced last and at once, so an interrupted or failed save leaves the earlier agent whole.
"""

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import safetensors
import safetensors.numpy
from flax import traverse_util
from jaxtyping import Array

from rlvision_jax import models
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.checkpoint.errors import CheckpointError, CheckpointMismatchError
from rlvision_jax.checkpoint.files import is_temporary, replace_file

_INDEX = "agent.json"
_WEIGHTS = re.compile(r"params-[0-9a-f]{12}\.safetensors")
_FORMAT = 1
# What `agent.json` must hold, and of which type.
_FIELDS = {"format": int, "policy": dict, "weights": str, "sha256": str, "config": dict}


def save(
    path: str | Path, policy: models.VisionPolicy, params: Params, config: Mapping[str, Any]
) -> None:
    """Saves an agent; one that is there already is replaced at once or not at all.

    Several processes may save to one folder: they take turns, and the last one stays.

    Args:
      path: folder to write; made if missing.
      policy: the policy, of `models.make`.
      params: its parameters.
      config: how it came to be (environment, options, steps, ...): JSON values.

    Raises:
      CheckpointError: if the path is a file, the folder holds other files than an agent's, or
        the policy is not of `models.make`, so that `load` could not make it again.
      OSError: if writing fails, as when the disk is full; the earlier agent is intact.
    """
    if not isinstance(policy, models.Policy):
        raise CheckpointError(
            f'cannot save "{policy.name}", a {type(policy).__name__}: `load` makes policies with '
            "models.make, which knows no functions of yours; save params with your own library "
            "(Orbax, equinox.tree_serialise_leaves) and make the policy again after loading; "
            "reports need no saved agent"
        )
    folder = Path(path)
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
    index_payload = (json.dumps(index, indent=2) + "\n").encode()
    _check_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        replace_file(weights, payload)
        replace_file(folder / _INDEX, index_payload)
        # Earlier parameters, and what a killed save left behind.
        for file in folder.iterdir():
            if is_temporary(file) or (_WEIGHTS.fullmatch(file.name) and file != weights):
                file.unlink()


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
    folder = Path(path)
    index, payload = _read(folder)
    weights = folder / index["weights"]
    digest = hashlib.sha256(payload).hexdigest()
    if digest != index["sha256"]:
        raise CheckpointError(
            f"{weights} is damaged: its SHA-256 begins {digest[:12]}, expected "
            f"{index['sha256'][:12]}; copy the agent again"
        )
    try:
        policy = models.make(**index["policy"])
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / _INDEX} names no model of ours: {error}") from None
    flat = safetensors.numpy.load(payload)
    _check_parameters(policy, flat, weights)
    arrays = {name: jnp.asarray(array) for name, array in flat.items()}
    params = traverse_util.unflatten_dict(arrays, sep="/")
    return policy, params, index["config"]


def fingerprint(params: Params) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the parameters, as `save` would store them.

    Args:
      params: any pytree of arrays; the names of its leaves count too.

    Raises:
      ValueError: if a leaf is no array of numbers.
    """
    return hashlib.sha256(safetensors.numpy.save(_flatten(params))).hexdigest()[:12]


def _flatten(params: Params) -> dict[str, np.ndarray]:
    flat = {}
    for path, leaf in jax.tree.leaves_with_path(params):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        is_array = isinstance(leaf, Array | np.ndarray | np.generic)
        if name in flat or not is_array:
            raise ValueError(
                f"params must be a pytree of arrays, each with a name of its own; got "
                f'{type(leaf).__name__} as "{name}"'
            )
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        flat[name] = np.ascontiguousarray(jax.random.key_data(leaf) if is_key else leaf)
    return {name: flat[name] for name in sorted(flat)}


def _check_folder(folder: Path) -> None:
    """Raises CheckpointError unless the folder is missing, empty or an agent's."""
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; expected a folder to save an agent in")
    if folder.exists() and not (folder / _INDEX).exists():
        # A save that was killed before it wrote the index leaves only these.
        ours = (is_temporary(file) or _WEIGHTS.fullmatch(file.name) for file in folder.iterdir())
        if not all(ours):
            raise CheckpointError(
                f"{folder} holds files but no {_INDEX}, so it is not an agent; choose another "
                "folder"
            )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits until no other process saves to the folder; freed even when this one is killed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _read(folder: Path) -> tuple[dict[str, Any], bytes]:
    """The index and the bytes of the parameters that it names."""
    index = _read_index(folder)
    while True:
        weights = folder / index["weights"]
        try:
            return index, weights.read_bytes()
        except FileNotFoundError:
            # A save may have replaced the agent since the index was read.
            newest = _read_index(folder)
            if newest["weights"] == index["weights"]:
                raise CheckpointError(f"{weights} is missing; the agent is incomplete") from None
            index = newest


def _read_index(folder: Path) -> dict[str, Any]:
    path = folder / _INDEX
    try:
        index = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{folder} is not an agent: it has no {_INDEX}; expected a folder that "
            "`rlvision train` or `checkpoint.save` wrote"
        ) from None
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}; copy the agent again") from None
    if not isinstance(index, dict) or not all(
        isinstance(index.get(name), kind) for name, kind in _FIELDS.items()
    ):
        fields = ", ".join(f"{name} ({kind.__name__})" for name, kind in _FIELDS.items())
        raise CheckpointError(f"{path} is damaged: expected {fields}; copy the agent again")
    if index["format"] != _FORMAT:
        raise CheckpointError(
            f"{folder} has format {index['format']}; this version of rlvision_jax reads {_FORMAT}"
        )
    if not _WEIGHTS.fullmatch(index["weights"]):
        raise CheckpointError(
            f'{path} names "{index["weights"]}"; expected params-<12 hexadecimal digits>'
            ".safetensors, beside it"
        )
    return index


def _check_parameters(policy: models.Policy, flat: Mapping[str, np.ndarray], weights: Path) -> None:
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    expected: dict[str, Any] = traverse_util.flatten_dict(shapes, sep="/")
    for name in sorted(expected.keys() | flat.keys()):
        want = list(expected[name].shape) if name in expected else "nothing"
        got = list(flat[name].shape) if name in flat else "nothing"
        if want != got:
            raise CheckpointMismatchError(
                f'{weights} does not fit model "{policy.name}" with {policy.num_actions} actions: '
                f"expected {want} for {name}, got {got}"
            )
