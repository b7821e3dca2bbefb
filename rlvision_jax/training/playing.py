"""Plays environments with a policy and keeps what happened. (Host only: NumPy arrays.)"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int32, UInt8

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.envs import HostEnv, TimeStep
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training.forward import forward_pass


class Played(NamedTuple):
    """Consecutive steps of a batch of environments.

    `rewards`, `terminated`, `truncated` and `level_complete` are what the step's action led to.

    Attributes:
      observations: frames acted on, 0-255.
      actions: actions taken.
      rewards: rewards as the environment gave them.
      terminated: the action ended the episode by the rules of the game.
      truncated: the action ended the episode for another reason.
      level_complete: the action ended the episode at its goal.
      level_seeds: level that each observation shows.
      policy_logits: policy logits at each observation.
      values: value of each observation, in the units in which it was trained.
      bootstrap_values: value of the observation after the last step.
    """

    observations: UInt8[np.ndarray, "time env height width channel"]
    actions: Int32[np.ndarray, "time env"]
    rewards: Float[np.ndarray, "time env"]
    terminated: Bool[np.ndarray, "time env"]
    truncated: Bool[np.ndarray, "time env"]
    level_complete: Bool[np.ndarray, "time env"]
    level_seeds: Int32[np.ndarray, "time env"]
    policy_logits: Float[np.ndarray, "time env action"]
    values: Float[np.ndarray, "time env"]
    bootstrap_values: Float[np.ndarray, " env"]


class PlayedStep(NamedTuple):
    """One step of a batch of environments: `Played` without its axis of time.

    Attributes:
      before: the moment acted in; its arrays stay as they are.
      actions: actions taken in it.
      policy_logits: policy logits at its observations.
      values: values of its observations, in the units in which they were trained.
      after: what the actions led to; an environment may write the next step into its arrays.
    """

    before: TimeStep
    actions: Int32[np.ndarray, " env"]
    policy_logits: Float[np.ndarray, "env action"]
    values: Float[np.ndarray, " env"]
    after: TimeStep


def check_fits(policy: VisionPolicy, env: HostEnv) -> None:
    """Raises ValueError if the policy acts or sees otherwise than the environment."""
    if policy.num_actions != env.num_actions:
        raise ValueError(
            f"{env.name} has {env.num_actions} actions, but the policy chooses among "
            f"{policy.num_actions}; play the environment that it was trained in"
        )
    if tuple(policy.observation_shape) != tuple(env.observation_shape):
        raise ValueError(
            f"{env.name} shows frames of shape {tuple(env.observation_shape)}, but the policy "
            f"sees {tuple(policy.observation_shape)}; play the environment that it was trained in"
        )


@jax.jit
def sample_actions(
    logits: Float[Array, "env action"], key: Array, step: int | Int32[Array, ""]
) -> Int32[Array, " env"]:
    """Samples one action per environment at the `step`-th step of a play; `key` is the play's."""
    return jax.random.categorical(jax.random.fold_in(key, step), logits)


def played_steps(
    policy: VisionPolicy, params: Params, env: HostEnv, key: Array, num_steps: int
) -> Iterator[PlayedStep]:
    """Plays `num_steps` steps in every environment, from a reset on, one after the other.

    Args:
      policy: acts by sampling.
      params: its parameters.
      env: the environments; reset first.
      key: consumed; the same key, parameters and fresh environments give the same play.
      num_steps: steps per environment.

    Raises:
      ValueError: if the policy does not fit the environment.
    """
    check_fits(policy, env)
    after = env.reset()
    with forward_pass(policy) as forward:
        for t in range(num_steps):
            # Copied, since an environment may write every step into the same arrays.
            before = TimeStep(*(array.copy() for array in after))
            logits, values = forward(params, before.observation)
            actions = np.asarray(sample_actions(logits, key, t))
            after = env.step(actions)
            yield PlayedStep(before, actions, logits, values, after)


def play(
    policy: VisionPolicy,
    params: Params,
    env: HostEnv,
    key: Array,
    num_steps: int,
    *,
    on_step: Callable[[int], None] = lambda step: None,
) -> Played:
    """Plays `num_steps` steps in every environment, from a reset on.

    Args:
      policy: acts by sampling.
      params: its parameters.
      env: the environments; reset first.
      key: consumed; the same key, parameters and fresh environments give the same play.
      num_steps: steps per environment, at least 1.
      on_step: called after each step with the number of steps done.

    Raises:
      ValueError: if the policy does not fit the environment, or a number is too small.
    """
    check_at_least("num_steps", num_steps, 1)
    rows = []
    for t, step in enumerate(played_steps(policy, params, env, key, num_steps)):
        done = step.after.terminated | step.after.truncated
        rows.append(
            (
                step.before.observation,
                step.actions,
                step.after.reward.copy(),
                step.after.terminated.copy(),
                step.after.truncated.copy(),
                step.after.level_complete & done,
                step.before.level_seed,
                step.policy_logits,
                step.values,
            )
        )
        on_step(t + 1)
    with forward_pass(policy) as forward:
        _, last_values = forward(params, env.observe().observation)
    return Played(*map(np.stack, zip(*rows, strict=True)), bootstrap_values=last_values)


def sample_observations(
    policy: VisionPolicy,
    params: Params,
    env: HostEnv,
    key: Array,
    num_frames: int,
    *,
    interval: int,
    on_step: Callable[[int], None] = lambda step: None,
) -> UInt8[np.ndarray, "frame height width channel"]:
    """Plays, and keeps every environment's observation once in `interval` steps.

    The further apart, the less alike: the paper keeps one in 128 steps of 32 environments.

    Args:
      policy: acts by sampling.
      params: its parameters.
      env: the environments; reset first.
      key: consumed.
      num_frames: frames to keep, at least 1; the last round's surplus is dropped.
      interval: steps between two kept observations of an environment, at least 1.
      on_step: called after each step with the number of steps done.

    Raises:
      ValueError: if the policy does not fit the environment, or a number is too small.
    """
    check_at_least("num_frames", num_frames, 1)
    check_at_least("interval", interval, 1)
    kept = []
    num_steps = -(-num_frames // env.num_envs) * interval
    for t, step in enumerate(played_steps(policy, params, env, key, num_steps)):
        if (t + 1) % interval == 0:
            kept.append(step.after.observation.copy())
        on_step(t + 1)
    return np.concatenate(kept)[:num_frames]
