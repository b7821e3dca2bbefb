"""Trains on host environments: they step on threads, the policy acts and learns on the device.

Device environments are trained on in this way, too, where there is only a CPU: XLA runs the
convolutions of a compiled loop many times slower there. (Host only.)
"""

import os
import time
from typing import Any

import jax
import numpy as np
from jaxtyping import PRNGKeyArray

from rlvision_jax import envs, models
from rlvision_jax.training.config import TrainConfig
from rlvision_jax.training.rollout import Collector
from rlvision_jax.training.trainer import Outcome
from rlvision_jax.training.update import LearnerState, make_update

_NUM_GROUPS = 2


class HostTrainer:
    """A collector and an update; see `Trainer`."""

    def __init__(self, config: TrainConfig):
        self._config = config.ppo
        num_groups = _NUM_GROUPS if config.ppo.num_envs % _NUM_GROUPS == 0 else 1
        seeds = np.random.SeedSequence(config.seed).generate_state(num_groups) >> 1
        options = {"num_threads": os.cpu_count() or 1, "copy": False, **config.env_options}
        size = config.ppo.num_envs // num_groups
        groups = [
            envs.make_host(config.env, num_envs=size, seed=int(seed), **options) for seed in seeds
        ]
        self.policy = models.make(
            config.model,
            groups[0].num_actions,
            groups[0].observation_shape,
            activation_dtype=config.activation_dtype,
        )
        self._collector = Collector(groups)
        self._update = make_update(self.policy, config.ppo)

    @property
    def state_shapes(self) -> None:
        """None: the states of host environments are bytes of varying number."""
        return None

    def state(self) -> dict[str, np.ndarray]:
        """States of the environments and of the running episodes."""
        return self._collector.state()

    def restore(self, state: Any) -> bool:
        """Continues from what `state` returned; whether the running episodes go on."""
        return self._collector.restore(state)

    def iterate(self, learner: LearnerState, key: PRNGKeyArray) -> Outcome:
        """One rollout and update; `key` is consumed."""
        started = time.monotonic()
        rollout_key, update_key = jax.random.split(key)
        rollout, episodes = self._collector.collect(
            self.policy, learner.params, rollout_key, self._config.num_steps
        )
        learner, metrics = jax.block_until_ready(self._update(learner, rollout, update_key))
        return Outcome(
            learner=learner,
            env_state=self.state(),
            episodes=episodes,
            num_episodes=len(episodes),
            metrics=metrics,
            seconds=time.monotonic() - started,
        )

    def close(self) -> None:
        """Frees the environments."""
        for env in self._collector.envs:
            env.close()
