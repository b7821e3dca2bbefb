"""Vector environments of Gymnasium behind the contract of host environments. (Host only.)

Gymnasium's vector environments reset in three ways; here every episode that ends is followed by
the next one's first frame at once, and no step is taken in between.
Source: https://gymnasium.farama.org/api/vector/, "Autoreset mode".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from rlvision_jax._checks import quoted
from rlvision_jax._extras import import_extra
from rlvision_jax.envs.actions import check_actions
from rlvision_jax.envs.base import NoStatesError, TimeStep
from rlvision_jax.envs.description import Description, guess_channels, numbered_actions
from rlvision_jax.envs.procgen_config import check_range

_PREFIX = "gymnasium:"
_MAX_SEED = 2**31 - 1
_MODES = ("SameStep", "NextStep", "Disabled")
# Vector environments that step in two calls name these so.
_SPLIT_STEPS = (("step_async", "step_wait"), ("send", "recv"))

ToFrames = Callable[[np.ndarray], UInt8[np.ndarray, "env height width channel"]]


class GymnasiumBatch:
    """A vector environment of Gymnasium with image observations and discrete actions.

    Games have no levels and no goal: level seeds are 0, `level_complete` is False. They cannot be
    saved: `get_state` raises `NoStatesError`.

    Attributes:
      vector_env: the vector environment.
      name: such as "gymnasium:ALE/Pong-v5".
      num_envs: environments stepped together.
      num_actions: actions are 0 to `num_actions` - 1.
      observation_shape: height, width and channel.
      description: how to show it.
    """

    def __init__(
        self,
        vector_env: Any,
        *,
        name: str,
        seed: int,
        to_frames: ToFrames,
        description: Description,
    ):
        """Starts an episode in every environment; see `from_gymnasium`.

        Args:
          vector_env: owned by this object from here on.
          name: its name.
          seed: of the seeds that the environments are reset with.
          to_frames: from a batch of observations to frames.
          description: how to show it.

        Raises:
          ValueError: if the vector environment does not say how it resets.
        """
        self.vector_env = vector_env
        self.name = name
        self.num_envs = int(vector_env.num_envs)
        self.num_actions = int(vector_env.single_action_space.n)
        self.description = description
        self._to_frames = to_frames
        self._mode = _autoreset_mode(name, vector_env)
        self._start_step, self._end_step = _split_step(vector_env)
        self._seeds = np.random.default_rng(seed)
        self._waiting = False
        self._closed = False
        self._moment = self._reset()
        _, height, width, channel = self._moment.observation.shape
        self.observation_shape: tuple[int, int, int] = (height, width, channel)
        self._untouched = True

    def reset(self) -> TimeStep:
        """Starts an episode in every environment; any call but the first abandons running ones."""
        self._check_idle()
        if not self._untouched:
            self._moment = self._reset()
        self._untouched = False
        return self._moment

    def step(self, actions: npt.ArrayLike) -> TimeStep:
        """Takes one action in every environment; `send` followed by `recv`."""
        self.send(actions)
        return self.recv()

    def send(self, actions: npt.ArrayLike) -> None:
        """Starts a step; returns at once where the vector environment can step in two calls.

        Args:
          actions: integers of shape (env,), 0 to `num_actions` - 1.

        Raises:
          ValueError: if the shape, the type or the range of the actions is wrong.
          RuntimeError: if a step is under way, or the environment is closed.
        """
        self._check_idle()
        checked = check_actions(actions, self.num_envs, self.num_actions, lowest=0)
        self._untouched = False
        self._start_step(checked)
        self._waiting = True

    def recv(self) -> TimeStep:
        """Waits for the step that `send` started.

        Raises:
          RuntimeError: if no step is under way, or the vector environment resets other
            environments than it is told to.
        """
        if not self._waiting:
            raise RuntimeError("recv() without a step under way; call send(actions) first")
        observation, reward, terminated, truncated, _ = self._end_step()
        self._waiting = False
        terminated = np.array(terminated, np.bool_)
        truncated = np.array(truncated, np.bool_) & ~terminated
        ended = terminated | truncated
        if self._mode != "SameStep" and ended.any():
            observation = self._restart(ended, np.array(observation))
        zeros = np.zeros(self.num_envs, np.int32)
        self._moment = TimeStep(
            observation=np.array(self._to_frames(observation), order="C"),
            reward=np.array(reward, np.float32),
            terminated=terminated,
            truncated=truncated,
            first=ended,
            level_seed=zeros,
            prev_level_seed=zeros,
            level_complete=zeros.astype(np.bool_),
        )
        return self._moment

    def observe(self) -> TimeStep:
        """The present moment again, without a step.

        Raises:
          RuntimeError: if a step is under way, or the environment is closed.
        """
        self._check_idle()
        return self._moment

    def get_state(self) -> list[bytes]:
        """Raises NoStatesError: Gymnasium's interface has no way to save a game."""
        raise NoStatesError(
            f"{self.name} cannot save its games: Gymnasium's interface has no way to"
        )

    def set_state(self, states: Sequence[bytes]) -> None:
        """Raises NoStatesError, as `get_state`."""
        del states
        self.get_state()

    def close(self) -> None:
        """Closes the vector environment; a second call does nothing."""
        if not self._closed:
            self.vector_env.close()
        self._closed = True

    def _reset(self) -> TimeStep:
        # Environment i gets the seed after that of environment i - 1.
        seed = int(self._seeds.integers(_MAX_SEED - self.num_envs))
        observation, _ = self.vector_env.reset(seed=seed)
        zeros = np.zeros(self.num_envs, np.int32)
        no = np.zeros(self.num_envs, np.bool_)
        return TimeStep(
            observation=np.array(self._to_frames(observation), order="C"),
            reward=zeros.astype(np.float32),
            terminated=no,
            truncated=no,
            first=~no,
            level_seed=zeros,
            prev_level_seed=zeros,
            level_complete=no,
        )

    def _restart(self, ended: np.ndarray, observation: np.ndarray) -> np.ndarray:
        """Resets the environments whose episode ended, and no other; the observations then."""
        after, _ = self.vector_env.reset(options={"reset_mask": ended.copy()})
        if not np.array_equal(after[~ended], observation[~ended]):
            raise RuntimeError(
                f"{self.name} reset environments whose episodes run on: it ignores the option "
                "reset_mask of Gymnasium. Make it with autoreset_mode=AutoresetMode.SAME_STEP"
            )
        return after

    def _check_idle(self) -> None:
        if self._closed:
            raise RuntimeError(f"this {self.name} environment is closed; make another one")
        if self._waiting:
            raise RuntimeError("a step is under way; call recv() first")


def from_gymnasium(vector_env: Any, *, seed: int = 0, name: str | None = None) -> GymnasiumBatch:
    """Makes a host environment of a vector environment of Gymnasium.

    Args:
      vector_env: observes uint8 images [height, width, channel] or [height, width], takes
        discrete actions from 0 on. All three autoreset modes do.
      seed: of the seeds that the environments are reset with, 0 to 2^31 - 1.
      name: None: "gymnasium:" and the id that it was made with.

    Raises:
      MissingExtraError: if Gymnasium is not installed.
      ValueError: if its spaces are others, or it does not say how it resets.
    """
    check_range("seed", seed, 0, _MAX_SEED)
    spaces = import_extra("gymnasium", extra="gymnasium").spaces
    if name is None:
        spec = getattr(vector_env, "spec", None)
        name = f"{_PREFIX}{type(vector_env).__name__ if spec is None else spec.id}"
    shape = _check_spaces(
        name, spaces, vector_env.single_observation_space, vector_env.single_action_space
    )
    num_actions = int(vector_env.single_action_space.n)
    num_channels = 1 if len(shape) == 2 else shape[-1]
    return GymnasiumBatch(
        vector_env,
        name=name,
        seed=seed,
        to_frames=(lambda x: x[..., None]) if len(shape) == 2 else (lambda x: x),
        description=Description(
            action_names=_action_names(vector_env, num_actions),
            channels=guess_channels(num_channels),
            has_levels=False,
        ),
    )


def make_gymnasium(
    env_id: str, options: Mapping[str, Any], *, num_envs: int, seed: int
) -> GymnasiumBatch:
    """Makes a registered environment of Gymnasium.

    Args:
      env_id: such as "ALE/Pong-v5", or "module:id" for an environment that the module registers.
      options: other arguments of `gymnasium.make_vec`.
      num_envs: environments stepped together.
      seed: as in `from_gymnasium`.

    Raises:
      MissingExtraError: if Gymnasium is not installed.
      ValueError: if there is no such environment or option, or its spaces do not fit.
    """
    gymnasium = import_extra("gymnasium", extra="gymnasium")
    try:
        vector_env = gymnasium.make_vec(env_id, num_envs=num_envs, **options)
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        raise ValueError(
            f"Gymnasium cannot make {env_id} with the options {dict(options)}: {error}. An "
            'environment of another package is named "gymnasium:package:id"'
        ) from error
    try:
        return from_gymnasium(vector_env, seed=seed, name=_PREFIX + env_id)
    except ValueError:
        vector_env.close()
        raise


def _check_spaces(name: str, spaces: Any, observation: Any, action: Any) -> tuple[int, ...]:
    """Shape of the observations; raises ValueError unless both spaces are as expected."""
    is_image = isinstance(observation, spaces.Box) and len(observation.shape) in (2, 3)
    if not is_image or observation.dtype != np.uint8:
        raise ValueError(
            f"{name} observes {observation}; expected a Box of uint8 and shape [height, width] or "
            "[height, width, channel]: the policies see images"
        )
    shape = observation.shape
    if len(shape) == 3 and shape[0] < shape[2]:
        raise ValueError(
            f"{name} observes {list(shape)}, with the channels first; expected [height, width, "
            "channel]. Move them last with gymnasium.wrappers.TransformObservation and "
            "numpy.moveaxis (for Atari, use atari:<game>)"
        )
    if not isinstance(action, spaces.Discrete) or action.start != 0:
        raise ValueError(
            f"{name} takes actions from {action}; expected Discrete actions from 0 on. Translate "
            "them with gymnasium.wrappers.TransformAction"
        )
    return shape


def _autoreset_mode(name: str, vector_env: Any) -> str:
    mode = (vector_env.metadata or {}).get("autoreset_mode")
    mode = getattr(mode, "value", mode)
    if mode not in _MODES:
        raise ValueError(
            f'{name} says metadata["autoreset_mode"] = {mode!r}; expected one of {quoted(_MODES)} '
            "(gymnasium.vector.AutoresetMode): whether it resets by itself cannot be seen"
        )
    return mode


def _split_step(vector_env: Any) -> tuple[Callable[[np.ndarray], Any], Callable[[], tuple]]:
    """A step in two calls; where the vector environment has only one, the first does it all."""
    for start, end in _SPLIT_STEPS:
        # Of the type: wrappers hand on what they lack, past what they do themselves.
        if hasattr(type(vector_env), start) and hasattr(type(vector_env), end):
            return getattr(vector_env, start), getattr(vector_env, end)
    results = []
    return lambda actions: results.append(vector_env.step(actions)), results.pop


def _action_names(vector_env: Any, num_actions: int) -> tuple[str, ...]:
    """Names that the environments give their actions, as Atari's do; else numbers."""
    try:
        names = vector_env.call("get_action_meanings")[0]
    except (AttributeError, TypeError):
        return numbered_actions(num_actions)
    named = tuple(str(action).lower() for action in names)
    return named if len(named) == num_actions else numbered_actions(num_actions)
