"""Agents of the code of "Understanding RL Vision": its joblib files. (Host only: files.)

A file holds a dictionary: `params`, the TensorFlow variables by name; `args`, the arguments of
the training, among them the environment's; `time` and `extra`.

Source: `save_data`, `create_env` and `get_arch` of rl_clarity/training.py, and `load` of
rl_clarity/loading.py, in openai/understanding-rl-vision at cfb426f; the networks of
baselines/common/models.py at ea25b9e and of lucid/scratch/rl_util/arch.py.
"""

import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rlvision_jax import models
from rlvision_jax._types import Params
from rlvision_jax.checkpoint.errors import CheckpointError
from rlvision_jax.checkpoint.foreign import Foreign, convert, outputs_of, parameter_shapes
from rlvision_jax.checkpoint.jd_file import read_jd
from rlvision_jax.checkpoint.jd_pickle import read_pickle
from rlvision_jax.envs import ACTION_NAMES, GAMES

_FORMAT = "openai/understanding-rl-vision"
_SCOPE = "ppo2_model/"
_CLEAR = {name: f"{name}/conv2d" for name in ("1a", "2a", "2b", "3a", "4a")}
_IMPALA = (
    f"stack{stack}/{module}"
    for stack in (1, 2, 3)
    for module in ("conv", "block1/conv1", "block1/conv2", "block2/conv1", "block2/conv2")
)
# Network -> module of ours -> name in the scope "pi"
_MODULES: dict[str, dict[str, str]] = {
    "clear": {**_CLEAR, "dense1": "dense", "dense2": "dense_1"},
    "impala_baselines": {
        module: f"layer_{index}" for index, module in enumerate((*_IMPALA, "dense1"))
    },
    "nature": {"conv1": "c1", "conv2": "c2", "conv3": "c3", "dense1": "fc1"},
}
# What TensorFlow's own layers call their two variables, and what those of Baselines do.
_LEAVES = {"kernel": "kernel", "bias": "bias"}
_BASELINES_LEAVES = {"kernel": "w", "bias": "b"}

# Their options of Procgen -> ours
_NUMBERS = {"num_levels": "num_levels", "start_level": "start_level", "debug_mode": "debug_mode"}
_SWITCHES = {
    "paint_vel_info": "paint_velocity",
    **{
        name: name
        for name in (
            "use_generated_assets",
            "use_monochrome_assets",
            "restrict_themes",
            "use_backgrounds",
            "use_sequential_levels",
            "center_agent",
        )
    },
}

# Actions of the older CoinRun (DISCRETE_ACTIONS of coinrun/coinrun.cpp in openai/coinrun at
# 523704f), and the two that the published agents have in addition, which do nothing.
_OLD_COINRUN = "coinrun_old"
_OLD_COINRUN_ACTIONS = ("none", "right", "left", "up", "right+up", "left+up", "down")
_EXTRA_ACTIONS = ("none (extra 1)", "none (extra 2)")


def load_jd(
    path: str | Path, *, max_bytes: int = 2**28
) -> tuple[models.Policy, Params, dict[str, Any]]:
    """Loads an agent of the original code, without running anything in the file.

    The network ("clear", "impala_baselines" or "nature") and the number of actions are read off
    the variables. Outputs are those of the original network.

    Args:
      path: a .jd file; compressed by joblib or not.
      max_bytes: most bytes to hold, compressed or not.

    Returns:
      The policy, its parameters, and a config as `save` takes it: `imported_from` says what the
      file was and keeps its `args`; `env` and `env_options` are there if the agent was trained in
      Procgen with its 15 actions; `action_names` if in the older CoinRun.

    Raises:
      CheckpointError: if the file is missing, damaged, too large, or holds anything but plain
        data.
      CheckpointMismatchError: if its variables are not those of one of the three networks.
    """
    path = Path(path)
    raw, payload = read_jd(path, max_bytes)
    variables, args = _content(read_pickle(payload, str(path)), path)
    args = {str(key): _plain(value) for key, value in args.items()}
    name = _network(variables, path)
    num_actions = outputs_of(variables, f"{_SCOPE}pi/b:0")
    policy = models.make(name, num_actions, _observation_shape(name, variables, args, path))
    table = {ours: _foreign(name, ours, shape) for ours, shape in parameter_shapes(policy).items()}
    params = convert(variables, table, str(path), policy)
    provenance = {
        "format": _FORMAT,
        "file": path.name,
        "sha256": hashlib.sha256(raw).hexdigest(),
        "args": args,
    }
    return policy, params, {**_play_config(args, policy), "imported_from": provenance}


def _content(content: Any, path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Variables and arguments, which must be there and of the right types."""
    if not (
        isinstance(content, dict)
        and isinstance(args := content.get("args"), dict)
        and isinstance(variables := content.get("params"), dict)
    ):
        raise CheckpointError(
            f'{path} is no agent of {_FORMAT}: expected a dictionary with "args" and "params"'
        )
    for name, value in variables.items():
        if not isinstance(name, str) or not isinstance(value, np.ndarray):
            raise CheckpointError(
                f"{path} has the parameter {name} of type {type(value).__name__}; "
                "expected arrays by name"
            )
    return variables, args


def _network(variables: Mapping[str, np.ndarray], path: Path) -> str:
    """The network that has the first convolution of the file."""
    if any("lstm" in name for name in variables):
        raise CheckpointError(f"{path} holds a recurrent network; expected one without LSTM")
    for name, modules in _MODULES.items():
        first = next(iter(modules))
        if _variable(name, f"{first}/kernel") in variables:
            return name
    firsts = ", ".join(_variable(name, f"{next(iter(_MODULES[name]))}/kernel") for name in _MODULES)
    names = ", ".join(sorted(variables)[:3]) or "none"
    raise CheckpointError(
        f"{path} holds no network that we know: expected one of the variables {firsts}; "
        f"got {names} ..."
    )


def _variable(network: str, path: str) -> str:
    """Name of the TensorFlow variable for a parameter of ours."""
    module, _, leaf = path.rpartition("/")
    if module == "heads/policy":
        return f"{_SCOPE}pi/{_BASELINES_LEAVES[leaf]}:0"
    if module == "heads/value":
        return f"{_SCOPE}vf/{_BASELINES_LEAVES[leaf]}:0"
    leaves = _BASELINES_LEAVES if network == "nature" else _LEAVES
    return f"{_SCOPE}pi/{_MODULES[network][module]}/{leaves[leaf]}:0"


def _foreign(network: str, path: str, shape: tuple[int, ...]) -> Foreign:
    # Baselines' own convolutions keep their biases in four axes.
    in_four_axes = network == "nature" and path.startswith("conv") and path.endswith("bias")
    theirs = (1, *shape, 1, 1) if in_four_axes else shape
    return Foreign(_variable(network, path), theirs, functools.partial(np.reshape, shape=shape))


def _observation_shape(
    network: str, variables: Mapping[str, np.ndarray], args: Mapping[str, Any], path: Path
) -> tuple[int, int, int]:
    """Height and width by the kind of environment, channels by the first convolution."""
    atari = args.get("env_kind") == "atari"
    if atari and network == "clear":
        raise CheckpointError(
            f"{path} holds a clear network for Atari's frames of 84x84, which it halves four "
            "times; ours reads frames whose height and width are divisible by 16"
        )
    first = next(iter(_MODULES[network]))
    kernel = variables[_variable(network, f"{first}/kernel")]
    channels = kernel.shape[2] if kernel.ndim == 4 else 3
    return (84, 84, channels) if atari else (64, 64, channels)


def _play_config(args: Mapping[str, Any], policy: models.Policy) -> dict[str, Any]:
    """What playing and reports need: the environment, if it is one of ours, and the discount."""
    config: dict[str, Any] = {}
    game = args.get("env_name")
    if (
        args.get("env_kind", "procgen") == "procgen"
        and game in GAMES
        and policy.num_actions == len(ACTION_NAMES)
        and policy.observation_shape == (64, 64, 3)
    ):
        config |= {"env": f"procgen:{game}", "env_options": _options(args)}
    if game == _OLD_COINRUN:
        names = (*_OLD_COINRUN_ACTIONS, *_EXTRA_ACTIONS)
        if policy.num_actions in (len(_OLD_COINRUN_ACTIONS), len(names)):
            config["action_names"] = list(names[: policy.num_actions])
    ppo = {"discount": args.get("gamma"), "gae_lambda": args.get("lambda")}
    config["training"] = {
        "ppo": {name: float(value) for name, value in ppo.items() if isinstance(value, float)}
    }
    scale = args.get("reward_scale")
    if isinstance(scale, int | float) and scale > 0:
        # Theirs multiplies rewards, ours divides them.
        config["reward_scale"] = 1.0 / scale
    return config


def _options(args: Mapping[str, Any]) -> dict[str, Any]:
    """Options of Procgen in our names; theirs may be None, and switches 0 or 1."""
    mode = args.get("distribution_mode")
    options = {} if mode is None else {"distribution_mode": mode}
    options |= {
        ours: args[theirs] for theirs, ours in _NUMBERS.items() if args.get(theirs) is not None
    }
    return options | {
        ours: bool(args[theirs])
        for theirs, ours in _SWITCHES.items()
        if args.get(theirs) is not None
    }


def _plain(value: Any) -> Any:
    """A JSON value; the name of the type for what is none."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return f"({type(value).__name__})"
