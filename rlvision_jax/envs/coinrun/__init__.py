"""CoinRun on the device: levels, physics and pictures bit for bit as Procgen makes them."""

from rlvision_jax.envs.coinrun import changed_levels, counterfactuals
from rlvision_jax.envs.coinrun.assets import Assets, AssetSize, load_assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.env import CoinRun
from rlvision_jax.envs.coinrun.failures import failure_cause
from rlvision_jax.envs.coinrun.host_env import CoinRunBatch
from rlvision_jax.envs.coinrun.host_state import config_of, from_procgen, to_procgen
from rlvision_jax.envs.coinrun.level_generation import (
    generate_level,
    next_level_seed,
    tabulate_levels,
)
from rlvision_jax.envs.coinrun.mersenne_twister import env_seeds
from rlvision_jax.envs.coinrun.physics import FailureCause, Outcome, advance
from rlvision_jax.envs.coinrun.rendering import render
from rlvision_jax.envs.coinrun.types import Level, LevelSet, State

__all__ = [
    "AssetSize",
    "Assets",
    "CoinRun",
    "CoinRunBatch",
    "CoinRunConfig",
    "FailureCause",
    "Level",
    "LevelSet",
    "Outcome",
    "State",
    "advance",
    "changed_levels",
    "config_of",
    "counterfactuals",
    "env_seeds",
    "failure_cause",
    "from_procgen",
    "generate_level",
    "load_assets",
    "next_level_seed",
    "render",
    "tabulate_levels",
    "to_procgen",
]
