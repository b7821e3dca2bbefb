"""PPO that never leaves the device: a rollout and its update are one compiled program.

The environments are spread over all devices, the parameters are on each of them. The program is
written as if there were one device, so that the number of devices changes nothing but the order
of sums; every minibatch takes equally many time steps of each environment, so that no frame is
moved between devices.
"""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Int32, PRNGKeyArray

from rlvision_jax import models
from rlvision_jax.envs import DeviceEnv
from rlvision_jax.models import Policy
from rlvision_jax.training.config import PPOConfig, TrainConfig
from rlvision_jax.training.device_rollout import (
    ENV_AXIS,
    LastEpisodes,
    Playing,
    begin,
    collect,
    episodes,
    on_each_device,
)
from rlvision_jax.training.ppo_loss import Minibatch
from rlvision_jax.training.trainer import Outcome, run_keys
from rlvision_jax.training.update import (
    LearnerState,
    UpdateMetrics,
    samples_with_targets,
    scaled_rewards,
    scan_minibatches,
)

Iterated: TypeAlias = tuple[LearnerState, Playing, tuple[UpdateMetrics, LastEpisodes]]


# Nothing is donated: a run that is interrupted saves what it had before, and that is small beside
# the rollout, which exists only inside.
@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def iterate(
    policy: Policy,
    config: PPOConfig,
    mesh: Mesh,
    env: DeviceEnv,
    learner: LearnerState,
    playing: Playing,
    key: PRNGKeyArray,
) -> Iterated:
    """One rollout and its update.

    Args:
      policy: the policy to train. Static.
      config: settings of the algorithm. Static.
      mesh: the devices that the environments are spread over. Static.
      env: the game.
      learner: what learns.
      playing: where the environments stand.
      key: consumed.

    Returns:
      Learner and environments afterwards, and what is reported.
    """
    rollout_key, update_key = jax.random.split(key)
    playing, rollout, last = collect(
        policy, mesh, env, learner.params, playing, rollout_key, config.num_steps
    )
    reward_scale, rewards = _on_all_environments(mesh, functools.partial(scaled_rewards, config))(
        learner.reward_scale, rollout.rewards, rollout.done
    )
    samples = samples_with_targets(config, rollout, rewards)
    learner, metrics = scan_minibatches(
        policy,
        config,
        learner._replace(reward_scale=reward_scale),
        samples,
        minibatch_times(config, update_key),
        on_each_device(mesh, _cut, (1, 0)),
    )
    everywhere, by_env = shardings(mesh)
    learner, report = jax.lax.with_sharding_constraint((learner, (metrics, last)), everywhere)
    return learner, jax.lax.with_sharding_constraint(playing, by_env), report


def _on_all_environments(mesh: Mesh, function: Callable) -> Callable:
    """Makes every device run a function on the environments of all.

    The reward's scale sums over them at every time step: the devices exchange the rewards once,
    instead of the sums step by step.
    """
    whole = PartitionSpec()
    return jax.shard_map(function, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)


def shardings(mesh: Mesh) -> tuple[NamedSharding, NamedSharding]:
    """How the learner and the environments are spread over the devices."""
    return NamedSharding(mesh, PartitionSpec()), NamedSharding(mesh, PartitionSpec(ENV_AXIS))


def minibatch_times(
    config: PPOConfig, key: PRNGKeyArray
) -> Int32[Array, "minibatch env minibatch_time"]:
    """Which time steps of each environment make up each minibatch.

    Every epoch takes each sample once; within an environment the order is random.

    Args:
      config: settings of the algorithm. Static.
      key: consumed.
    """
    times = jnp.broadcast_to(jnp.arange(config.num_steps), (config.num_envs, config.num_steps))
    orders = jax.vmap(lambda key: jax.random.permutation(key, times, axis=1, independent=True))(
        jax.random.split(key, config.num_epochs)
    )
    share = config.num_steps // config.num_minibatches
    rows = orders.reshape(config.num_epochs, config.num_envs, config.num_minibatches, share)
    return rows.swapaxes(1, 2).reshape(-1, config.num_envs, share)


def _cut(samples: Minibatch, times: Int32[Array, "env minibatch_time"]) -> Minibatch:
    """Takes the given time steps of each environment out of samples of all times."""
    taken = jax.vmap(lambda samples, times: jax.tree.map(lambda x: x[times], samples), (1, 0))(
        samples, times
    )
    return Minibatch(*(x.reshape(-1, *x.shape[2:]) for x in taken))


class DeviceTrainer:
    """Device environments and the compiled iteration; see `Trainer`."""

    def __init__(
        self,
        config: TrainConfig,
        env: DeviceEnv,
        *,
        level_set: Any = None,
        devices: Sequence[Any] | None = None,
    ):
        """Starts the games.

        Args:
          config: the run.
          env: the game.
          level_set: levels to draw from; None: the environment's own.
          devices: to spread the environments over; None: all.

        Raises:
          ValueError: if the environments do not spread evenly, or a minibatch cannot take
            equally many time steps of each of them.
        """
        ppo = config.ppo
        devices = jax.devices() if devices is None else devices
        if ppo.num_envs % len(devices):
            raise ValueError(
                f"num_envs = {ppo.num_envs} must be divisible by the number of devices, "
                f"{len(devices)}"
            )
        if ppo.num_steps % ppo.num_minibatches:
            raise ValueError(
                f"num_steps = {ppo.num_steps} must be divisible by num_minibatches = "
                f"{ppo.num_minibatches} for an environment on the device: every minibatch takes "
                "equally many steps of each environment"
            )
        self.config = config
        self.policy = models.make(
            config.model,
            env.num_actions,
            env.observation_shape,
            activation_dtype=config.activation_dtype,
        )
        self.mesh = Mesh(np.asarray(devices), (ENV_AXIS,))
        self._everywhere, self._by_env = shardings(self.mesh)
        self.env = jax.device_put(env, self._everywhere)
        start = jax.jit(begin, static_argnums=2, out_shardings=self._by_env)
        _, game_key, _ = run_keys(config.seed)
        self.playing: Playing = start(self.env, game_key, ppo.num_envs, level_set)

    @property
    def state_shapes(self) -> Playing:
        """The present state: all are of one shape."""
        return self.playing

    def state(self) -> Playing:
        """Where the environments stand."""
        return self.playing

    def restore(self, state: Any) -> bool:
        """Continues from what `state` returned; True: the running episodes go on."""
        self.playing = jax.device_put(Playing(*state), self._by_env)
        return True

    def iterate(self, learner: LearnerState, key: PRNGKeyArray) -> Outcome:
        """One rollout and update; `key` is consumed."""
        started = time.monotonic()
        result = jax.block_until_ready(
            iterate(self.policy, self.config.ppo, self.mesh, self.env, *self.member(learner), key)
        )
        return self.outcome(result, time.monotonic() - started)

    def member(self, learner: LearnerState) -> tuple[LearnerState, Playing]:
        """What `iterate` takes, in its place on the devices."""
        return jax.device_put((learner, self.playing), (self._everywhere, self._by_env))

    def outcome(self, result: Iterated, seconds: float) -> Outcome:
        """Moves the environments to where `iterate` left them; what it did, on the host."""
        learner, self.playing, (metrics, last) = result
        metrics, last = jax.device_get((metrics, last))
        return Outcome(
            learner=learner,
            env_state=self.playing,
            episodes=episodes(last),
            num_episodes=int(last.num_ended),
            metrics=metrics,
            seconds=seconds,
        )

    def close(self) -> None:
        """Nothing to free."""
