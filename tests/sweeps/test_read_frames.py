import dataclasses

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import runner
import zarr

from rlvision_jax import sweeps
from rlvision_jax.sweeps.read_frames import ReadFrames

_SHAPE = (64, 64, 3)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    config = dataclasses.replace(runner.CONFIG, frames=100, maps=False)
    return runner.run(tmp_path_factory.mktemp("played") / "sweep.zarr", config)


def _write_parquet(path, columns, **options):
    pyarrow.parquet.write_table(pyarrow.table(columns), path, **options)


def _as_npy(played, folder):
    np.save(folder / "frames.npy", played["observations"][:])
    return folder / "frames.npy"


def _as_array(played, folder):
    zarr.save_array(folder / "frames.zarr", played["observations"][:])
    return folder / "frames.zarr"


def _as_bytes(played, folder):
    columns = {
        "observations": [frame.tobytes() for frame in played["observations"][:]],
        "level_seed": played["level_seed"][:],
        "terminated": played["terminated"][:],
    }
    _write_parquet(folder / "frames.parquet", columns, row_group_size=30)
    return folder / "frames.parquet"


def _as_lists(played, folder):
    flat = pyarrow.array(played["observations"][:].reshape(-1))
    columns = {"observations": pyarrow.FixedSizeListArray.from_arrays(flat, 64 * 64 * 3)}
    _write_parquet(folder / "frames.parquet", columns)
    return folder / "frames.parquet"


@pytest.mark.parametrize("write", [_as_npy, _as_array, _as_bytes, _as_lists])
def test_frames_of_a_file_give_what_played_ones_gave(played, tmp_path, write):
    config = dataclasses.replace(
        runner.CONFIG, frames=write(played, tmp_path), maps=False, directions=played.path
    )
    read = runner.run(tmp_path / "read.zarr", config)
    for name in ("feature_positive", "residual", "completeness_residual", "observations", "value"):
        np.testing.assert_array_equal(read[name][:], played[name][:])
    known = {"level_seed", "terminated"} if write is _as_bytes else set()
    assert known <= set(read)
    assert not {"episode", "step", *({"level_seed", "terminated"} - known)} & set(read)
    for name in known:
        np.testing.assert_array_equal(read[name][:], played[name][:])


def test_a_sweep_is_read_with_all_that_it_knows(played, tmp_path):
    config = dataclasses.replace(runner.CONFIG, frames=played.path, shard_steps=11, maps=False)
    again = runner.run(tmp_path / "again.zarr", config)
    for name in ("episode", "step", "level_seed", "reward", "action", "terminated"):
        np.testing.assert_array_equal(again[name][:], played[name][:])
    # Features found in frames spread over the file, none of them played.
    assert again.directions.nmf.components.shape == (3, 5)
    again.check()


def test_rows_anywhere_in_a_parquet_file(played, tmp_path):
    frames = played["observations"][:]
    source = ReadFrames(_as_bytes(played, tmp_path), _SHAPE)
    for start, stop in ((0, 100), (29, 31), (30, 60), (45, 50), (95, 100)):
        part = source.read(start, stop, on_frame=lambda count: None)
        np.testing.assert_array_equal(part.observations, frames[start:stop])
    wanted = source.sample(7, on_frame=lambda done, total: None)
    np.testing.assert_array_equal(wanted, frames[[0, 14, 28, 42, 57, 71, 85]])


def test_another_file_of_the_same_name_is_noticed(played, tmp_path):
    path = _as_npy(played, tmp_path)
    config = dataclasses.replace(runner.CONFIG, frames=path, maps=False, directions=played.path)
    runner.run(tmp_path / "read.zarr", config)
    frames = np.load(path)
    frames[50:] = 0
    np.save(path, frames)
    with pytest.raises(sweeps.StoreMismatchError, match="frames_sha256"):
        runner.run(tmp_path / "read.zarr", config)


def _saved(path, array):
    np.save(path, array)
    return path


def _group(path):
    zarr.create_group(path).create_array("pictures", data=np.zeros((2, 2), np.uint8))
    return path


def _facts_too_short(path):
    group = zarr.create_group(path)
    group.create_array("observations", data=np.zeros((2, *_SHAPE), np.uint8))
    group.create_array("step", data=np.zeros(1, np.int32))
    return path


def _parquet(path, columns):
    _write_parquet(path, columns)
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda f: _saved(f / "a.npy", np.zeros((2, 8, 8, 3), np.uint8)), r"shape \[8, 8, 3\]"),
        (lambda f: _saved(f / "a.npy", np.zeros((2, *_SHAPE))), "got float64"),
        (lambda f: _saved(f / "a.npy", np.zeros((0, *_SHAPE), np.uint8)), "at least one frame"),
        (lambda f: f / "nothing.npy", "no file .*nothing.npy; expected frames, or a number"),
        (lambda f: _group(f / "a.zarr"), 'must have an array "observations"; got "pictures"'),
        (lambda f: _facts_too_short(f / "a.zarr"), 'array "step" of .* each of the 2 frames'),
        (
            lambda f: _parquet(f / "a.parquet", {"image": [b"x"]}),
            'must have a column "observations"; got "image"',
        ),
        (
            lambda f: _parquet(f / "a.parquet", {"observations": [b"xy"]}),
            r"must hold 12288 bytes for each frame.*got uint8 of shape \[2\]",
        ),
    ],
)
def test_files_that_are_not_frames_are_refused(tmp_path, write, message):
    path = write(tmp_path)
    config = dataclasses.replace(runner.CONFIG, frames=path)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        runner.run(tmp_path / "bad.zarr", config)
    assert not (tmp_path / "bad.zarr").exists()


def test_other_kinds_of_files_are_refused(tmp_path):
    (tmp_path / "frames.txt").write_text("pictures")
    with pytest.raises(ValueError, match=r"must be a \.npy file, a \.parquet file or a Zarr"):
        ReadFrames(tmp_path / "frames.txt", _SHAPE)
