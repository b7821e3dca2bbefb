"""Three iterations on all devices, and what came of them; as a script, printed as JSON."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import jax
import numpy as np
import signal_env

from rlvision_jax import models
from rlvision_jax.training import PPOConfig, TrainConfig
from rlvision_jax.training.device_training import DeviceTrainer, iterate
from rlvision_jax.training.update import initial_learner

EXCHANGE = re.compile(
    r"= \(?(\w+)\[.* (?:all-reduce|all-gather|all-to-all|collective-permute)(?:-start)?\("
)


def iterated():
    config = TrainConfig(
        env="signal",
        env_options={},
        model="nature",
        ppo=PPOConfig(num_envs=4, num_steps=20, num_epochs=2, num_minibatches=4),
    )
    trainer = DeviceTrainer(config, signal_env.make())
    learner = initial_learner(trainer.policy, config.ppo, jax.random.key(0))
    static = trainer.policy, config.ppo, trainer.mesh
    lowered = iterate.lower(*static, trainer.env, *trainer.member(learner), jax.random.key(0))
    episodes, metrics = [], []
    for count in range(3):
        outcome = trainer.iterate(learner, jax.random.key(count))
        learner = outcome.learner
        episodes += outcome.episodes
        metrics.append([float(x) for x in jax.tree.leaves(outcome.metrics)])
    return {
        "devices": len(trainer.playing.lengths.sharding.device_set),
        "episodes": episodes,
        "metrics": metrics,
        "params": np.asarray(learner.params["kernel"]).tolist(),
        "exchanged": sorted(set(EXCHANGE.findall(lowered.compile().as_text()))),
    }


if __name__ == "__main__":
    models.make = signal_env.LinearPolicy
    print(json.dumps(iterated()))
