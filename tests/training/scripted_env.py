"""A host environment whose every number is known in advance."""

import numpy as np

from rlvision_jax.envs import TimeStep


class ScriptedEnv:
    """Environment i plays episodes of `lengths[i]` steps and completes those of even number.

    The observation's first pixel holds the environment, the second the step in its episode. The
    level seed counts episodes. Every step is rewarded with 1. Writes into the same arrays.
    """

    name = "scripted"
    num_actions = 15
    observation_shape = (64, 64, 3)

    def __init__(self, lengths):
        self.num_envs = len(lengths)
        self._lengths = np.asarray(lengths)
        self._observation = np.zeros((self.num_envs, 64, 64, 3), np.uint8)
        self._observation[:, 0, 0, 0] = np.arange(self.num_envs)
        self._level_seed = np.zeros(self.num_envs, np.int32)
        self._step_in_episode = np.zeros(self.num_envs, int)
        self.actions = []

    def reset(self):
        return self._moment(np.zeros(self.num_envs, bool), self._level_seed.copy(), 0.0)

    def step(self, actions):
        self.send(actions)
        return self.recv()

    def send(self, actions):
        self.actions.append(np.array(actions))

    def recv(self):
        self._step_in_episode += 1
        ended = self._step_in_episode == self._lengths
        finished = self._level_seed.copy()
        self._step_in_episode[ended] = 0
        self._level_seed += ended.astype(np.int32)
        return self._moment(ended, finished, 1.0)

    def observe(self):
        return self._moment(np.zeros(self.num_envs, bool), self._level_seed.copy(), 0.0)

    def get_state(self):
        rows = np.stack([self._step_in_episode, self._level_seed], -1)
        return [row.tobytes() for row in rows]

    def set_state(self, states):
        rows = np.stack([np.frombuffer(state, int) for state in states])
        self._step_in_episode = rows[:, 0].copy()
        self._level_seed = rows[:, 1].astype(np.int32)

    def close(self):
        pass

    def _moment(self, ended, finished, reward):
        self._observation[:, 0, 0, 1] = self._step_in_episode
        return TimeStep(
            observation=self._observation,
            reward=np.full(self.num_envs, reward, np.float32),
            terminated=ended,
            truncated=np.zeros(self.num_envs, bool),
            first=self._step_in_episode == 0,
            level_seed=self._level_seed,
            prev_level_seed=finished,
            level_complete=ended & (finished % 2 == 0),
        )
