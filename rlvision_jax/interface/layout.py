"""The files of a report folder and what each holds; shared by the writer and the reader.

`data/*.js` are classic scripts that hand one JSON object to the page: a page opened from disk may
load scripts but may not fetch files.
"""

import json
import re
from typing import Any

FORMAT = "rlvision-report"
VERSION = 1
MARKER = "report.json"
"""Lists every file with its size and hash; written last. A folder without it is no report."""

MAIN = "data/report.js"
SERIES = (
    "actions",
    "rewards",
    "terminated",
    "truncated",
    "level_complete",
    "level_seeds",
    "values",
    "advantages",
    "policy_logits",
)
"""Arrays of a trajectory that lie in the main file; they are small and the page opens with them."""

FLAGS = ("terminated", "truncated", "level_complete")
"""Those of them that are booleans."""

EXAMPLES = "data/examples.js"
HUMAN_CHUNK = 32
"""Frames for people in one file: about 1 MB, which arrives while one looks."""

_PREFIX = "rlvisionReceive("
_SUFFIX = ");\n"


def observations_file(trajectory: int) -> str:
    """File with the frames of a trajectory."""
    return f"data/observations-{trajectory}.js"


def attribution_file(trajectory: int, layer: int, score: int) -> str:
    """File with one attribution: indices of trajectory, layer and score in the report."""
    return f"data/attribution-{trajectory}-{layer}-{score}.js"


def grids_file(layer: int) -> str:
    """File with the dataset examples by position of a layer's features."""
    return f"data/grids-{layer}.js"


def objects_file(trajectory: int) -> str:
    """File with the object masks of a trajectory."""
    return f"data/objects-{trajectory}.js"


def human_file(trajectory: int, chunk: int) -> str:
    """File with `HUMAN_CHUNK` consecutive frames for people of a trajectory, or its last ones."""
    return f"data/human-{trajectory}-{chunk}.js"


def is_data_file(path: str) -> bool:
    """Whether a path has the form of a data file of some report; others lead out of its folder.

    Example:
      >>> is_data_file("data/human-0-12.js"), is_data_file("data/../index.js")
      (True, False)
    """
    return re.fullmatch(r"data/[a-z]+(-[0-9]+)*\.js", path) is not None


def to_script(path: str, content: dict[str, Any]) -> bytes:
    """The JavaScript file that hands `content` to the page under the name `path`."""
    body = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return f"{_PREFIX}{json.dumps(path)},{body}{_SUFFIX}".encode("ascii")


def from_script(path: str, script: bytes) -> dict[str, Any]:
    """Takes the content out of what `to_script` made.

    Raises:
      ValueError: if the file is cut short or is another file.
    """
    text = script.decode("ascii", errors="replace")
    start = f"{_PREFIX}{json.dumps(path)},"
    if not text.startswith(start) or not text.endswith(_SUFFIX):
        raise ValueError(f"{path} is incomplete or not part of this report")
    return json.loads(text[len(start) : -len(_SUFFIX)])
