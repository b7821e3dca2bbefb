"""Writes a report as a folder that opens from disk in a browser. Host module: writes files.

The folder is made under a temporary name beside its destination and renamed when complete, so that
an interrupted or failed write leaves the earlier report as it was.
"""

import base64
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from rlvision_jax import checkpoint
from rlvision_jax._version import __version__
from rlvision_jax.interface.agents import AGENT, Agent, check_agent
from rlvision_jax.interface.codec import encode_array, pack_masks, quantize
from rlvision_jax.interface.layout import (
    EXAMPLES,
    FORMAT,
    HUMAN_CHUNK,
    MAIN,
    MARKER,
    SERIES,
    VERSION,
    attribution_file,
    grids_file,
    human_file,
    objects_file,
    observations_file,
    to_script,
)
from rlvision_jax.interface.schema import (
    Attribution,
    ExampleGrid,
    Feature,
    Layer,
    Report,
    Trajectory,
)
from rlvision_jax.interface.validation import validate

_ASSETS = ("index.html", "interface.js", "interface.css")


class NotAReportError(ValueError):
    """The destination exists and is not a report, so it was left alone."""


def write_report(
    report: Report, folder: str | os.PathLike[str], *, agent: Agent | None = None
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

    Returns:
      Path of the page to open in a browser.

    Raises:
      ValueError: if the report is inconsistent, or another agent's.
      NotAReportError: if `folder` exists and is something else; it is not touched.
      OSError: if writing fails, as on a full disk; an earlier report is still there.
    """
    validate(report)
    if agent is not None:
        check_agent(report, agent)
    destination = Path(folder).absolute()
    _check_replaceable(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    suffix = secrets.token_hex(4)
    temporary = destination.with_name(f".{destination.name}.{suffix}.new")
    try:
        _write_files(report, temporary, agent)
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


def _write_files(report: Report, folder: Path, agent: Agent | None) -> None:
    listing = {}
    for path, content in _files(report):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        listing[path] = _listed(content)
    if agent is not None:
        checkpoint.save(folder / AGENT, *agent)
        for file in sorted((folder / AGENT).iterdir()):
            listing[f"{AGENT}/{file.name}"] = _listed(file.read_bytes())
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
    yield MAIN, to_script(MAIN, _main_content(report))
    if report.examples is not None:
        yield EXAMPLES, to_script(EXAMPLES, {"observations": encode_array(report.examples)})
    for index, layer in enumerate(report.layers):
        if _has_grids(layer):
            path = grids_file(index)
            grids = [[_grid_content(grid) for grid in f.grids] for f in layer.features]
            yield path, to_script(path, {"features": grids})
    for index, trajectory in enumerate(report.trajectories):
        yield from _trajectory_files(report, index, trajectory)


def _trajectory_files(
    report: Report, index: int, trajectory: Trajectory
) -> Iterator[tuple[str, bytes]]:
    layers = [layer.name for layer in report.layers]
    scores = [score.name for score in report.scores]
    path = observations_file(index)
    yield path, to_script(path, {"observations": encode_array(trajectory.observations)})
    for attribution in trajectory.attributions:
        layer, score = layers.index(attribution.layer), scores.index(attribution.score)
        path = attribution_file(index, layer, score)
        yield path, to_script(path, attribution_content(attribution))
    if trajectory.object_masks is not None:
        path = objects_file(index)
        yield path, to_script(path, objects_content(trajectory.object_masks))
    for chunk in range(-(-len(trajectory.human_frames) // HUMAN_CHUNK)):
        path = human_file(index, chunk)
        files = trajectory.human_frames[chunk * HUMAN_CHUNK : (chunk + 1) * HUMAN_CHUNK]
        yield path, to_script(path, {"jpeg": [base64.b64encode(f).decode() for f in files]})


def _main_content(report: Report) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": report.title,
        "provenance": dict(report.provenance),
        "action_names": list(report.action_names),
        "has_levels": report.has_levels,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "features": [_feature_content(f) for f in layer.features],
                "has_grids": _has_grids(layer),
            }
            for layer in report.layers
        ],
        "scores": [
            {"name": score.name, "actions": None if score.actions is None else list(score.actions)}
            for score in report.scores
        ],
        "trajectories": [_trajectory_content(report, t) for t in report.trajectories],
        "bookmarks": [
            {"kind": b.kind, "trajectory": b.trajectory, "step": b.step} for b in report.bookmarks
        ],
        "failures": [
            {"cause": f.cause, "trajectory": f.trajectory, "step": f.step} for f in report.failures
        ],
        "object_names": list(report.object_names),
        "has_examples": report.examples is not None,
    }


def _has_grids(layer: Layer) -> bool:
    return any(feature.grids for feature in layer.features)


def _grid_content(grid: ExampleGrid) -> dict[str, Any]:
    names = ("frames", "strengths", "rows", "columns")
    return {name: encode_array(getattr(grid, name)) for name in names}


def _feature_content(feature: Feature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "color": feature.color,
        "direction": encode_array(feature.direction),
        "thumbnails": encode_array(feature.thumbnails),
        "strengths": encode_array(feature.strengths),
    }


def _trajectory_content(report: Report, trajectory: Trajectory) -> dict[str, Any]:
    layers = [layer.name for layer in report.layers]
    scores = [score.name for score in report.scores]
    return {
        "label": trajectory.label,
        "series": {name: encode_array(getattr(trajectory, name)) for name in SERIES},
        "attributions": [
            [layers.index(a.layer), scores.index(a.score)] for a in trajectory.attributions
        ],
        "has_objects": trajectory.object_masks is not None,
        "human_chunk": HUMAN_CHUNK if trajectory.human_frames else None,
    }


def objects_content(masks: Bool[np.ndarray, "time height width object"]) -> dict[str, Any]:
    """What an objects file holds."""
    return {"masks": encode_array(pack_masks(masks))}


def attribution_content(attribution: Attribution) -> dict[str, Any]:
    """What an attribution file holds; see docs/report.md."""
    maps, maps_scale = quantize(attribution.maps)
    residual, residual_scale = quantize(attribution.residual)
    # Of the exact maps: small magnitudes that rounding drops from the picture still count here.
    totals = {
        "positive": attribution.maps.clip(min=0).sum((1, 2)),
        "negative": attribution.maps.clip(max=0).sum((1, 2)),
        "residual_positive": attribution.residual.clip(min=0).sum((1, 2)),
        "residual_negative": attribution.residual.clip(max=0).sum((1, 2)),
    }
    return {
        "maps": encode_array(maps),
        "maps_scale": encode_array(maps_scale),
        "residual": encode_array(residual),
        "residual_scale": encode_array(residual_scale),
        "totals": {name: encode_array(total) for name, total in totals.items()},
    }
