"""What a report needs to know of an environment: names of its actions, and how a frame looks."""

import colorsys
import dataclasses
from typing import Literal, Protocol, TypeAlias, get_args, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from rlvision_jax._checks import check_choice
from rlvision_jax.envs.base import DeviceEnv, HostEnv

Channels: TypeAlias = Literal["rgb", "gray", "planes"]
"""What the channels of an observation are: RGB frames, grey frames (of a stack of either, the
newest is last), or one plane for each kind of object."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Description:
    """How to show an environment.

    Attributes:
      action_names: one per action, such as "right+up".
      channels: what the channels of its observations are.
      has_levels: whether its games have levels with a goal each: whether the level seeds and
        `level_complete` of a `TimeStep` mean anything.
    """

    action_names: tuple[str, ...]
    channels: Channels
    has_levels: bool

    def __post_init__(self) -> None:
        check_choice("channels", self.channels, get_args(Channels))


@runtime_checkable
class Described(Protocol):
    """An environment of either contract that says how to show it."""

    @property
    def description(self) -> Description:
        """How to show it."""
        ...


def describe(env: HostEnv | DeviceEnv) -> Description:
    """What the environment says of itself, or what its shapes suggest.

    Without a description, actions are numbered, one channel is grey, three are RGB and any other
    number are planes, and there are no levels.
    """
    if isinstance(env, Described):
        return env.description
    channels = guess_channels(env.observation_shape[-1])
    return Description(
        action_names=numbered_actions(env.num_actions), channels=channels, has_levels=False
    )


def numbered_actions(num_actions: int) -> tuple[str, ...]:
    """Names for actions of which only the number is known.

    Example:
      >>> numbered_actions(2)
      ('action 0', 'action 1')
    """
    return tuple(f"action {index}" for index in range(num_actions))


def guess_channels(num_channels: int) -> Channels:
    """What so many channels most likely are."""
    by_number: dict[int, Channels] = {1: "gray", 3: "rgb"}
    return by_number.get(num_channels, "planes")


def to_rgb(
    frames: UInt8[np.ndarray, "*batch height width channel"], channels: Channels
) -> UInt8[np.ndarray, "*batch height width 3"]:
    """Observations as a person sees them: of a stack the newest frame, planes in colours.

    Args:
      frames: observations, 0-255.
      channels: what their channels are. Planes get hues evenly around the circle; where several
        are set, the brightest of each primary colour shows.

    Raises:
      ValueError: if RGB frames do not have a multiple of three channels.

    Example:
      >>> to_rgb(np.asarray([[[0, 0, 0, 200]]], np.uint8), "gray")[0, 0].tolist()
      [200, 200, 200]
      >>> to_rgb(np.asarray([[[255, 0, 0]]], np.uint8), "planes")[0, 0].tolist()
      [255, 0, 0]
    """
    num_channels = frames.shape[-1]
    if channels == "rgb":
        if num_channels % 3:
            raise ValueError(
                f"RGB frames have a multiple of 3 channels; got {num_channels}. Describe them as "
                '"gray" or "planes"'
            )
        return frames[..., -3:]
    if channels == "gray":
        return np.repeat(frames[..., -1:], 3, axis=-1)
    shown = np.zeros((*frames.shape[:-1], 3), np.uint8)
    for plane in range(num_channels):
        color = np.asarray(colorsys.hsv_to_rgb(plane / num_channels, 1.0, 1.0))
        lit = np.rint(frames[..., plane, None] * color).astype(np.uint8)
        np.maximum(shown, lit, out=shown)
    return shown
