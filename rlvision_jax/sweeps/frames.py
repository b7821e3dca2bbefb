"""Frames by the shard, with what is known of each, played or read. (Host only.)"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped, UInt8

# Facts of a frame that a source may know, in the order of the store. Rewards and ends are those
# that the action in this frame led to.
FACTS: Mapping[str, np.dtype] = MappingProxyType(
    {
        name: np.dtype(dtype)
        for name, dtype in {
            "level_seed": np.int32,
            "episode": np.int64,
            "step": np.int32,
            "action": np.int32,
            "reward": np.float32,
            "terminated": np.bool_,
            "truncated": np.bool_,
            "level_complete": np.bool_,
        }.items()
    }
)


class Frames(NamedTuple):
    """Consecutive frames of a sweep.

    Attributes:
      observations: the frames, 0-255.
      facts: what is known of each, by name.
    """

    observations: UInt8[np.ndarray, "frame height width channel"]
    facts: dict[str, Shaped[np.ndarray, " frame"]]


@runtime_checkable
class FrameSource(Protocol):
    """Where the frames of a sweep come from. Shards can be read in any order, anywhere.

    Attributes:
      num_frames: all frames of the sweep.
      facts: names of what is known of each frame, all in `FACTS`.
      identity: what the frames depend on, as JSON has it.
    """

    num_frames: int
    facts: tuple[str, ...]
    identity: dict[str, Any]

    def read(self, start: int, stop: int, *, on_frame: Callable[[int], None]) -> Frames:
        """The frames of one shard.

        Args:
          start: first frame of the shard.
          stop: first frame after it.
          on_frame: told how many frames are there so far.
        """
        ...

    def sample(
        self, num_frames: int, *, on_frame: Callable[[int, int], None]
    ) -> UInt8[np.ndarray, "frame height width channel"]:
        """Frames that resemble each other little, to find features in.

        Args:
          num_frames: how many, if there are as many.
          on_frame: told of the work done so far, and of all work.
        """
        ...
