"""What the environment knows of the moments played: its objects, and its picture for people.

Host module. A play sees observations only; this stands between it and the environment.
"""

import io
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int32, UInt8
from PIL import Image

from rlvision_jax.envs import HostEnv, ProcgenEnv, TimeStep, object_masks
from rlvision_jax.envs.coinrun.replays import replay_config

# Of JPEG: beyond it files grow faster than the eye gains.
_QUALITY = 85


@runtime_checkable
class Rendered(Protocol):
    """An environment that draws its games for people."""

    def render(self) -> UInt8[np.ndarray, "env height width 3"]:
        """The present moment, RGB, 0-255."""
        ...


def marks_objects(env: HostEnv) -> bool:
    """Whether the objects in an environment's frames are known.

    They are CoinRun's, as long as the picture follows the agent.
    """
    follows = not isinstance(env, ProcgenEnv) or env.config.center_agent
    return follows and replay_config(env) is not None


def check_rendered(env: HostEnv) -> None:
    """Raises ValueError if an environment draws no frames for people."""
    if not isinstance(env, Rendered):
        raise ValueError(
            f"{env.name} draws no frames for people; Procgen's own games (procgen:...) do. "
            "Leave human out"
        )


class RecordingEnv:
    """An environment that keeps more of each moment than the observation."""

    def __init__(self, env: HostEnv, *, objects: bool, human: bool):
        """Wraps an environment.

        Args:
          env: is played; closed by the caller.
          objects: whether to keep object masks: it plays CoinRun.
          human: whether to keep frames for people.

        Raises:
          ValueError: if it has no frames for people.
        """
        if human:
            check_rendered(env)
        self._env = env
        self._objects, self._human = objects, human
        self.num_envs, self.num_actions = env.num_envs, env.num_actions
        self.observation_shape, self.name = env.observation_shape, env.name
        self._masks: list[list[np.ndarray]] = []
        self._frames: list[list[bytes]] = []

    def reset(self) -> TimeStep:
        """Starts the games, and the record."""
        self._masks, self._frames = [], []
        return self._kept(self._env.reset())

    def step(self, actions: Int32[np.ndarray, " env"]) -> TimeStep:
        """Takes one action in every game."""
        return self._kept(self._env.step(actions))

    def send(self, actions: Int32[np.ndarray, " env"]) -> None:
        """Starts a step."""
        self._env.send(actions)

    def recv(self) -> TimeStep:
        """Waits for the step that `send` started."""
        return self._kept(self._env.recv())

    def observe(self) -> TimeStep:
        """The present moment again."""
        return self._env.observe()

    def get_state(self) -> list[bytes]:
        """The games' states."""
        return self._env.get_state()

    def set_state(self, states: Sequence[bytes]) -> None:
        """Continues from states."""
        self._env.set_state(states)

    def close(self) -> None:
        """Frees the environment."""
        self._env.close()

    def object_masks(
        self, index: int, num_steps: int
    ) -> Bool[np.ndarray, "time height width object"] | None:
        """Masks of one game's first moments; None if they were not kept."""
        if not self._objects:
            return None
        return np.stack([moment[index] for moment in self._masks[:num_steps]])

    def human_frames(self, index: int, num_steps: int) -> tuple[bytes, ...]:
        """JPEG files of one game's first moments; empty if they were not kept."""
        return tuple(moment[index] for moment in self._frames[:num_steps])

    def _kept(self, moment: TimeStep) -> TimeStep:
        if self._objects:
            self._masks.append([object_masks(state) for state in self._env.get_state()])
        if self._human and isinstance(self._env, Rendered):
            self._frames.append([_jpeg(frame) for frame in self._env.render()])
        return moment


def _jpeg(frame: UInt8[np.ndarray, "height width 3"]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
