"""Any device environment behind the contract of host environments. (Host only: NumPy arrays.)

For what plays a batch of environments from Python: evaluation, reports, training on CPU.
`CoinRunBatch` is the counterpart of "coinrun", whose level streams and states are Procgen's.
"""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Int32, Key

from rlvision_jax.envs.base import DeviceEnv, TimeStep
from rlvision_jax.envs.description import describe
from rlvision_jax.envs.device_steps import DeviceSteps
from rlvision_jax.envs.procgen_config import check_range

_MAX_SEED = 2**31 - 1


class DeviceBatch(DeviceSteps):
    """A batch of games of a device environment, stepped on JAX's default device.

    Attributes:
      env: the game.
      name: that of the game.
      num_envs: games stepped together.
      num_actions: actions are 0 to `num_actions` - 1.
      observation_shape: height, width and channel of a frame.
      description: how to show the game.
    """

    def __init__(self, env: DeviceEnv, *, num_envs: int, seed: int = 0):
        """Starts the games.

        Args:
          env: the game.
          num_envs: games stepped together, at least 1.
          seed: of everything random in the games, 0 to 2^31 - 1.

        Raises:
          ValueError: if one of the numbers is out of range.
        """
        check_range("num_envs", num_envs, 1, _MAX_SEED)
        check_range("seed", seed, 0, _MAX_SEED)
        self.env = env
        self.name = env.name
        self.num_envs = num_envs
        self.num_actions = env.num_actions
        self.observation_shape = env.observation_shape
        self.description = describe(env)
        self._keys, self._games, moment = _begin(
            env, jax.random.split(jax.random.key(seed), num_envs)
        )
        super().__init__(moment)

    def reset(self) -> TimeStep:
        """Starts an episode in every game; any call but the first abandons the running ones."""
        self._check_idle()
        if not self._untouched:
            self._keys, self._games, moment = _begin(self.env, self._keys)
            self._moment = TimeStep(*map(np.asarray, moment))
        self._untouched = False
        return self._moment

    def _start_step(self, actions: Int32[np.ndarray, " env"]) -> TimeStep:
        self._keys, self._games, moment = _step(self.env, self._keys, self._games, actions)
        return moment

    def get_state(self) -> list[bytes]:
        """Each game with its generator and its present frame.

        Raises:
          RuntimeError: if a step is under way.
        """
        self._check_idle()
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(self._everything())]
        return [
            b"".join(leaf[index].tobytes() for leaf in leaves) for index in range(self.num_envs)
        ]

    def set_state(self, states: Sequence[bytes]) -> None:
        """Continues every game from a state; what its last step led to is cleared.

        Args:
          states: one for each game, from any batch of the same environment.

        Raises:
          ValueError: if there are not `num_envs` states, or one is of another length than the
            states of this environment.
          RuntimeError: if a step is under way.
        """
        self._check_idle()
        self._check_states(states)
        leaves, structure = jax.tree.flatten(self._everything())
        sizes = [leaf.nbytes // self.num_envs for leaf in leaves]
        for state in states:
            if len(state) != sum(sizes):
                raise ValueError(
                    f"a state of {self.name} has {sum(sizes)} bytes; got {len(state)}. Pass "
                    "states that get_state() of the same environment returned"
                )
        read, start = [], 0
        for leaf, size in zip(leaves, sizes, strict=True):
            pieces = b"".join(state[start : start + size] for state in states)
            read.append(np.frombuffer(pieces, leaf.dtype).reshape(leaf.shape))
            start += size
        key_data, games, moment = jax.tree.unflatten(structure, read)
        self._keys = jax.random.wrap_key_data(key_data)
        self._games = jax.device_put(games)
        no = np.zeros(self.num_envs, np.bool_)
        self._moment = moment._replace(
            reward=np.zeros(self.num_envs, np.float32),
            terminated=no,
            truncated=no,
            level_complete=no,
        )
        self._untouched = False

    def _everything(self) -> tuple[Array, Any, TimeStep]:
        return jax.random.key_data(self._keys), self._games, self._moment


@jax.jit
def _begin(env: DeviceEnv, keys: Key[Array, " env"]) -> tuple[Key[Array, " env"], Any, TimeStep]:
    keys, reset_keys = _split(keys)
    return keys, *jax.vmap(env.reset)(reset_keys)


@jax.jit
def _step(
    env: DeviceEnv, keys: Key[Array, " env"], games: Any, actions: Int32[Array, " env"]
) -> tuple[Key[Array, " env"], Any, TimeStep]:
    keys, step_keys = _split(keys)
    return keys, *jax.vmap(env.step)(step_keys, games, actions)


def _split(keys: Key[Array, " env"]) -> tuple[Key[Array, " env"], Key[Array, " env"]]:
    """Of each game's key, the next one and one to use."""
    pairs = jax.vmap(jax.random.split)(keys)
    return pairs[:, 0], pairs[:, 1]
