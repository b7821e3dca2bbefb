"""A sweep on disk: a Zarr v3 group that is created whole, and filled shard by shard. (Host only.)

Every array is cut so that the frames of one shard of the sweep lie in files of their own, and a
file appears under its name only when it is complete (zarr renames it). A shard is finished when
all its files are there and agree with their checksums: there is no other record that could differ
from the data. Processes that write different shards need not know of each other.
"""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.errors import ZarrUserWarning

from rlvision_jax.checkpoint.files import is_temporary, remove_abandoned, temporary_name
from rlvision_jax.sweeps.schema import ArraySpec

FORMAT, FORMAT_VERSION = "rlvision_jax sweep", 1


class ShardIntegrityError(ValueError):
    """Part of a sweep is missing or damaged; the same `rlvision attribute` computes it again."""


class StoreMismatchError(ValueError):
    """A folder holds something else than the sweep that was to be continued there."""


def create_store(
    path: Path,
    attributes: Mapping[str, Any],
    specs: Mapping[str, ArraySpec],
    constants: Mapping[str, tuple[tuple[str, ...], np.ndarray]],
) -> None:
    """Makes the folder of a sweep, empty of frames; if it is there already, leaves it as it is.

    Args:
      path: of the folder; appears at once, complete.
      attributes: of the group, as JSON has them; `num_frames` among them.
      specs: arrays with frames.
      constants: names of the axes, and values, of the arrays without frames.
    """
    building = temporary_name(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        group = zarr.create_group(
            building,
            attributes={"format": FORMAT, "format_version": FORMAT_VERSION, **attributes},
        )
        num_frames = attributes["num_frames"]
        for name, spec in specs.items():
            group.create_array(
                name,
                shape=(num_frames, *spec.shape),
                dtype=spec.dtype,
                chunks=(spec.chunk_frames, *spec.shape),
                shards=(spec.file_frames, *spec.shape),
                compressors=[ZstdCodec(level=3), Crc32cCodec()],
                fill_value=spec.fill_value,
                dimension_names=spec.dims,
            )
        for name, (dims, values) in constants.items():
            group.create_array(name, data=values, dimension_names=dims)
        with warnings.catch_warnings():
            # Not in Zarr's specification yet; xarray opens a store without it slowly.
            warnings.simplefilter("ignore", ZarrUserWarning)
            zarr.consolidate_metadata(building)  # pyright: ignore[reportArgumentType]
        try:
            building.rename(path)
        except OSError:
            # Another process was first, and theirs is as good; or something else is in the way.
            if not is_store(path):
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def is_store(path: Path) -> bool:
    """Whether a folder holds a sweep, finished or not."""
    if not (path / "zarr.json").is_file():
        return False
    try:
        return open_group(path).attrs.get("format") == FORMAT
    except ValueError:
        return False


def open_group(path: Path, mode: str = "r") -> zarr.Group:
    """The Zarr group of a sweep.

    Raises:
      FileNotFoundError: if there is no such folder.
      ValueError: if it is no Zarr group.
    """
    if not path.is_dir():
        raise FileNotFoundError(f"no folder {path}; expected a sweep of `rlvision attribute`")
    try:
        return zarr.open_group(path, mode=mode)  # pyright: ignore[reportArgumentType]
    except Exception as error:
        raise ValueError(f"{path} is not a readable Zarr group: {error}") from error


def check_store(path: Path, attributes: Mapping[str, Any]) -> bool:
    """Checks, without writing, that a sweep may be computed in a folder.

    Args:
      path: of the folder; may be missing.
      attributes: of the sweep, as in `create_store`.

    Returns:
      Whether the folder holds this sweep already.

    Raises:
      StoreMismatchError: if it holds another sweep, or something else.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return False
    if not is_store(path):
        raise StoreMismatchError(f"{path} exists and is not a sweep; choose another folder")
    held, ours = _flat(dict(open_group(path).attrs)), _flat(attributes)
    names = [name for name in ours if held.get(name) != ours[name]]
    if names:
        differences = ", ".join(f"{name} ({held.get(name)}, not {ours[name]})" for name in names)
        raise StoreMismatchError(
            f"{path} holds another sweep: {differences}; choose another folder, or the sweep's "
            "own settings"
        )
    return True


def frame_arrays(group: zarr.Group) -> dict[str, zarr.Array[Any]]:
    """The arrays of a sweep that have frames, by name."""
    arrays = {name: array for name, array in group.arrays()}
    return {
        name: array
        for name, array in arrays.items()
        if (array.metadata.dimension_names or ("",))[0] == "frame"  # pyright: ignore
    }


def shard_files(path: Path, name: str, array: zarr.Array[Any], start: int, stop: int) -> list[Path]:
    """The files that hold some frames of an array."""
    file_frames = (array.shards or array.chunks)[0]
    numbers = range(start // file_frames, -(-stop // file_frames))
    rest = (0,) * (array.ndim - 1)
    return [
        path / name / array.metadata.encode_chunk_key((number, *rest))  # pyright: ignore
        for number in numbers
    ]


def is_written(file: Path) -> bool:
    """Whether a file is there with something in it; a crashed machine may leave empty ones."""
    return file.is_file() and file.stat().st_size > 0


def problem_of_shard(path: Path, start: int, stop: int) -> str | None:
    """What is wrong with the frames of one shard, None if they are complete and undamaged.

    Reads them: their checksums are compared.
    """
    arrays = frame_arrays(open_group(path))
    for name, array in arrays.items():
        for file in shard_files(path, name, array, start, stop):
            if not is_written(file):
                return f"{file.relative_to(path)} is missing or empty"
    for name, array in arrays.items():
        file_frames = (array.shards or array.chunks)[0]
        for first in range(start, stop, file_frames):
            try:
                array[first : min(first + file_frames, stop)]
            except Exception as error:  # whatever a decoder makes of damaged bytes
                return f'"{name}" is damaged at frame {first}: {error}'
    return None


def write_frames(path: Path, start: int, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes whole files of some arrays.

    Args:
      path: of the sweep.
      start: first frame.
      arrays: frames first.

    Raises:
      OSError: if writing fails, as when the disk is full.
    """
    try:
        _write_files(open_group(path, "r+"), path, start, arrays)
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot write frames from {start} on into {path}: {error.strerror}; finished shards "
            "are kept: make room, and run the same command again",
        ) from error


def _write_files(
    group: zarr.Group, path: Path, start: int, arrays: Mapping[str, np.ndarray]
) -> None:
    # A file of nothing but fill values must be told from one that is missing.
    with zarr.config.set({"array.write_empty_chunks": True}):
        for name, values in arrays.items():
            array: Any = group[name]
            # zarr would read what is there, damaged or not, to write into it.
            for file in shard_files(path, name, array, start, start + len(values)):
                file.unlink(missing_ok=True)
            array[start : start + len(values)] = values


def remove_leftovers(path: Path) -> None:
    """Removes what killed processes left half-written, in a sweep's folder and beside it."""
    beside = (file for file in path.parent.glob(f".{path.name}.*") if is_temporary(file))
    remove_abandoned([*beside, *path.rglob("*.partial")])


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names."""
    flat = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = list(value) if isinstance(value, tuple) else value
    return flat
