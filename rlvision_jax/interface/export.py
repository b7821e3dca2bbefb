"""Writes a report as a folder that opens from disk in a browser. Host module: writes files.

The folder is made under a temporary name beside its destination and renamed when complete, so that
an interrupted or failed write leaves the earlier report as it was.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from rlvision_jax import checkpoint
from rlvision_jax._version import __version__
from rlvision_jax.interface.agents import FOLDERS, Agent, check_agent
from rlvision_jax.interface.layout import FORMAT, MARKER, VERSION
from rlvision_jax.interface.packing import PackedFiles
from rlvision_jax.interface.schema import Report
from rlvision_jax.interface.validation import validate

_ASSETS = ("index.html", "interface.js", "interface.css")


class NotAReportError(ValueError):
    """The destination exists and is not a report, so it was left alone."""


def write_report(
    report: Report,
    folder: str | os.PathLike[str],
    *,
    agent: Agent | None = None,
    against: Agent | None = None,
) -> Path:
    """Writes a report; replaces an earlier report of the same name when the new one is complete.

    Attribution maps are stored as int8 with one scale per frame (at most 1/254 of the frame's
    largest magnitude off); everything else exactly.

    Args:
      report: what to write; checked first.
      folder: destination. May be missing, empty, or an earlier report.
      agent: whose report it is, as `checkpoint.load` returned it: policy, parameters and config.
        Stored with the report, so that `rlvision view` can ask it about changed frames. None:
        not stored, as of policies that `checkpoint.save` cannot save.
      against: the second agent of a report of two, likewise.

    Returns:
      Path of the page to open in a browser.

    Raises:
      ValueError: if the report is inconsistent, or another agent's.
      NotAReportError: if `folder` exists and is something else; it is not touched.
      OSError: if writing fails, as on a full disk; an earlier report is still there.
    """
    validate(report)
    agents = [stored for stored in (agent, against) if stored is not None]
    if against is not None and agent is None:
        raise ValueError("the second agent is stored beside the first only; give agent too")
    for index, stored in enumerate(agents):
        check_agent(report, stored, index)
    destination = Path(folder).absolute()
    _check_replaceable(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    suffix = secrets.token_hex(4)
    temporary = destination.with_name(f".{destination.name}.{suffix}.new")
    try:
        _write_files(report, temporary, agents)
        _replace(destination, temporary, destination.with_name(f".{destination.name}.{suffix}.old"))
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return destination / "index.html"


def is_report(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a report of any version."""
    try:
        marker = json.loads((Path(folder) / MARKER).read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("format") == FORMAT


def _check_replaceable(destination: Path) -> None:
    if not os.path.lexists(destination) or is_report(destination):
        return
    if destination.is_dir() and not any(destination.iterdir()):
        return
    raise NotAReportError(
        f"{destination} exists and is not a report; choose another folder or remove it first"
    )


def _replace(destination: Path, new: Path, old: Path) -> None:
    if not destination.exists():
        new.rename(destination)
        return
    destination.rename(old)
    try:
        new.rename(destination)
    except OSError:
        old.rename(destination)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write_files(report: Report, folder: Path, agents: Sequence[Agent]) -> None:
    listing = {}
    for path, content in _files(report):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        listing[path] = _listed(content)
    for name, agent in zip(FOLDERS, agents, strict=False):
        checkpoint.save(folder / name, *agent)
        for file in sorted((folder / name).iterdir()):
            listing[f"{name}/{file.name}"] = _listed(file.read_bytes())
    marker = {
        "format": FORMAT,
        "version": VERSION,
        "rlvision_jax": __version__,
        "title": report.title,
        "provenance": dict(report.provenance),
        "files": listing,
    }
    (folder / MARKER).write_text(json.dumps(marker, indent=1) + "\n", encoding="utf-8")


def _listed(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _files(report: Report) -> Iterator[tuple[str, bytes]]:
    """Yields every file of the folder but the marker, one at a time to keep memory small."""
    built = resources.files("rlvision_jax.interface") / "assets"
    for path in _ASSETS:
        yield path, built.joinpath(path).read_bytes()
    data = PackedFiles(report)
    for path in data.paths:
        yield path, data.read(path)
