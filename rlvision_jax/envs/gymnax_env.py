"""Functional environments of gymnax, and others of its form, as device environments.

gymnax: Lange 2022, https://github.com/RobertTLange/gymnax; its MinAtar games are those of Young and
Tian 2019, https://arxiv.org/abs/1903.03176.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, PRNGKeyArray, UInt8

from rlvision_jax._checks import quoted
from rlvision_jax._extras import import_extra
from rlvision_jax.envs.base import TimeStep
from rlvision_jax.envs.description import Description, guess_channels, numbered_actions

_PREFIX = "gymnax:"
# What the numbers in the action sets of MinAtar's games mean.
_MINATAR_ACTIONS = ("none", "left", "up", "right", "down", "fire")


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("params",),
    meta_fields=("env", "name", "num_actions", "observation_shape", "bounds", "description"),
)
@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GymnaxEnv:
    """An environment of gymnax's form, with image observations and discrete actions.

    Games have no levels and no goal: level seeds are 0, `level_complete` is False.

    Attributes:
      env: the environment: `reset(key, params)` and `step(key, state, action, params)`, which
        resets itself when an episode ends.
      params: its parameters.
      name: "gymnax:" and its name.
      num_actions: actions are 0 to `num_actions` - 1.
      observation_shape: height, width and channel.
      bounds: lowest and highest value of an observation, which become 0 and 255.
      description: how to show it.
    """

    env: Any
    params: Any
    name: str
    num_actions: int
    observation_shape: tuple[int, int, int]
    bounds: tuple[float, float]
    description: Description

    @property
    def level_set(self) -> None:
        """None: the games have no levels."""
        return None

    def reset(self, key: PRNGKeyArray, level_set: None = None) -> tuple[Any, TimeStep]:
        """Starts a game; `key` is consumed."""
        observation, state = self.env.reset(key, self.params)
        no = jnp.bool_(False)
        return state, self._moment(observation, jnp.float32(0), no, no, jnp.bool_(True))

    def step(self, key: PRNGKeyArray, state: Any, action: Int32[Array, ""]) -> tuple[Any, TimeStep]:
        """Takes one action; when the episode ends, the state returned opens the next."""
        # Before 1.0, gymnax told only that the episode ended, not whether a time limit did it.
        observation, state, reward, *ended, _ = self.env.step(key, state, action, self.params)
        terminated = jnp.asarray(ended[0], jnp.bool_)
        truncated = jnp.asarray(ended[1] if len(ended) > 1 else False, jnp.bool_) & ~terminated
        reward = jnp.asarray(reward, jnp.float32)
        return state, self._moment(
            observation, reward, terminated, truncated, terminated | truncated
        )

    def _moment(
        self, observation: Array, reward: Array, terminated: Array, truncated: Array, first: Array
    ) -> TimeStep:
        # Arrays of JAX, unbatched, in the place of NumPy's batches.
        moment: dict[str, Any] = {
            "observation": self._frame(observation),
            "reward": reward,
            "terminated": terminated,
            "truncated": truncated,
            "first": first,
            "level_seed": jnp.int32(0),
            "prev_level_seed": jnp.int32(0),
            "level_complete": jnp.bool_(False),
        }
        return TimeStep(**moment)

    def _frame(self, observation: Array) -> UInt8[Array, "height width channel"]:
        low, high = self.bounds
        frame = jnp.reshape(observation, self.observation_shape)
        if frame.dtype == jnp.uint8 and self.bounds == (0.0, 255.0):
            return frame
        share = (frame.astype(jnp.float32) - low) / (high - low)
        return jnp.rint(255.0 * jnp.clip(share, 0.0, 1.0)).astype(jnp.uint8)


def from_gymnax(env: Any, params: Any = None, *, name: str | None = None) -> GymnaxEnv:
    """Makes a device environment of one in gymnax's form.

    Args:
      env: an environment of gymnax, or one with its methods `reset`, `step`, `action_space` and
        `observation_space`. `step` resets by itself, and returns observation, state, reward,
        whether the episode terminated, whether it was truncated (may be missing), and more.
      params: its parameters; None: its `default_params`.
      name: None: "gymnax:" and the environment's own name.

    Raises:
      ValueError: if its observations are not images of bounded values, or its actions not
        discrete.
    """
    params = env.default_params if params is None else params
    name = _PREFIX + str(getattr(env, "name", type(env).__name__)) if name is None else name
    num_actions = getattr(env.action_space(params), "n", None)
    if num_actions is None:
        raise ValueError(
            f"{name} takes actions from {env.action_space(params)}; expected a Discrete space: the "
            "policies choose among numbered actions"
        )
    shape, bounds = _frame_of(name, env.observation_space(params))
    description = Description(
        action_names=_action_names(env, int(num_actions)),
        channels=guess_channels(shape[-1]),
        has_levels=False,
    )
    return GymnaxEnv(
        env=env,
        params=params,
        name=name,
        num_actions=int(num_actions),
        observation_shape=shape,
        bounds=bounds,
        description=description,
    )


def make_gymnax(env_id: str, options: Mapping[str, Any]) -> GymnaxEnv:
    """Makes a registered environment of gymnax.

    Args:
      env_id: such as "Breakout-MinAtar".
      options: fields of the environment's parameters, and arguments of its constructor.

    Raises:
      MissingExtraError: if gymnax is not installed.
      ValueError: if there is no such environment or option, or it is not of the form that
        `from_gymnax` takes.
    """
    gymnax = import_extra("gymnax", extra="gymnax")
    if env_id not in gymnax.registered_envs:
        raise ValueError(
            f'unknown gymnax environment "{env_id}"; expected one of '
            f"{quoted(gymnax.registered_envs)}, or one that gymnax.register named"
        )
    _, params = _made(env_id)
    fields = {field.name for field in dataclasses.fields(params)}
    arguments = {name: value for name, value in options.items() if name not in fields}
    try:
        env, params = _made(env_id, **arguments)
    except TypeError as error:
        raise ValueError(
            f"{_PREFIX}{env_id} does not take the options {arguments}: {error}. Its parameters "
            f"are {', '.join(sorted(fields))}"
        ) from error
    given = {name: value for name, value in options.items() if name in fields}
    return from_gymnax(env, dataclasses.replace(params, **given), name=_PREFIX + env_id)


@functools.cache
def _made(env_id: str, **arguments: Any) -> tuple[Any, Any]:
    """The environment and its parameters; the same objects again, so that nothing is recompiled."""
    return import_extra("gymnax", extra="gymnax").make(env_id, **arguments)


def _frame_of(name: str, space: Any) -> tuple[tuple[int, int, int], tuple[float, float]]:
    """Shape of the frames, and the lowest and highest value in them."""
    shape = list(getattr(space, "shape", None) or [])
    if len(shape) not in (2, 3) or not hasattr(space, "low"):
        raise ValueError(
            f"{name} observes {space}; expected a Box of shape [height, width] or [height, width, "
            "channel]: the policies see images"
        )
    low, high = float(np.min(space.low)), float(np.max(space.high))
    if not np.isfinite([low, high]).all() or low >= high:
        raise ValueError(
            f"{name} observes values from {low} to {high}; expected finite bounds, the lowest and "
            "the highest value, which become 0 and 255. Give its observation space such bounds"
        )
    return (shape[0], shape[1], shape[2] if len(shape) > 2 else 1), (low, high)


def _action_names(env: Any, num_actions: int) -> tuple[str, ...]:
    """Names of the actions of MinAtar's games; numbers for others."""
    actions = getattr(env, "action_set", None)
    if actions is None or not type(env).__module__.startswith("gymnax.environments.minatar"):
        return numbered_actions(num_actions)
    return tuple(_MINATAR_ACTIONS[int(action)] for action in np.asarray(actions))
