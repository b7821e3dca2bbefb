import dataclasses
import errno
import hashlib
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from rlvision_jax.interface import (
    NotAReportError,
    ReportDataError,
    is_report,
    read_report,
    write_report,
)
from rlvision_jax.interface.layout import from_script, to_script


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def assert_same(written, read):
    """Everything is equal; maps within half a quantization step of their frame."""
    if dataclasses.is_dataclass(written):
        for field in dataclasses.fields(written):
            value, other = getattr(written, field.name), getattr(read, field.name)
            if field.name in ("maps", "residual"):
                axes = tuple(range(1, value.ndim))
                bound = np.abs(value).max(axes) * (1 / 254 + 1e-6)  # float32 rounding
                assert (np.abs(value - other).max(axes) <= bound).all(), field.name
            else:
                assert_same(value, other)
    elif isinstance(written, tuple):
        assert len(written) == len(read)
        for value, other in zip(written, read, strict=True):
            assert_same(value, other)
    elif isinstance(written, np.ndarray):
        assert written.dtype == read.dtype
        np.testing.assert_array_equal(written, read)
    else:
        assert written == read


def test_a_report_comes_back_as_it_was_written(report, tmp_path):
    page = write_report(report, tmp_path / "new" / "report")
    assert page == tmp_path / "new" / "report" / "index.html"
    assert_same(report, read_report(page.parent))


def test_the_same_report_gives_the_same_bytes(report, tmp_path):
    write_report(report, tmp_path / "a")
    write_report(report, tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_the_marker_lists_every_file_with_its_size(report, tmp_path):
    write_report(report, tmp_path / "report")
    files = contents(tmp_path / "report")
    marker = json.loads(files.pop("report.json"))
    assert {path: len(content) for path, content in files.items()} == {
        path: entry["bytes"] for path, entry in marker["files"].items()
    }
    assert marker["provenance"] == report.provenance


def test_an_earlier_report_is_replaced_whole(report, tmp_path):
    write_report(report, tmp_path / "report")
    smaller = dataclasses.replace(
        report, trajectories=report.trajectories[:1], bookmarks=(), failures=()
    )
    write_report(smaller, tmp_path / "report")
    assert not (tmp_path / "report" / "data" / "observations-1.js").exists()
    assert_same(smaller, read_report(tmp_path / "report"))
    assert os.listdir(tmp_path) == ["report"]


def test_an_empty_folder_is_used(report, tmp_path):
    (tmp_path / "report").mkdir()
    write_report(report, tmp_path / "report")
    assert is_report(tmp_path / "report")


@pytest.mark.parametrize("marker", [None, "not JSON", '{"format": "other"}', "[]"])
def test_what_is_not_a_report_is_left_alone(report, tmp_path, marker):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    if marker is not None:
        (folder / "report.json").write_text(marker)
    before = contents(tmp_path)
    with pytest.raises(NotAReportError, match="thesis exists and is not a report"):
        write_report(report, folder)
    assert contents(tmp_path) == before


def test_a_file_in_the_way_is_left_alone(report, tmp_path):
    (tmp_path / "report").write_text("a file")
    with pytest.raises(NotAReportError, match="exists and is not a report"):
        write_report(report, tmp_path / "report")
    assert (tmp_path / "report").read_text() == "a file"


def test_an_inconsistent_report_writes_nothing(report, tmp_path):
    with pytest.raises(ValueError, match="action_names is empty"):
        write_report(dataclasses.replace(report, action_names=()), tmp_path / "report")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("allowed_writes", [0, 3, 6])
def test_a_full_disk_leaves_the_earlier_report(report, tmp_path, monkeypatch, allowed_writes):
    write_report(report, tmp_path / "report")
    before = contents(tmp_path)
    write_bytes, calls = pathlib.Path.write_bytes, []

    def limited(path, content):
        calls.append(path)
        if len(calls) <= allowed_writes:
            return write_bytes(path, content)
        write_bytes(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(pathlib.Path, "write_bytes", limited)
    with pytest.raises(OSError, match="No space left on device"):
        write_report(dataclasses.replace(report, title="another"), tmp_path / "report")
    assert contents(tmp_path) == before


def test_a_failed_rename_puts_the_earlier_report_back(report, tmp_path, monkeypatch):
    write_report(report, tmp_path / "report")
    before = contents(tmp_path)
    rename = pathlib.Path.rename

    def refuse_new(path, target):
        if path.name.endswith(".new"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", refuse_new)
    with pytest.raises(OSError, match="Input/output error"):
        write_report(dataclasses.replace(report, title="another"), tmp_path / "report")
    assert contents(tmp_path) == before


def test_a_file_size_limit_leaves_the_earlier_report(report, tmp_path):
    """A real failing write: a process that may write files of 100 kB at most."""
    write_report(report, tmp_path / "report")
    before = contents(tmp_path)
    code = """
import dataclasses, resource, signal, sys
from rlvision_jax.interface import read_report, write_report
report = dataclasses.replace(read_report(sys.argv[1]), title="another")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_report(report, sys.argv[1])
except OSError as error:
    print("refused:", error.strerror)
"""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "report")],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert result.stdout.strip() == "refused: File too large"
    assert contents(tmp_path) == before


def test_text_from_the_report_stays_data(report, tmp_path):
    """No string can leave its JSON literal, whatever it holds; the page's HTML has none of them."""
    hostile = '</script><script>alert(1)</script>"\u2028\\\n'
    feature = dataclasses.replace(report.layers[0].features[0], name=hostile)
    layer = dataclasses.replace(
        report.layers[0], features=(feature, *report.layers[0].features[1:])
    )
    hostile_report = dataclasses.replace(report, title=hostile, layers=(layer, *report.layers[1:]))
    write_report(hostile_report, tmp_path / "report")
    files = contents(tmp_path / "report")
    assert b"alert(1)" not in files["index.html"]
    assert files["data/report.js"].isascii()
    assert files["data/report.js"].count(b"\n") == 1
    assert read_report(tmp_path / "report").title == hostile


def test_reading_names_what_is_wrong(report, tmp_path):
    folder = tmp_path / "report"
    with pytest.raises(NotAReportError, match=r"report is not a report; expected a folder with"):
        read_report(folder)
    write_report(report, folder)
    damaged = folder / "data" / "attribution-1-0-0.js"
    complete = damaged.read_bytes()
    damaged.write_bytes(complete[:-100])
    with pytest.raises(ReportDataError, match=r"attribution-1-0-0.js is damaged"):
        read_report(folder)
    damaged.unlink()
    with pytest.raises(ReportDataError, match=r"attribution-1-0-0.js cannot be read"):
        read_report(folder)
    damaged.write_bytes(complete)
    marker = json.loads((folder / "report.json").read_text())
    (folder / "report.json").write_text(json.dumps(marker | {"version": 99}))
    with pytest.raises(ReportDataError, match="format version 99; this version reads 1"):
        read_report(folder)


def test_a_report_of_an_earlier_version_lacks_what_came_later(report, tmp_path):
    """What was added to the format is read as absent where a file does not have it."""
    plain = dataclasses.replace(
        report,
        layers=report.layers[1:2],
        trajectories=tuple(
            dataclasses.replace(
                t, attributions=t.attributions[2:3], object_masks=None, human_frames=()
            )
            for t in report.trajectories
        ),
        failures=(),
        object_names=(),
        examples=None,
    )
    folder = write_report(plain, tmp_path / "report").parent
    main = folder / "data" / "report.js"
    content = from_script("data/report.js", main.read_bytes())
    for name in ("failures", "object_names", "has_examples"):
        del content[name]
    for part in (*content["layers"], *content["trajectories"]):
        for name in ("kind", "has_grids", "has_objects", "human_chunk"):
            part.pop(name, None)
    main.write_bytes(to_script("data/report.js", content))
    marker = json.loads((folder / "report.json").read_text())
    marker["files"]["data/report.js"]["sha256"] = hashlib.sha256(main.read_bytes()).hexdigest()
    (folder / "report.json").write_text(json.dumps(marker))
    assert_same(plain, read_report(folder))
