"""CoinRun on the device behind the contract of host environments. (Host only: NumPy arrays.)

For what plays a batch of environments from Python: evaluation, reports, training on CPU. Its
states are Procgen's bytes, so that either kind of environment continues what the other began.
"""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Int32, UInt8, UInt32

from rlvision_jax.envs.actions import FORCE_RESET
from rlvision_jax.envs.base import TimeStep
from rlvision_jax.envs.coinrun import host_state, mersenne_twister
from rlvision_jax.envs.coinrun.env import CoinRun
from rlvision_jax.envs.coinrun.rendering import render
from rlvision_jax.envs.coinrun.types import State
from rlvision_jax.envs.device_steps import DeviceSteps
from rlvision_jax.envs.procgen import DESCRIPTION, decode_state, encode_state
from rlvision_jax.envs.procgen_config import check_range

_MAX_SEED = 2**31 - 1


class CoinRunBatch(DeviceSteps):
    """A batch of CoinRun games, stepped on JAX's default device.

    It draws the same levels as Procgen's environments of the same `seed` and `num_envs`.

    Attributes:
      env: the game.
      name: "coinrun".
      num_envs: games stepped together.
      num_actions: 15; `ACTION_NAMES` says what they press.
      observation_shape: (64, 64, 3), height, width and channel.
      description: how to show the game.
    """

    _lowest_action = FORCE_RESET

    def __init__(self, env: CoinRun, *, num_envs: int, seed: int = 0):
        """Starts the games.

        Args:
          env: the game.
          num_envs: games stepped together, at least 1.
          seed: of the generator that draws level seeds, 0 to 2^31 - 1; Procgen's `rand_seed`.

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
        self.description = DESCRIPTION
        self._games, moment = _start(env, mersenne_twister.env_seeds(seed, num_envs))
        super().__init__(self._drawn(moment))

    def reset(self) -> TimeStep:
        """Starts an episode in every game; any call but the first abandons the running ones."""
        if not self._untouched:
            self.send(np.full(self.num_envs, FORCE_RESET, np.int32))
            moment = self.recv()
            no = np.zeros(self.num_envs, np.bool_)
            self._moment = moment._replace(
                reward=np.zeros(self.num_envs, np.float32),
                terminated=no,
                truncated=no,
                first=~no,
                level_complete=no,
            )
        self._untouched = False
        return self._moment

    def _start_step(self, actions: Int32[np.ndarray, " env"]) -> TimeStep:
        self._games, moment = _step(self.env, self._games, actions)
        return self._drawn(moment)

    def get_state(self) -> list[bytes]:
        """Each game as Procgen's bytes; any CoinRun environment continues from them.

        Raises:
          RuntimeError: if a step is under way.
        """
        self._check_idle()
        games = jax.device_get(self._games)
        states = []
        for index in range(self.num_envs):
            game = jax.tree.map(lambda leaf, index=index: leaf[index], games)
            states.append(encode_state(host_state.to_procgen(game, self.env.config)))
        return states

    def set_state(self, states: Sequence[bytes]) -> None:
        """Continues every game from a state.

        Args:
          states: one for each game, from any CoinRun environment with the same options; each
            brings its own level set.

        Raises:
          ValueError: if there are not `num_envs` states, or one is damaged, of another game, of
            other options, or beyond what the device version holds.
          RuntimeError: if a step is under way.
        """
        self._check_idle()
        self._check_states(states)
        decoded = [decode_state(state) for state in states]
        games = [host_state.from_procgen(state, self.env.config) for state in decoded]
        self._games = jax.device_put(jax.tree.map(lambda *leaves: np.stack(leaves), *games))
        self._moment = TimeStep(*map(np.asarray, self._drawn(_observe(self.env, self._games))))
        self._untouched = False

    def _drawn(self, moment: TimeStep) -> TimeStep:
        return moment._replace(observation=_draw(self.env, self._games))


# Drawing is a program of its own, so that it is compiled once.


@jax.jit
def _start(env: CoinRun, seeds: UInt32[Array, " env"]) -> tuple[State, TimeStep]:
    games, moment = jax.vmap(env.start)(seeds)
    return games, _without_frames(moment)


@functools.partial(jax.jit, donate_argnums=1)
def _step(env: CoinRun, games: State, actions: Int32[Array, " env"]) -> tuple[State, TimeStep]:
    unused_keys = jax.random.split(jax.random.key(0), actions.shape[0])
    games, moment = jax.vmap(env.step)(unused_keys, games, actions)
    return games, _without_frames(moment)


@jax.jit
def _observe(env: CoinRun, games: State) -> TimeStep:
    return _without_frames(jax.vmap(env.observe)(games))


@jax.jit
def _draw(env: CoinRun, games: State) -> UInt8[Array, "env height width channel"]:
    return jax.vmap(lambda game: render(env.assets, env.config, game))(games)


def _without_frames(moment: TimeStep) -> TimeStep:
    return moment._replace(observation=np.zeros(0, np.uint8))
