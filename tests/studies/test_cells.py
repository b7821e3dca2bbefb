"""Cells of work: what is finished is read again, everything else is named and computed again."""

import json
import os
import signal
import subprocess
import sys

import pytest

from rlvision_jax.studies import Cells

_CONFIG = {"seed": 0, "edit": "saw"}


@pytest.fixture
def cells(tmp_path):
    """Cells, and the problems that they named."""
    problems = []
    return Cells(tmp_path / "cells", on_problem=problems.append), problems


def refuse():
    raise AssertionError("a finished cell was computed again")


def test_finished_cell_is_not_computed_again(cells):
    cells, problems = cells
    assert cells.run("a-0", _CONFIG, lambda: {"failed": (1, 2), 3: None, 10: 0}) == {
        "failed": [1, 2],
        "3": None,
        "10": 0,
    }
    again = Cells(cells.folder, on_problem=problems.append)
    assert again.run("a-0", dict(reversed(_CONFIG.items())), refuse) == {
        "failed": [1, 2],
        "3": None,
        "10": 0,
    }
    assert problems == []


def test_cell_of_another_config_is_named_and_computed_again(cells):
    cells, problems = cells
    cells.run("a-0", _CONFIG, lambda: 1)
    assert cells.run("a-0", {**_CONFIG, "seed": 1}, lambda: 2) == 2
    assert problems == ["cell a-0 is computed again: it was computed with another config"]


def test_failed_cell_is_written_down_and_computed_again(cells):
    cells, problems = cells
    with pytest.raises(ZeroDivisionError):
        cells.run("a-0", _CONFIG, lambda: 1 / 0)
    failed = {"a-0": "it failed (ZeroDivisionError: division by zero)"}
    assert cells.unfinished({"a-0": _CONFIG}) == failed
    assert cells.run("a-0", _CONFIG, lambda: 2) == 2
    assert problems == [f"cell a-0 is computed again: {failed['a-0']}"]
    assert cells.unfinished({"a-0": _CONFIG, "a-1": _CONFIG}) == {"a-1": "it has not been computed"}


@pytest.mark.parametrize("size", [0, 1, 40, -2])
def test_half_written_cell_is_computed_again(cells, size):
    cells, problems = cells
    cells.run("a-0", _CONFIG, lambda: [1] * 100)
    path = cells.path("a-0")
    path.write_bytes(path.read_bytes()[:size])
    assert cells.run("a-0", _CONFIG, lambda: 5) == 5
    assert problems == ["cell a-0 is computed again: its file is damaged or half-written"]


def test_edited_renamed_and_foreign_files_are_computed_again(cells):
    cells, problems = cells
    for name in ("a-0", "a-1", "a-2"):
        cells.run(name, _CONFIG, lambda: 17)
    content = json.loads(cells.path("a-0").read_text())
    cells.path("a-0").write_text(json.dumps({**content, "result": 18}))
    cells.path("a-1").write_bytes(cells.path("a-2").read_bytes())
    cells.path("a-2").write_text('{"a thesis": "years of work"}')
    assert [cells.run(name, _CONFIG, lambda: 1) for name in ("a-0", "a-1", "a-2")] == [1, 1, 1]
    assert [problem.partition(": ")[2] for problem in problems] == [
        "its result is not what was written",
        'its file holds the cell "a-2"',
        "its file is no cell of this version",
    ]


def test_names_are_file_names(cells):
    cells, _ = cells
    for name in ("", "../a", "A", ".hidden"):
        with pytest.raises(ValueError, match="name of a cell must be"):
            cells.path(name)


def test_a_result_that_is_no_json_is_a_failed_cell(cells):
    cells, _ = cells
    with pytest.raises(ValueError, match="JSON"):
        cells.run("a-0", _CONFIG, lambda: float("nan"))
    assert "it failed (ValueError" in (cells.problem("a-0", _CONFIG) or "")


def test_a_killed_run_leaves_finished_cells_and_nothing_else(tmp_path):
    """Killed while the second cell's file is flushed: the moment at which it is half-written."""
    code = f"""
import os, signal
from rlvision_jax.studies import Cells
cells = Cells({str(tmp_path)!r})
cells.run("a-0", {_CONFIG!r}, lambda: 1)
os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)
cells.run("a-1", {_CONFIG!r}, lambda: 2)
"""
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    [temporary] = set(tmp_path.iterdir()) - {tmp_path / "a-0.json"}
    Cells(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # another process might still write it
    os.utime(temporary, (0, 0))  # as if it had been left there for long
    cells = Cells(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a-0.json"]
    assert cells.run("a-0", _CONFIG, refuse) == 1
    assert cells.run("a-1", _CONFIG, lambda: 3) == 3
