"""Where runs are trained: wholly on the device, or on host environments. The place to choose."""

import math
from collections.abc import Sequence
from typing import cast

import jax

from rlvision_jax import envs
from rlvision_jax.envs import DeviceEnv
from rlvision_jax.training.config import TrainConfig
from rlvision_jax.training.device_training import DeviceTrainer
from rlvision_jax.training.host_training import HostTrainer
from rlvision_jax.training.trainer import Trainer


def stays_on_device(env: str) -> bool:
    """Whether an environment of this name is trained on without leaving the device.

    On CPU it is not, though it may live there: XLA runs convolutions inside compiled loops many
    times slower, while the host's loop feeds both cores.
    """
    return ":" not in env and jax.default_backend() != "cpu"


def make_trainers(configs: Sequence[TrainConfig]) -> Sequence[Trainer]:
    """Makes the environments of each run.

    Args:
      configs: runs that differ in seed and number of levels only.

    Raises:
      ValueError: if the environment or one of its options is not known, or the run's sizes do
        not fit the devices.
    """
    if not stays_on_device(configs[0].env):
        return [HostTrainer(config) for config in configs]
    games = [cast(DeviceEnv, envs.make(config.env, **config.env_options)) for config in configs]
    # A game carries its level set: one environment, with one copy of the pictures, steps all.
    widest = max(
        range(len(configs)), key=lambda i: configs[i].env_options.get("num_levels", 0) or math.inf
    )
    env, trainers = games[widest], []
    for config, game in zip(configs, games, strict=True):
        trainer = DeviceTrainer(config, env, level_set=game.level_set)
        env = trainer.env  # on all devices now
        trainers.append(trainer)
    return trainers
