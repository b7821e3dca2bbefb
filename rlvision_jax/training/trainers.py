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

    Raises:
      ValueError: if there is no such environment.
    """
    return envs.lives_on_device(env) and jax.default_backend() != "cpu"


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
    one_of_each = {_num_levels(config): config for config in configs}
    games = {
        num_levels: cast(DeviceEnv, envs.make(config.env, **config.env_options))
        for num_levels, config in one_of_each.items()
    }
    # A game carries its level set: one environment, with one copy of the pictures, steps all.
    env = games[max(games, key=lambda num_levels: num_levels or math.inf)]
    trainers = []
    for config in configs:
        trainer = DeviceTrainer(config, env, level_set=games[_num_levels(config)].level_set)
        env = trainer.env  # on all devices now
        trainers.append(trainer)
    return trainers


def _num_levels(config: TrainConfig) -> int:
    """Size of the level set; 0: all levels."""
    return config.env_options.get("num_levels", 0)
