"""Whether training that never leaves the device learns what training on Procgen does.

From the repository's root: `python -m benchmarks.learning`. The preset "smoke" (ten easy levels) is
trained from several seeds on `procgen:coinrun` by the host's loop, and on `coinrun` by the compiled
program. They draw other levels, actions and minibatches, so that curves agree within their spread,
not number by number. On a CPU the compiled program is slow; the machine does not change what it
learns.
"""

import argparse
import dataclasses
import statistics
from collections import deque
from typing import cast

import jax

from benchmarks._record import write_result
from rlvision_jax import envs
from rlvision_jax.envs import DeviceEnv
from rlvision_jax.training import PRESETS, TrainConfig
from rlvision_jax.training.device_training import DeviceTrainer
from rlvision_jax.training.host_training import HostTrainer
from rlvision_jax.training.trainer import Trainer, run_keys
from rlvision_jax.training.update import initial_learner

_RECENT = 100


def make_trainer(path: str, config: TrainConfig) -> Trainer:
    if path == "host":
        return HostTrainer(dataclasses.replace(config, env="procgen:coinrun"))
    game = cast(DeviceEnv, envs.make("coinrun", **config.env_options))
    return DeviceTrainer(dataclasses.replace(config, env="coinrun"), game)


def curve(path: str, config: TrainConfig, row_steps: int) -> list[dict]:
    """Mean return of the last 100 episodes, about every `row_steps` steps."""
    trainer = make_trainer(path, config)
    parameter_key, _, key = run_keys(config.seed)
    learner = initial_learner(trainer.policy, config.ppo, parameter_key)
    recent: deque[float] = deque(maxlen=_RECENT)
    rows = []
    for step in range(0, config.ppo.total_steps, config.ppo.batch_size):
        outcome = trainer.iterate(learner, jax.random.fold_in(key, step + 1))
        learner = outcome.learner
        recent.extend(episode.episode_return for episode in outcome.episodes)
        done = step + config.ppo.batch_size
        if done // row_steps > step // row_steps:
            mean = statistics.mean(recent)
            rows.append({"path": path, "seed": config.seed, "step": done, "episode_return": mean})
            print(f"{path} seed {config.seed}: {done} steps, return {mean:.2f}", flush=True)
    trainer.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Learning curves of both ways to train.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=100_000, help="environment steps of each run")
    arguments = parser.parse_args()
    preset = PRESETS["smoke"]()
    ppo = dataclasses.replace(preset.ppo, total_steps=arguments.steps)
    rows = []
    for seed in range(arguments.seeds):
        for path in ("host", "device"):
            config = dataclasses.replace(preset, ppo=ppo, seed=seed)
            rows += curve(path, config, row_steps=20_000)
    notes = f"Preset smoke, mean return of the last {_RECENT} episodes."
    print(write_result("learning", rows, notes=notes))


if __name__ == "__main__":
    main()
