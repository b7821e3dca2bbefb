import json
import struct
import sys

import pytest
from tensorboardX.proto import event_pb2

from rlvision_jax.training import read_metrics
from rlvision_jax.training.metrics import METRICS_FILE, MetricsWriter


def events(folder):
    """All events of a folder's TensorBoard files, oldest file first."""
    found = []
    for path in sorted((folder / "tensorboard").iterdir()):
        data = path.read_bytes()
        while data:
            # A record: length, its checksum, the event, its checksum.
            (length,) = struct.unpack("<Q", data[:8])
            found.append(event_pb2.Event.FromString(data[12 : 12 + length]))
            data = data[12 + length + 4 :]
    return found


def write(folder, steps, **options):
    with MetricsWriter(folder, **options) as writer:
        for step in steps:
            writer.write(step, {"loss": step / 100, "entropy": 2.0})


def test_rows_are_read_as_written(tmp_path):
    write(tmp_path / "run", [100, 200], tensorboard=False)
    assert read_metrics(tmp_path / "run") == [
        {"step": 100, "loss": 1.0, "entropy": 2.0},
        {"step": 200, "loss": 2.0, "entropy": 2.0},
    ]
    assert not (tmp_path / "run" / "tensorboard").exists()


def test_missing_file_has_no_rows(tmp_path):
    assert read_metrics(tmp_path) == []


def test_row_that_was_cut_off_is_dropped(tmp_path):
    write(tmp_path, [100, 200, 300], tensorboard=False)
    path = tmp_path / METRICS_FILE
    path.write_text(path.read_text()[:-5])
    assert [row["step"] for row in read_metrics(tmp_path)] == [100, 200]
    write(tmp_path, [300], resume_step=200, tensorboard=False)
    lines = path.read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [100, 200, 300]


def test_rows_after_the_checkpoint_are_dropped(tmp_path):
    write(tmp_path, [100, 200, 300], tensorboard=False)
    write(tmp_path, [200], resume_step=100, tensorboard=False)
    assert [row["step"] for row in read_metrics(tmp_path)] == [100, 200]


def test_damaged_row_is_named(tmp_path):
    write(tmp_path, [100, 200], tensorboard=False)
    path = tmp_path / METRICS_FILE
    path.write_text("{oops\n" + path.read_text())
    with pytest.raises(ValueError, match=r"metrics\.jsonl, line 1 is damaged: .*remove that line"):
        read_metrics(tmp_path)


def test_tensorboard_files_hold_the_scalars(tmp_path):
    write(tmp_path, [100, 200])
    scalars = {
        (event.step, value.tag): value.simple_value
        for event in events(tmp_path)
        for value in event.summary.value
    }
    assert scalars == {
        (100, "loss"): 1.0,
        (100, "entropy"): 2.0,
        (200, "loss"): 2.0,
        (200, "entropy"): 2.0,
    }


def test_tensorboard_is_told_which_steps_are_done_again(tmp_path):
    write(tmp_path, [100, 200])
    write(tmp_path, [200], resume_step=100)
    purges = [
        event.step
        for event in events(tmp_path)
        if event.session_log.status == event_pb2.SessionLog.SessionStatus.START
    ]
    # TensorBoard hides what came before from this step on: 100 itself stays.
    assert purges == [1, 101]


def test_missing_tensorboardx_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX, or set tensorboard=False"):
        MetricsWriter(tmp_path)
