"""Environments: contracts, makers, Procgen's 16 games, and CoinRun on the device."""

from rlvision_jax.envs.actions import FORCE_RESET
from rlvision_jax.envs.base import DeviceEnv, HostEnv, TimeStep
from rlvision_jax.envs.coinrun.ground_truth import object_masks
from rlvision_jax.envs.coinrun.object_masks import masks_at_layer
from rlvision_jax.envs.coinrun.stamps import OBJECT_NAMES
from rlvision_jax.envs.make import make, make_host
from rlvision_jax.envs.procgen import ProcgenEnv
from rlvision_jax.envs.procgen_config import ACTION_NAMES, GAMES, ProcgenConfig
from rlvision_jax.envs.procgen_library import MissingProcgenError

__all__ = [
    "ACTION_NAMES",
    "FORCE_RESET",
    "GAMES",
    "OBJECT_NAMES",
    "DeviceEnv",
    "HostEnv",
    "MissingProcgenError",
    "ProcgenConfig",
    "ProcgenEnv",
    "TimeStep",
    "make",
    "make_host",
    "masks_at_layer",
    "object_masks",
]
