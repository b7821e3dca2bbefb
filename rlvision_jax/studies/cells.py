"""Named, resumable units of work: each finished one is a file, written whole or not at all.

A run that is killed at any moment loses the cell it was at. (Host only: files.)
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rlvision_jax._checks import quoted
from rlvision_jax._version import __version__
from rlvision_jax.checkpoint.files import is_temporary, remove_abandoned, replace_file

_FORMAT = 1
_NAME = "abcdefghijklmnopqrstuvwxyz0123456789-_."


class Cells:
    """The cells of one study, in a folder of their own.

    A cell is finished if its file holds the hash of the config that is asked for and the hash of
    what was computed. Any other file (half-written, failed, of another config or another cell) is
    named through `on_problem`, and the cell is computed again.

    Example:
      >>> import tempfile
      >>> cells = Cells(tempfile.mkdtemp())
      >>> cells.run("saw-0", {"seed": 0}, lambda: {"failed": 3})
      {'failed': 3}
      >>> cells.run("saw-0", {"seed": 0}, lambda: 1 / 0)  # finished: not computed again
      {'failed': 3}
      >>> cells.problem("saw-0", {"seed": 1})
      'it was computed with another config'
    """

    def __init__(self, folder: str | Path, *, on_problem: Callable[[str], None] = print):
        """Opens a folder of cells, which is made if missing.

        Args:
          folder: where the cells lie; nothing else may.
          on_problem: called with one line for each file that is not a finished cell.
        """
        self.folder = Path(folder)
        self._on_problem = on_problem
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_abandoned([file for file in self.folder.iterdir() if is_temporary(file)])

    def path(self, name: str) -> Path:
        """The file of a cell.

        Raises:
          ValueError: if the name is empty, begins with a dot, or holds other characters than
            lower-case letters, digits, "-", "_" and ".".
        """
        if not name or name[0] == "." or set(name) - set(_NAME):
            raise ValueError(
                f'name of a cell must be lower-case letters, digits, "-", "_" and "."; got "{name}"'
            )
        return self.folder / f"{name}.json"

    def problem(self, name: str, config: Mapping[str, Any]) -> str | None:
        """Why a cell must be computed (again); None if it is finished.

        Args:
          name: of the cell.
          config: everything that its result depends on, as JSON values.
        """
        return self._read(name, config)[1]

    def run(self, name: str, config: Mapping[str, Any], compute: Callable[[], Any]) -> Any:
        """What `compute` returned in this run or, with an equal config, in an earlier one.

        Args:
          name: of the cell.
          config: everything that the result depends on, as JSON values.
          compute: returns JSON values. If it raises, the error is written down and raised.

        Raises:
          TypeError, ValueError: if the config or the result cannot be written as JSON.
        """
        result, problem = self._read(name, config)
        if problem is None:
            return result
        if self.path(name).exists():
            self._on_problem(f"cell {name} is computed again: {problem}")
        try:
            result = _plain(compute())
        except Exception as error:
            self._write(name, config, {"error": f"{type(error).__name__}: {error}"})
            raise
        self._write(name, config, {"result": result, "sha256": _digest(result)})
        return result

    def unfinished(self, configs: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Of the cells named, those that must be computed (again), and why."""
        problems = {name: self.problem(name, config) for name, config in configs.items()}
        return {name: problem for name, problem in problems.items() if problem is not None}

    def _read(self, name: str, config: Mapping[str, Any]) -> tuple[Any, str | None]:
        try:
            content = json.loads(self.path(name).read_bytes())
        except FileNotFoundError:
            return None, "it has not been computed"
        except ValueError:
            return None, "its file is damaged or half-written"
        if not isinstance(content, dict) or content.get("format") != _FORMAT:
            return None, "its file is no cell of this version"
        if content.get("name") != name:
            return None, f"its file holds the cell {quoted([str(content.get('name'))])}"
        if content.get("config_sha256") != _digest(config):
            return None, "it was computed with another config"
        if "error" in content:
            return None, f"it failed ({content['error']})"
        if "result" not in content or content.get("sha256") != _digest(content["result"]):
            return None, "its result is not what was written"
        return content["result"], None

    def _write(self, name: str, config: Mapping[str, Any], outcome: Mapping[str, Any]) -> None:
        content = {
            "format": _FORMAT,
            "rlvision_jax": __version__,
            "name": name,
            "config": config,
            "config_sha256": _digest(config),
            **outcome,
        }
        replace_file(self.path(name), (json.dumps(content) + "\n").encode())


def _plain(value: Any) -> Any:
    """A value as it is read back: lists for tuples, text for numbers as keys."""
    return json.loads(json.dumps(value, allow_nan=False))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()
