"""Collects experience from a device environment, in one compiled loop.

A rollout's frames take num_envs * num_steps * 12 KB of device memory (64x64x3): 3.2 GB for 1,024
environments and 256 steps. Nothing of it leaves the device but the last episodes that ended.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray, UInt8

from rlvision_jax._types import Params
from rlvision_jax.envs import DeviceEnv, TimeStep
from rlvision_jax.models import Policy
from rlvision_jax.training.rollout import RECENT_EPISODES, Episode, Rollout, choose

# Name of the mesh's one axis, over which the environments are spread.
ENV_AXIS = "env"


class Playing(NamedTuple):
    """Where every environment stands between two rollouts.

    Attributes:
      env_states: pytree of the games, the environments along the first axis of each leaf.
      observations: frame of every environment to act on next.
      returns: reward so far of every running episode.
      lengths: steps so far of every running episode.
    """

    env_states: Any
    observations: UInt8[Array, "env height width channel"]
    returns: Float[Array, " env"]
    lengths: Int32[Array, " env"]


class LastEpisodes(NamedTuple):
    """The episodes that ended last in a rollout, newest first.

    Attributes:
      num_ended: how many ended in all; entries beyond that number mean nothing.
      returns, lengths, level_seeds, level_complete: as in `Episode`.
    """

    num_ended: Int32[Array, ""]
    returns: Float[Array, " episode"]
    lengths: Int32[Array, " episode"]
    level_seeds: Int32[Array, " episode"]
    level_complete: Bool[Array, " episode"]


def begin(env: DeviceEnv, key: PRNGKeyArray, num_envs: int, level_set: Any = None) -> Playing:
    """Starts a game in every environment.

    Args:
      env: the game.
      key: consumed.
      num_envs: number of environments. Static.
      level_set: levels to draw from; None: the environment's own.
    """
    env_states, step = jax.vmap(lambda key: env.reset(key, level_set))(
        jax.random.split(key, num_envs)
    )
    return Playing(
        env_states=env_states,
        observations=jnp.asarray(step.observation),
        returns=jnp.zeros(num_envs),
        lengths=jnp.zeros(num_envs, jnp.int32),
    )


def on_each_device(mesh: Mesh, function: Callable, in_axes: tuple[int | None, ...]) -> Callable:
    """Makes every device run a function on its own environments, without the others'.

    Args:
      mesh: the devices.
      function: takes arrays of any number of environments; returns arrays with the
        environments along the first axis.
      in_axes: for each argument, the axis along which its leaves hold the environments, or None.
    """
    specs = tuple(
        PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, ENV_AXIS)
        for axis in in_axes
    )
    # Replication is not checked: the check does not know the loops inside environments.
    return jax.shard_map(
        function, mesh=mesh, in_specs=specs, out_specs=PartitionSpec(ENV_AXIS), check_vma=False
    )


def collect(
    policy: Policy,
    mesh: Mesh,
    env: DeviceEnv,
    params: Params,
    playing: Playing,
    key: PRNGKeyArray,
    num_steps: int,
) -> tuple[Playing, Rollout, LastEpisodes]:
    """Takes `num_steps` steps in every environment.

    Args:
      policy: acts by sampling. Static.
      mesh: the devices that the environments are spread over. Static.
      env: the game.
      params: parameters of the policy.
      playing: where the environments stand.
      key: consumed.
      num_steps: steps per environment. Static.

    Returns:
      Where the environments stand then, the experience, and the episodes that ended.
    """
    num_envs = playing.lengths.shape[0]
    action_key, env_key = jax.random.split(key)
    step_all = on_each_device(
        mesh,
        lambda env, keys, states, actions: jax.vmap(env.step)(keys, states, actions),
        (None, 0, 0, 0),
    )

    def step(playing: Playing, count: Array) -> tuple[Playing, tuple[tuple, tuple]]:
        logits, values = policy.apply(params, playing.observations)
        actions, log_probs = choose(logits, action_key, count)
        keys = jax.random.split(jax.random.fold_in(env_key, count), num_envs)
        after: TimeStep
        env_states, after = step_all(env, keys, playing.env_states, actions)
        done = jnp.asarray(after.terminated | after.truncated)
        returns, lengths = playing.returns + after.reward, playing.lengths + 1
        taken = (playing.observations, actions, log_probs, values, after.reward, done)
        ended = (returns, lengths, after.prev_level_seed, after.level_complete)
        playing = Playing(
            env_states=env_states,
            observations=jnp.asarray(after.observation),
            returns=jnp.where(done, 0.0, returns),
            lengths=jnp.where(done, 0, lengths),
        )
        return playing, (taken, ended)

    playing, (taken, ended) = jax.lax.scan(step, playing, jnp.arange(num_steps))
    _, bootstrap_values = policy.apply(params, playing.observations)
    rollout = Rollout(*taken, bootstrap_values=bootstrap_values)
    return playing, rollout, _last_episodes(jnp.asarray(rollout.done), ended)


def _last_episodes(
    done: Bool[Array, "time env"], ended: tuple[Array, Array, Array, Array]
) -> LastEpisodes:
    def newest_first(x: Array) -> Array:
        return x.reshape(-1)[::-1]

    (index,) = jnp.nonzero(newest_first(done), size=RECENT_EPISODES)
    rows = [newest_first(x)[index] for x in ended]
    return LastEpisodes(done.sum(dtype=jnp.int32), *rows)


def episodes(last: LastEpisodes) -> list[Episode]:
    """The episodes in order of time. (Host only.)"""
    columns = [np.asarray(column)[: int(last.num_ended)][::-1].tolist() for column in last[1:]]
    return [Episode(*row) for row in zip(*columns, strict=True)]
