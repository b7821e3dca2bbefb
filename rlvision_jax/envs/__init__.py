"""Environments: a contract, a maker, and Procgen's 16 games."""

from rlvision_jax.envs.actions import FORCE_RESET
from rlvision_jax.envs.base import DeviceEnv, HostEnv, TimeStep
from rlvision_jax.envs.make import make
from rlvision_jax.envs.procgen import ProcgenEnv
from rlvision_jax.envs.procgen_config import ACTION_NAMES, GAMES, ProcgenConfig
from rlvision_jax.envs.procgen_library import MissingProcgenError

__all__ = [
    "ACTION_NAMES",
    "FORCE_RESET",
    "GAMES",
    "DeviceEnv",
    "HostEnv",
    "MissingProcgenError",
    "ProcgenConfig",
    "ProcgenEnv",
    "TimeStep",
    "make",
]
