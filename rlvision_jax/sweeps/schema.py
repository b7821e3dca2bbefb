"""The arrays of a sweep: names, axes, types, and how they are cut into files."""

import math
from typing import NamedTuple

import numpy as np

from rlvision_jax.sweeps.computing import MAPS
from rlvision_jax.sweeps.frames import FACTS
from rlvision_jax.sweeps.read_frames import OBSERVATIONS

# What a chunk should hold, uncompressed: small enough to read one frame, large enough to compress.
_CHUNK_BYTES = 1 << 20
# Frames of one file of an array that has more than a few numbers for each frame, and of the
# arrays in memory while they are computed.
BLOCK_FRAMES = 1024


class ArraySpec(NamedTuple):
    """One array of a sweep, with frames along the first axis.

    Attributes:
      dtype: of its entries.
      dims: names of all axes.
      shape: of one frame's entries.
      file_frames: frames in one file (a shard, in Zarr's words).
      chunk_frames: frames compressed together.
    """

    dtype: np.dtype
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    file_frames: int
    chunk_frames: int

    @property
    def fill_value(self) -> float | int | bool:
        """What is read where nothing is written yet."""
        return {"f": math.nan, "i": -1, "u": 0, "b": False}[self.dtype.kind]


def array_specs(
    *,
    facts: tuple[str, ...],
    num_scores: int,
    num_actions: int,
    num_features: int,
    layer_shape: tuple[int, int],
    observation_shape: tuple[int, int, int],
    shard_frames: int,
    maps: bool,
    observations: bool,
) -> dict[str, ArraySpec]:
    """All arrays of a sweep that have frames, by name."""

    def spec(
        dtype: np.typing.DTypeLike, dims: tuple[str, ...] = (), shape: tuple[int, ...] = ()
    ) -> ArraySpec:
        dtype = np.dtype(dtype)
        large = len(shape) > 2
        file_frames = _divisor(shard_frames, BLOCK_FRAMES) if large else shard_frames
        per_frame = max(math.prod(shape), 1) * dtype.itemsize
        return ArraySpec(
            dtype,
            ("frame", *dims),
            shape,
            file_frames,
            _divisor(file_frames, max(_CHUNK_BYTES // per_frame, 1)),
        )

    f4, f2 = np.float32, np.float16
    of_score = (("score",), (num_scores,))
    of_feature = (("score", "feature"), (num_scores, num_features))
    dims, shape = ("score", "layer_row", "layer_column"), (num_scores, *layer_shape)
    specs = {name: spec(FACTS[name]) for name in facts}
    specs |= {
        "value": spec(f4),
        "logits": spec(f4, ("logit",), (num_actions,)),
        "scores": spec(f4, *of_score),
        "feature_positive": spec(f4, *of_feature),
        "feature_negative": spec(f4, *of_feature),
        "residual": spec(f4, *of_score),
        "completeness_residual": spec(f4, *of_score),
    }
    if maps:
        by_feature, left = MAPS
        specs[by_feature] = spec(f2, (*dims, "feature"), (*shape, num_features))
        specs[left] = spec(f2, dims, shape)
    if observations:
        specs[OBSERVATIONS] = spec(np.uint8, ("height", "width", "channel"), observation_shape)
    return specs


def _divisor(number: int, most: int) -> int:
    """The largest divisor of a number that is not above another one.

    Example:
      >>> _divisor(8192, 1000), _divisor(12, 5), _divisor(7, 100)
      (512, 4, 7)
    """
    return next(size for size in range(min(number, most), 0, -1) if number % size == 0)
