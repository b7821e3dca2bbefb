"""Environments: contracts and makers; Procgen, Atari, Gymnasium; on the device CoinRun, gymnax."""

from rlvision_jax._extras import MissingExtraError
from rlvision_jax.envs.actions import FORCE_RESET
from rlvision_jax.envs.atari import AtariConfig
from rlvision_jax.envs.base import DeviceEnv, HostEnv, NoStatesError, TimeStep
from rlvision_jax.envs.coinrun.ground_truth import object_masks
from rlvision_jax.envs.coinrun.object_masks import masks_at_layer
from rlvision_jax.envs.coinrun.stamps import OBJECT_NAMES
from rlvision_jax.envs.description import Channels, Described, Description, describe, to_rgb
from rlvision_jax.envs.device_batch import DeviceBatch
from rlvision_jax.envs.gymnasium_env import GymnasiumBatch, from_gymnasium
from rlvision_jax.envs.gymnax_env import GymnaxEnv, from_gymnax
from rlvision_jax.envs.make import has_levels, lives_on_device, make, make_host
from rlvision_jax.envs.procgen import ProcgenEnv
from rlvision_jax.envs.procgen_config import ACTION_NAMES, GAMES, ProcgenConfig
from rlvision_jax.envs.procgen_library import MissingProcgenError

__all__ = [
    "ACTION_NAMES",
    "FORCE_RESET",
    "GAMES",
    "OBJECT_NAMES",
    "AtariConfig",
    "Channels",
    "Described",
    "Description",
    "DeviceBatch",
    "DeviceEnv",
    "GymnasiumBatch",
    "GymnaxEnv",
    "HostEnv",
    "MissingExtraError",
    "MissingProcgenError",
    "NoStatesError",
    "ProcgenConfig",
    "ProcgenEnv",
    "TimeStep",
    "describe",
    "from_gymnasium",
    "from_gymnax",
    "has_levels",
    "lives_on_device",
    "make",
    "make_host",
    "masks_at_layer",
    "object_masks",
    "to_rgb",
]
