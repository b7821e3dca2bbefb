import dataclasses

import numpy as np
from uncut_policy import UncutPolicy

from rlvision_jax.envs.base import TimeStep

SHAPE = (4, 4, 3)


@dataclasses.dataclass(frozen=True)
class TablePolicy(UncutPolicy):
    """Looks its outputs up by the first pixel: row `observation[0, 0, 0]` of two tables."""

    def apply(self, params, observations):
        row = observations[:, 0, 0, 0]
        return params["logits"][row], params["values"][row]


def frames(rows):
    """Observations that a TablePolicy answers with the given rows."""
    observations = np.zeros((len(rows), *SHAPE), np.uint8)
    observations[:, 0, 0, 0] = rows
    return observations


class NumberedEnv:
    """Environments whose frames show who they are, and whose rewards show what was done.

    Pixel (0, 0) holds the environment's number and the steps it has taken, modulo 256. The
    reward of a step is 100 x number + steps + action / 100. Environment i ends an episode every
    i + 2 steps, on level 10 x i + episode, reaching the goal in every other one.
    """

    def __init__(self, numbers):
        self.numbers = np.asarray(numbers)
        self.num_envs = len(numbers)
        self.num_actions = 4
        self.observation_shape = SHAPE
        self.name = "numbered"
        self.actions = []
        self._steps = np.zeros(self.num_envs, np.int64)
        self._frames = np.zeros((self.num_envs, *SHAPE), np.uint8)
        self._sent = None

    def reset(self):
        return self.observe()

    def observe(self):
        return self._moment(np.zeros(self.num_envs), np.zeros(self.num_envs, bool))

    def step(self, actions):
        self.send(actions)
        return self.recv()

    def send(self, actions):
        assert self._sent is None
        self._sent = np.array(actions)

    def recv(self):
        actions, self._sent = self._sent, None
        assert actions is not None
        self.actions.append(actions)
        self._steps += 1
        rewards = 100 * self.numbers + self._steps + actions / 100
        return self._moment(rewards, self._steps % (self.numbers + 2) == 0)

    def get_state(self):
        return [int(steps).to_bytes(8, "big") for steps in self._steps]

    def set_state(self, states):
        self._steps[:] = [int.from_bytes(state, "big") for state in states]

    def close(self):
        pass

    def _moment(self, rewards, done):
        # The same array each time, overwritten, as Procgen's with copy=False.
        self._frames[:, 0, 0, 0] = self.numbers
        self._frames[:, 0, 0, 1] = self._steps % 256
        episode = self._steps // (self.numbers + 2)
        return TimeStep(
            observation=self._frames,
            reward=rewards.astype(np.float32),
            terminated=done,
            truncated=np.zeros(self.num_envs, bool),
            first=done | (self._steps == 0),
            level_seed=(10 * self.numbers + episode).astype(np.int32),
            prev_level_seed=(10 * self.numbers + episode - 1).astype(np.int32),
            level_complete=done & (episode % 2 == 1),
        )
