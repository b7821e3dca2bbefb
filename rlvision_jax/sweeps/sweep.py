"""A sweep that is read: lazy arrays, its features, and a table of what it found. (Host only.)"""

import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import zarr
from jaxtyping import Bool

from rlvision_jax.factorization import NMF
from rlvision_jax.features import Directions
from rlvision_jax.sweeps.store import (
    FORMAT,
    ShardIntegrityError,
    frame_arrays,
    is_written,
    open_group,
    problem_of_shard,
    shard_files,
)
from rlvision_jax.sweeps.summary import Summary, summarize


class Sweep(Mapping[str, zarr.Array[Any]]):
    """The arrays of a sweep by name; they read what is indexed, when it is indexed.

    `sweep["value"][:100]` is a NumPy array. Frames that are not computed yet read as NaN or -1.

    Attributes:
      path: its folder.
      num_frames: frames of the whole sweep.
      shard_frames: frames of each shard; the last one may have fewer.
      scores: names of the scores, in the order of the axis `score`.
      settings: what it was computed with.
    """

    def __init__(self, path: str | os.PathLike[str]):
        """Opens a sweep.

        Args:
          path: its folder.

        Raises:
          FileNotFoundError: if there is no such folder.
          ValueError: if it is no sweep.
        """
        self.path = Path(path)
        self._group = open_group(self.path)
        attributes = dict(self._group.attrs)
        if attributes.get("format") != FORMAT:
            raise ValueError(f"{self.path} is a Zarr group, but not a sweep")
        self.num_frames: int = attributes["num_frames"]  # pyright: ignore
        self.shard_frames: int = attributes["shard_frames"]  # pyright: ignore
        self.scores = tuple(attributes["scores"])  # pyright: ignore
        self.settings: dict[str, Any] = attributes
        self._arrays = {name: array for name, array in self._group.arrays()}

    def __getitem__(self, name: str) -> zarr.Array[Any]:
        """One array; its first axis is `frame` except for `components` and `baseline_scores`."""
        if name not in self._arrays:
            raise KeyError(f'{self.path} has no array "{name}"; it has {", ".join(self._arrays)}')
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        """Names of the arrays."""
        return iter(self._arrays)

    def __len__(self) -> int:
        """Number of arrays."""
        return len(self._arrays)

    def __repr__(self) -> str:
        """Path, size and arrays."""
        arrays = ", ".join(f"{name} {list(array.shape)}" for name, array in self._arrays.items())
        return f"Sweep({str(self.path)!r}, {self.num_frames:,} frames: {arrays})"

    @cached_property
    def directions(self) -> Directions:
        """The features that attributions were split into."""
        fit = self.settings["factorization"]
        nmf = NMF(
            components=jnp.asarray(self["components"][:]),
            reconstruction_error=jnp.float32(fit["reconstruction_error"]),
            num_iterations=jnp.int32(fit["num_iterations"]),
        )
        return Directions(layer=self.settings["sweep"]["layer"], nmf=nmf)

    @property
    def shards(self) -> list[slice]:
        """The frames of each shard."""
        starts = range(0, self.num_frames, self.shard_frames)
        return [slice(start, min(start + self.shard_frames, self.num_frames)) for start in starts]

    @property
    def finished(self) -> Bool[np.ndarray, " shard"]:
        """Which shards have all their files; whether they are undamaged, `check` tells."""
        arrays = frame_arrays(self._group)
        return np.asarray(
            [
                all(
                    is_written(file)
                    for name, array in arrays.items()
                    for file in shard_files(self.path, name, array, shard.start, shard.stop)
                )
                for shard in self.shards
            ]
        )

    def check(self) -> None:
        """Reads everything, and compares checksums.

        Raises:
          ShardIntegrityError: if a shard is missing or damaged; names each.
        """
        problems = {
            number: problem_of_shard(self.path, shard.start, shard.stop)
            for number, shard in enumerate(self.shards)
        }
        named = [f"shard {number}: {problem}" for number, problem in problems.items() if problem]
        if named:
            raise ShardIntegrityError(
                f"{len(named)} of {len(problems)} shards of {self.path} are not complete. "
                + "; ".join(named[:8])
                + ("; ..." if len(named) > 8 else "")
                + ". The same `rlvision attribute` command computes them again"
            )

    def summary(self) -> Summary:
        """What each feature says to each score, over all finished shards, read one by one.

        Raises:
          ShardIntegrityError: if no shard is finished, or one is damaged.
        """
        shards = [shard for shard, done in zip(self.shards, self.finished, strict=True) if done]
        if not shards:
            raise ShardIntegrityError(f"no shard of {self.path} is finished yet")
        return summarize(self, self.scores, shards)


def open_sweep(path: str | os.PathLike[str]) -> Sweep:
    """Opens a sweep of `rlvision attribute`, finished or not.

    Args:
      path: its folder.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no sweep.
    """
    return Sweep(path)
