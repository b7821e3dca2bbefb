"""Collects experience from host environments, stepped in two groups.

While one group's environments step on their own threads, the policy acts for the other, so that
the accelerator and the CPU work at the same time. (Host only: NumPy buffers.)
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32, UInt8

from rlvision_jax._types import Params
from rlvision_jax.envs import HostEnv, NoStatesError, TimeStep
from rlvision_jax.models import Policy
from rlvision_jax.training.forward import forward_pass

# Episodes that the metrics are means over.
RECENT_EPISODES = 100


class Rollout(NamedTuple):
    """Experience between two updates, in NumPy's arrays (host) or JAX's (device).

    Attributes:
      observations: frames acted on, 0-255.
      actions: actions taken.
      log_probs: their log-probabilities.
      values: values of the frames.
      rewards: rewards as the environment gave them.
      done: whether the step ended its episode.
      bootstrap_values: value of the frame after the last step.
    """

    observations: UInt8[Array | np.ndarray, "time env height width channel"]
    actions: Int32[Array | np.ndarray, "time env"]
    log_probs: Float[Array | np.ndarray, "time env"]
    values: Float[Array | np.ndarray, "time env"]
    rewards: Float[Array | np.ndarray, "time env"]
    done: Bool[Array | np.ndarray, "time env"]
    bootstrap_values: Float[Array | np.ndarray, " env"]


class Episode(NamedTuple):
    """One finished episode.

    Attributes:
      episode_return: sum of its rewards, as the environment gave them.
      length: number of steps.
      level_seed: its level.
      level_complete: whether it reached the goal.
    """

    episode_return: float
    length: int
    level_seed: int
    level_complete: bool


@jax.jit
def choose(
    logits: Float[Array, "env action"], key: Array, count: int | Int32[Array, ""]
) -> tuple[Int32[Array, " env"], Float[Array, " env"]]:
    """Samples one action per environment.

    Args:
      logits: of the policy.
      key: the same for many calls.
      count: number of the call, which makes its draws independent of the others'.

    Returns:
      Actions and their log-probabilities.
    """
    actions = jax.random.categorical(jax.random.fold_in(key, count), logits)
    log_probs = jnp.take_along_axis(jax.nn.log_softmax(logits), actions[:, None], axis=1)[:, 0]
    return actions, log_probs


class Collector:
    """Steps groups of environments in turn and remembers where each episode stands.

    Attributes:
      envs: the groups; equal numbers of environments.
      observations: frame of every environment to act on next.
      returns: reward so far of every running episode.
      lengths: steps so far of every running episode.
    """

    def __init__(self, envs: Sequence[HostEnv]):
        self.envs = tuple(envs)
        self._num_restarts = 0
        self._begin([env.reset() for env in self.envs])

    @property
    def num_envs(self) -> int:
        """Environments of all groups."""
        return sum(env.num_envs for env in self.envs)

    def state(self) -> dict[str, np.ndarray]:
        """Arrays from which `restore` continues, exactly here if the environments have states."""
        try:
            states = [state for env in self.envs for state in env.get_state()]
        except NoStatesError:
            return {"num_restarts": np.asarray(self._num_restarts)}
        return {
            "env_states": np.frombuffer(b"".join(states), np.uint8),
            "env_state_lengths": np.asarray([len(state) for state in states]),
            "returns": self.returns.copy(),
            "lengths": self.lengths.copy(),
        }

    def restore(self, state: dict[str, np.ndarray]) -> bool:
        """Continues from what `state` returned; whether the running episodes go on.

        Environments without states begin new episodes.
        """
        if "num_restarts" in state:
            # One more reset each time, so that a run does not begin with the same games again.
            self._num_restarts = int(state["num_restarts"]) + 1
            for _ in range(self._num_restarts):
                self._begin([env.reset() for env in self.envs])
            return False
        ends = np.cumsum(np.asarray(state["env_state_lengths"]))
        pieces = np.split(np.asarray(state["env_states"]), ends[:-1])
        states = [piece.tobytes() for piece in pieces]
        for env in self.envs:
            env.set_state(states[: env.num_envs])
            states = states[env.num_envs :]
        self.observations = np.concatenate([env.observe().observation for env in self.envs])
        self.returns = np.array(state["returns"], np.float32)
        self.lengths = np.array(state["lengths"], np.int32)
        return True

    def _begin(self, steps: Sequence[TimeStep]) -> None:
        """Stands at the first frames of new episodes, one time step for each group."""
        self.observations = np.concatenate([step.observation for step in steps])
        self.returns = np.zeros(self.num_envs, np.float32)
        self.lengths = np.zeros(self.num_envs, np.int32)

    def collect(
        self, policy: Policy, params: Params, key: Array, num_steps: int
    ) -> tuple[Rollout, list[Episode]]:
        """Takes `num_steps` steps in every environment.

        Args:
          policy: acts by sampling.
          params: its parameters.
          key: consumed; the same key, parameters and environment states give the same rollout.
          num_steps: steps per environment.

        Returns:
          The experience, and the episodes that ended, in order of time.
        """
        shape = (num_steps, self.num_envs)
        rollout = Rollout(
            observations=np.empty((*shape, *self.observations.shape[1:]), np.uint8),
            actions=np.empty(shape, np.int32),
            log_probs=np.empty(shape, np.float32),
            values=np.empty(shape, np.float32),
            rewards=np.empty(shape, np.float32),
            done=np.empty(shape, np.bool_),
            bootstrap_values=np.empty(self.num_envs, np.float32),
        )
        episodes: list[Episode] = []
        size = self.num_envs // len(self.envs)
        groups = [slice(g * size, (g + 1) * size) for g in range(len(self.envs))]
        counts = itertools.count()
        with forward_pass(policy) as forward:
            for t in range(num_steps):
                for env, group in zip(self.envs, groups, strict=True):
                    if t:
                        self._receive(rollout, episodes, t - 1, env, group)
                    logits, values = forward(params, self.observations[group])
                    actions, log_probs = choose(logits, key, next(counts))
                    rollout.observations[t, group] = self.observations[group]
                    rollout.actions[t, group] = actions
                    env.send(np.asarray(actions))
                    rollout.log_probs[t, group] = log_probs
                    rollout.values[t, group] = values
            for env, group in zip(self.envs, groups, strict=True):
                self._receive(rollout, episodes, num_steps - 1, env, group)
                _, rollout.bootstrap_values[group] = forward(params, self.observations[group])
        return rollout, episodes

    def _receive(
        self, rollout: Rollout, episodes: list[Episode], t: int, env: HostEnv, group: slice
    ) -> None:
        """Waits for the group's step `t` and books it."""
        step = env.recv()
        done = step.terminated | step.truncated
        rollout.rewards[t, group] = step.reward
        rollout.done[t, group] = done
        self.observations[group] = step.observation
        self.returns[group] += step.reward
        self.lengths[group] += 1
        for index in np.flatnonzero(done):
            episodes.append(
                Episode(
                    episode_return=float(self.returns[group][index]),
                    length=int(self.lengths[group][index]),
                    level_seed=int(step.prev_level_seed[index]),
                    level_complete=bool(step.level_complete[index]),
                )
            )
        self.returns[group][done] = 0.0
        self.lengths[group][done] = 0
