"""Procgen's 16 games as host environments (host only: threads and memory of a C library).

The library writes into arrays that are allocated once; `step` hands out copies of them, or the
arrays themselves with `copy=False`.
"""

import ctypes
import os
import weakref
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from rlvision_jax.envs import procgen_library
from rlvision_jax.envs.actions import FORCE_RESET, check_actions
from rlvision_jax.envs.base import NoStatesError, TimeStep
from rlvision_jax.envs.description import Description
from rlvision_jax.envs.procgen_coinrun import CoinRunState, decode_state, encode_state
from rlvision_jax.envs.procgen_config import ACTION_NAMES, ProcgenConfig
from rlvision_jax.envs.procgen_state import check_state

__all__ = ["FORCE_RESET", "CoinRunState", "ProcgenEnv", "decode_state", "encode_state"]

_FRAME_SHAPE = (64, 64, 3)
_HUMAN_FRAME_SHAPE = (512, 512, 3)
_MAX_STATE_BYTES = 2**20

DESCRIPTION = Description(action_names=ACTION_NAMES, channels="rgb", has_levels=True)
"""How to show any of the games: all have levels with a goal each."""


class ProcgenEnv:
    """A batch of environments of one Procgen game.

    The environments are ready when constructed and reset themselves when an episode ends.
    Several objects may live in one process and step at the same time; one object must not be
    used by two Python threads at once, nor in a forked child of the process that made it.

    Attributes:
      config: the options.
      name: "procgen:" and the game.
      num_envs: environments stepped together.
      num_actions: 15; `ACTION_NAMES` says what they press.
      observation_shape: (64, 64, 3), height, width and channel.
      description: how to show the game.

    Source: openai/procgen 0.10.7.

    Example:
      >>> env = ProcgenEnv(ProcgenConfig(game="coinrun", num_envs=2, num_levels=1, start_level=7))
      >>> env.reset().level_seed
      array([7, 7], dtype=int32)
      >>> env.step(np.full(2, ACTION_NAMES.index("right"), np.int32)).observation.shape
      (2, 64, 64, 3)
      >>> env.close()
    """

    def __init__(self, config: ProcgenConfig, *, copy: bool = True):
        """Makes the environments and draws their first frames.

        Args:
          config: the options.
          copy: hand out arrays of their own. False hands out the arrays that the library
            writes into: each `send`, `step`, `reset` and `set_state` overwrites them. On CPU
            `jnp.asarray` and `jax.device_put` may share that memory; `jnp.array` does not.

        Raises:
          MissingProcgenError: if the C library is not installed or cannot run here.
          ValueError: if `resource_root` is incomplete, or not what this process draws with.
        """
        if not isinstance(copy, bool):
            raise ValueError(f"copy must be True or False; got {copy!r}")
        self.config = config
        self.name = f"procgen:{config.game}"
        self.num_envs = config.num_envs
        self.num_actions = len(ACTION_NAMES)
        self.observation_shape: tuple[int, int, int] = _FRAME_SHAPE
        self.description = DESCRIPTION
        self._copy = copy
        loaded = procgen_library.load()
        art = loaded.choose_art(config.resource_root)
        options = {**config.library_options(), "resource_root": art}
        self._library = loaded.functions
        self._allocate()
        self._handle, self._finalizer = self._construct(options)
        self._process = os.getpid()
        self._waiting = False
        self._untouched = True
        self._library.libenv_observe(self._handle)

    def _allocate(self) -> None:
        n = self.num_envs
        self._observation = np.zeros((n, *_FRAME_SHAPE), np.uint8)
        self._action = np.zeros(n, np.int32)
        self._reward = np.zeros(n, np.float32)
        self._first = np.zeros(n, np.bool_)
        self._library_prev_level_seed = np.zeros(n, np.int32)
        self._level_complete = np.zeros(n, np.bool_)
        self._level_seed = np.zeros(n, np.int32)
        human_envs = n if self.config.render_human else 0
        self._human = np.zeros((human_envs, *_HUMAN_FRAME_SHAPE), np.uint8)
        # Not the library's: what its numbers mean in the contract of `TimeStep`.
        self._prev_level_seed = np.zeros(n, np.int32)
        self._terminated = np.zeros(n, np.bool_)
        self._truncated = np.zeros(n, np.bool_)

    def _construct(self, options: dict[str, str | int | bool]) -> tuple[int, weakref.finalize]:
        packed, _kept_alive = procgen_library.pack_options(options)
        handle = self._library.libenv_make(self.num_envs, packed)
        buffers = procgen_library.Buffers(
            observation=procgen_library.pack_pointers(self._observation),
            reward=self._reward.ctypes.data,
            first=self._first.ctypes.data,
            info=procgen_library.pack_pointers(
                self._library_prev_level_seed, self._level_complete, self._level_seed, self._human
            ),
            action=procgen_library.pack_pointers(self._action),
        )
        self._library.libenv_set_buffers(handle, buffers)
        arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        # The library writes into the arrays until it is closed, so the finalizer holds them.
        finalizer = weakref.finalize(self, _close, self._library, handle, os.getpid(), arrays)
        return handle, finalizer

    def reset(self) -> TimeStep:
        """Starts an episode in every environment.

        The first call shows the levels that the environments were made with. Any later one
        abandons the running episodes (in `prev_level_seed`) and draws the next levels.
        """
        self._check_idle()
        if not self._untouched:
            self._action.fill(FORCE_RESET)
            self._library.libenv_act(self._handle)
            self._library.libenv_observe(self._handle)
            self._first.fill(True)
            np.copyto(self._prev_level_seed, self._library_prev_level_seed)
            self._clear_transition()
        self._untouched = False
        return self._time_step()

    def step(self, actions: npt.ArrayLike) -> TimeStep:
        """Takes one action in every environment; `send` followed by `recv`."""
        self.send(actions)
        return self.recv()

    def send(self, actions: npt.ArrayLike) -> None:
        """Starts a step and returns while the library's threads take it.

        Args:
          actions: integers of shape (env,), indices into `ACTION_NAMES`, or `FORCE_RESET` to
            end an episode: the agent does nothing once and `truncated` is set.

        Raises:
          ValueError: if the shape, the type or the range of the actions is wrong.
          RuntimeError: if a step is under way, or the environment is closed.
        """
        self._check_idle()
        self._action[:] = check_actions(actions, self.num_envs, self.num_actions)
        self._untouched = False
        self._waiting = True
        self._library.libenv_act(self._handle)

    def recv(self) -> TimeStep:
        """Waits for the step that `send` started.

        Raises:
          RuntimeError: if no step is under way, or the environment is closed.
        """
        self._check_usable()
        if not self._waiting:
            raise RuntimeError("recv() without a step under way; call send(actions) first")
        self._library.libenv_observe(self._handle)
        self._waiting = False
        np.logical_and(self._first, self._action == FORCE_RESET, out=self._truncated)
        np.logical_and(self._first, ~self._truncated, out=self._terminated)
        # With use_sequential_levels a finished level does not end the episode.
        ended = self._first | self._level_complete
        np.copyto(self._prev_level_seed, self._library_prev_level_seed, where=ended)
        return self._time_step()

    def observe(self) -> TimeStep:
        """The present moment again, without a step; the new picture after `set_state`.

        Raises:
          RuntimeError: if a step is under way, or the environment is closed.
        """
        self._check_idle()
        return self._time_step()

    def render(self) -> UInt8[np.ndarray, "env 512 512 3"]:
        """The present moment as smooth 512x512 RGB frames, 0-255.

        Raises:
          RuntimeError: if the environment was made without `render_human`, a step is under way,
            or the environment is closed.
        """
        self._check_idle()
        if not self.config.render_human:
            raise RuntimeError(
                "render() needs an environment made with render_human=True; this one draws only "
                "its 64x64 observations"
            )
        return self._human.copy() if self._copy else self._human

    def get_state(self) -> list[bytes]:
        """Everything the game knows, for each environment; `set_state` restores it exactly.

        Raises:
          NoStatesError: if the environment was made with `use_generated_assets`.
          RuntimeError: if a step is under way, or the environment is closed.
        """
        self._check_idle()
        self._check_has_states()
        buffer = np.empty(_MAX_STATE_BYTES, np.uint8)
        states = []
        for index in range(self.num_envs):
            args = (self._handle, index, buffer.ctypes.data, len(buffer))
            length = self._library.get_state(*args)
            states.append(buffer[:length].tobytes())
        return states

    def set_state(self, states: Sequence[bytes]) -> None:
        """Continues every environment from a state.

        A state may come from any environment of the same game. It carries the options that
        change the game or its picture (mode, themes, painted velocity, the level set) and the
        generators, so later levels repeat too. `observe` then shows the new picture; its
        `reward`, `terminated`, `truncated` and `level_complete` are cleared, and its
        `prev_level_seed` is 0 unless the state opens an episode.

        Args:
          states: one for each environment, as `get_state` returned them.

        Raises:
          NoStatesError: if the environment was made with `use_generated_assets`.
          ValueError: if there are not `num_envs` states, or one is damaged or of another game.
            The environments are then unchanged.
          RuntimeError: if a step is under way, or the environment is closed.
        """
        self._check_idle()
        self._check_has_states()
        if len(states) != self.num_envs:
            raise ValueError(
                f"set_state takes one state for each environment, {self.num_envs} in all; got "
                f"{len(states)}. Pass the others' own states from get_state() back"
            )
        for state in states:
            check_state(state, self.config.game)
        for index, state in enumerate(states):
            self._library.set_state(self._handle, index, state, len(state))
        self._library.libenv_observe(self._handle)
        np.multiply(self._library_prev_level_seed, self._first, out=self._prev_level_seed)
        self._clear_transition()
        self._untouched = False

    def close(self) -> None:
        """Stops the threads and frees the memory; a second call does nothing."""
        self._finalizer()

    def _clear_transition(self) -> None:
        self._reward.fill(0)
        for flags in (self._terminated, self._truncated, self._level_complete):
            flags.fill(False)

    def _time_step(self) -> TimeStep:
        moment = TimeStep(
            observation=self._observation,
            reward=self._reward,
            terminated=self._terminated,
            truncated=self._truncated,
            first=self._first,
            level_seed=self._level_seed,
            prev_level_seed=self._prev_level_seed,
            level_complete=self._level_complete,
        )
        return TimeStep(*(array.copy() for array in moment)) if self._copy else moment

    def _check_usable(self) -> None:
        if not self._finalizer.alive:
            raise RuntimeError(f"this {self.name} environment is closed; make another one")
        if os.getpid() != self._process:
            raise RuntimeError(
                f"this {self.name} environment was made in process {self._process}; its threads "
                "did not follow the fork. Make the environment in the process that uses it"
            )

    def _check_idle(self) -> None:
        self._check_usable()
        if self._waiting:
            raise RuntimeError("a step is under way; call recv() first")

    def _check_has_states(self) -> None:
        if self.config.use_generated_assets:
            raise NoStatesError(
                "environments with use_generated_assets have no states that Procgen can save or "
                "restore; make the environment without it"
            )


def _close(library: ctypes.CDLL, handle: int, process: int, arrays: list[np.ndarray]) -> None:
    """Frees the library's side, while `arrays` keeps alive what its threads write into."""
    # A forked child owns no threads: to join them would block it forever.
    if os.getpid() == process:
        library.libenv_close(handle)
    arrays.clear()
