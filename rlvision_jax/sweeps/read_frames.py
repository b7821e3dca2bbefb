"""Frames read from a file: NumPy, Zarr or Parquet. (Host only.)

Frames are uint8, one after the other along the first axis: a .npy file; a Zarr array, or a Zarr
group with an array `observations` (such as an earlier sweep), or a Parquet file whose column
`observations` holds a frame's bytes in the order height, width, channel. Groups and Parquet files
may have the facts of `FACTS` beside them.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int, UInt8

from rlvision_jax._checks import quoted
from rlvision_jax._extras import import_extra
from rlvision_jax.sweeps.frames import FACTS, Frames

OBSERVATIONS = "observations"

# Frames that tell two files of the same size apart.
_FINGERPRINTED = 64
# Parquet rows held at a time.
_BATCH_ROWS = 512


class ReadFrames:
    """A `FrameSource` that reads a file."""

    def __init__(self, path: Path, observation_shape: tuple[int, int, int]):
        """Opens a file.

        Args:
          path: of the frames.
          observation_shape: what the policy sees.

        Raises:
          ValueError: if it holds no frames, or frames that the policy cannot see.
          FileNotFoundError: if there is no such file.
          MissingExtraError: if it is a Parquet file and pyarrow is not installed.
        """
        self._table = _open(path, observation_shape)
        shape, dtype = self._table.shape, self._table.dtype
        if dtype != np.uint8 or shape[1:] != tuple(observation_shape):
            raise ValueError(
                f"{path} must hold uint8 frames of shape {list(observation_shape)}, as the policy "
                f"sees; got {dtype} of shape {list(shape[1:])}"
            )
        if shape[0] == 0:
            raise ValueError(f"{path} must hold at least one frame; got none")
        self.num_frames = shape[0]
        self.facts = self._table.facts
        few = np.linspace(0, self.num_frames - 1, min(_FINGERPRINTED, self.num_frames)).astype(int)
        digest = hashlib.sha256(self._table.some(few).tobytes()).hexdigest()
        self.identity = {"num_frames": self.num_frames, "frames_sha256": digest}

    def read(self, start: int, stop: int, *, on_frame: Callable[[int], None]) -> Frames:
        """Reads one shard."""
        rows = self._table.rows(start, stop)
        on_frame(stop - start)
        return Frames(
            rows.pop(OBSERVATIONS), {name: rows[name].astype(FACTS[name]) for name in self.facts}
        )

    def sample(
        self, num_frames: int, *, on_frame: Callable[[int, int], None]
    ) -> UInt8[np.ndarray, "frame height width channel"]:
        """Frames spread evenly over the file."""
        wanted = min(num_frames, self.num_frames)
        frames = self._table.some(np.arange(wanted) * self.num_frames // wanted)
        on_frame(wanted, wanted)
        return frames


class _NumpyTable:
    def __init__(self, path: Path):
        self._frames = np.load(path, mmap_mode="r")
        self.shape, self.dtype = self._frames.shape, self._frames.dtype
        self.facts = ()

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return {OBSERVATIONS: np.array(self._frames[start:stop])}

    def some(self, indices: Int[np.ndarray, " frame"]) -> UInt8[np.ndarray, "frame ..."]:
        return np.array(self._frames[indices])


class _ZarrTable:
    def __init__(self, path: Path):
        import zarr

        node = zarr.open(path, mode="r")
        if isinstance(node, zarr.Group):
            arrays = {name: array for name, array in node.arrays()}
            if OBSERVATIONS not in arrays:
                raise ValueError(
                    f'{path} must have an array "{OBSERVATIONS}"; got {quoted(sorted(arrays))}. '
                    "A sweep keeps its frames with --observations"
                )
        else:
            arrays = {OBSERVATIONS: node}
        self._arrays: dict[str, Any] = arrays
        frames = arrays[OBSERVATIONS]
        self.shape, self.dtype = frames.shape, np.dtype(frames.dtype)
        self.facts = tuple(name for name in FACTS if name in arrays)
        for name in self.facts:
            if arrays[name].shape != self.shape[:1]:
                raise ValueError(
                    f'array "{name}" of {path} must have one entry for each of the '
                    f"{self.shape[0]} frames; got shape {list(arrays[name].shape)}"
                )

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        return {name: self._arrays[name][start:stop] for name in (OBSERVATIONS, *self.facts)}

    def some(self, indices: Int[np.ndarray, " frame"]) -> UInt8[np.ndarray, "frame ..."]:
        frames = self._arrays[OBSERVATIONS]
        return np.stack([frames[int(index)] for index in indices])


class _ParquetTable:
    """Reads batches of rows, so that a row group need not fit in memory."""

    def __init__(self, path: Path, observation_shape: tuple[int, int, int]):
        parquet = import_extra("pyarrow.parquet", extra="parquet")
        self._file = parquet.ParquetFile(path)
        names = self._file.schema_arrow.names
        if OBSERVATIONS not in names:
            raise ValueError(f'{path} must have a column "{OBSERVATIONS}"; got {quoted(names)}')
        self._path, self._frame_shape = path, tuple(observation_shape)
        self.shape = (self._file.metadata.num_rows, *self._frame_shape)
        self.dtype = np.dtype(np.uint8)
        self.facts = tuple(name for name in FACTS if name in names)

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        parts = list(self._batches(start, stop, (OBSERVATIONS, *self.facts)))
        return {name: np.concatenate([part[name] for _, part in parts]) for name in parts[0][1]}

    def some(self, indices: Int[np.ndarray, " frame"]) -> UInt8[np.ndarray, "frame ..."]:
        parts = []
        for start, part in self._batches(0, self.shape[0], (OBSERVATIONS,)):
            frames = part[OBSERVATIONS]
            here = indices[(indices >= start) & (indices < start + len(frames))]
            parts.append(frames[here - start])
        return np.concatenate(parts)

    def _batches(
        self, start: int, stop: int, columns: tuple[str, ...]
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        """First row and columns of consecutive batches of rows."""
        metadata = self._file.metadata
        sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
        ends = np.cumsum(sizes)
        groups = np.flatnonzero((ends > start) & (ends - sizes < stop)).tolist()
        first = int(ends[groups[0]] - sizes[groups[0]])
        for batch in self._file.iter_batches(_BATCH_ROWS, row_groups=groups, columns=list(columns)):
            low, high = max(start - first, 0), min(stop - first, len(batch))
            if low < high:
                part = batch.slice(low, high - low)
                yield first + low, {name: self._column(part, name) for name in columns}
            first += len(batch)

    def _column(self, batch: Any, name: str) -> np.ndarray:
        column = batch.column(name)
        if name != OBSERVATIONS:
            return column.to_numpy(zero_copy_only=False)
        size = int(np.prod(self._frame_shape))
        frames = [
            np.frombuffer(item, np.uint8) if isinstance(item, bytes) else np.asarray(item)
            for item in (
                column.to_numpy(zero_copy_only=False)
                if hasattr(column.type, "value_type")
                else column.to_pylist()
            )
        ]
        for frame in frames:
            if frame.dtype != np.uint8 or frame.shape != (size,):
                raise ValueError(
                    f'column "{name}" of {self._path} must hold {size} bytes for each frame, of '
                    f"shape {list(self._frame_shape)}; got {frame.dtype} of shape "
                    f"{list(frame.shape)}"
                )
        return np.stack(frames).reshape(-1, *self._frame_shape)


_Table: TypeAlias = _NumpyTable | _ZarrTable | _ParquetTable
"""A file of frames: how many and of what shape, what is known of each, and ways to read them."""


def _open(path: Path, observation_shape: tuple[int, int, int]) -> _Table:
    if not path.exists():
        raise FileNotFoundError(f"no file {path}; expected frames, or a number of frames to play")
    if path.suffix == ".npy":
        return _NumpyTable(path)
    if path.suffix == ".parquet":
        return _ParquetTable(path, observation_shape)
    if path.is_dir():
        return _ZarrTable(path)
    raise ValueError(f"{path} must be a .npy file, a .parquet file or a Zarr folder")
