"""The two contracts of environments, on the host and on the device, and what a step returns."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, PRNGKeyArray, UInt8


class NoStatesError(ValueError):
    """An environment cannot save its games: they can be played, but not continued later."""


class TimeStep(NamedTuple):
    """One moment of a batch of environments, as NumPy arrays (host) or JAX arrays (device).

    After an episode ends the environment resets at once: the observation then opens the next
    episode (`first`), while `reward`, `terminated`, `truncated`, `level_complete` and
    `prev_level_seed` speak of the one that ended.

    Attributes:
      observation: frames, 0-255: RGB in Procgen, a stack of frames in Atari.
      reward: reward of the step that led here; 0 at reset.
      terminated: the step ended the episode, by the rules of the game (its own time limit too).
      truncated: the step ended the episode for a reason outside the game's rules.
      first: the observation opens an episode.
      level_seed: level that the observation shows; 0 where games have no levels.
      prev_level_seed: level of the last episode that ended; 0 before the first end.
      level_complete: the episode that just ended reached its goal; False where there is none.
    """

    observation: UInt8[np.ndarray, "env height width channel"]
    reward: Float32[np.ndarray, " env"]
    terminated: Bool[np.ndarray, " env"]
    truncated: Bool[np.ndarray, " env"]
    first: Bool[np.ndarray, " env"]
    level_seed: Int32[np.ndarray, " env"]
    prev_level_seed: Int32[np.ndarray, " env"]
    level_complete: Bool[np.ndarray, " env"]


@runtime_checkable
class HostEnv(Protocol):
    """A vectorized environment that steps NumPy arrays.

    `send` and `recv` split `step` in two, so that the caller can work while the environment's
    own threads do.
    """

    num_envs: int
    num_actions: int
    observation_shape: tuple[int, int, int]
    name: str

    def reset(self) -> TimeStep:
        """Starts an episode in every environment."""
        ...

    def step(self, actions: Int32[np.ndarray, " env"]) -> TimeStep:
        """Takes one action in every environment."""
        ...

    def send(self, actions: Int32[np.ndarray, " env"]) -> None:
        """Starts a step and returns without waiting for it."""
        ...

    def recv(self) -> TimeStep:
        """Waits for the step that `send` started."""
        ...

    def observe(self) -> TimeStep:
        """The present moment again, without a step."""
        ...

    def get_state(self) -> list[bytes]:
        """Everything that decides what happens next, one entry for each environment.

        Raises:
          NoStatesError: if the environment cannot save its games.
        """
        ...

    def set_state(self, states: Sequence[bytes]) -> None:
        """Continues every environment from a state that `get_state` returned."""
        ...

    def close(self) -> None:
        """Frees the environment; it cannot be used afterwards."""
        ...


@runtime_checkable
class DeviceEnv(Protocol):
    """One game as pure functions; `jax.vmap` them over keys, states and actions.

    An environment is itself a pytree, whose leaves may be large (pictures, tabled levels): hand
    it to jitted functions as an argument. Its states are pytrees of plain arrays, and the time
    steps it returns hold JAX arrays without the `env` axis.
    """

    @property
    def name(self) -> str:
        """The name that `make` knows it by."""
        ...

    @property
    def num_actions(self) -> int:
        """Actions are 0 to `num_actions` - 1."""
        ...

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Height, width and channel of a frame."""
        ...

    @property
    def level_set(self) -> Any:
        """Pytree that says which levels its games draw from.

        A state carries its own, so that one environment steps games of different level sets.
        """
        ...

    def reset(self, key: PRNGKeyArray, level_set: Any = None) -> tuple[Any, TimeStep]:
        """Starts a game, on levels of `level_set` (None: the environment's own)."""
        ...

    def step(self, key: PRNGKeyArray, state: Any, action: Int32[Array, ""]) -> tuple[Any, TimeStep]:
        """Takes one action; when the episode ends, the state returned opens the next."""
        ...
