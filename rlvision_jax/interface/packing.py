"""The data files of a report: which there are, and what each holds.

Each is made when it is called for: a report of 16 scores packs into hundreds of megabytes.
"""

import base64
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from rlvision_jax.interface.codec import encode_array, pack_masks, quantize
from rlvision_jax.interface.layout import (
    EXAMPLES,
    FORMAT,
    HUMAN_CHUNK,
    MAIN,
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


class PackedFiles:
    """The data files of a report in memory."""

    def __init__(self, report: Report):
        """Lists the files; packs none.

        Args:
          report: is taken to be consistent (`validate`).
        """
        self._contents: dict[str, Callable[[], dict[str, Any]]] = {
            MAIN: functools.partial(_main_content, report)
        }
        if report.examples is not None:
            self._contents[EXAMPLES] = functools.partial(_frames_content, report.examples)
        for index, layer in enumerate(report.layers):
            if _has_grids(layer):
                self._contents[grids_file(index)] = functools.partial(_grids_content, layer)
        for index, trajectory in enumerate(report.trajectories):
            self._list_trajectory(report, index, trajectory)

    @property
    def paths(self) -> tuple[str, ...]:
        """Names of the files, the main one first."""
        return tuple(self._contents)

    def read(self, path: str) -> bytes:
        """Packs one file.

        Raises:
          ValueError: if the report has no such file.
        """
        if path not in self._contents:
            raise ValueError(f"this report has no data file {path!r}")
        return to_script(path, self._contents[path]())

    def _list_trajectory(self, report: Report, index: int, trajectory: Trajectory) -> None:
        contents = self._contents
        layers = [layer.name for layer in report.layers]
        scores = [score.name for score in report.scores]
        frames = functools.partial(_frames_content, trajectory.observations)
        contents[observations_file(index)] = frames
        for attribution in trajectory.attributions:
            layer, score = layers.index(attribution.layer), scores.index(attribution.score)
            packed = functools.partial(attribution_content, attribution)
            contents[attribution_file(index, layer, score)] = packed
        if trajectory.object_masks is not None:
            masks = functools.partial(objects_content, trajectory.object_masks)
            contents[objects_file(index)] = masks
        for chunk in range(-(-len(trajectory.human_frames) // HUMAN_CHUNK)):
            frames = functools.partial(_human_content, trajectory, chunk)
            contents[human_file(index, chunk)] = frames


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
                "counterpart": layer.counterpart,
            }
            for layer in report.layers
        ],
        "scores": [
            {"name": score.name, "actions": None if score.actions is None else list(score.actions)}
            for score in report.scores
        ],
        "trajectories": [_trajectory_content(report, t) for t in report.trajectories],
        "agents": list(report.agents),
        "bookmarks": [
            {"kind": b.kind, "trajectory": b.trajectory, "step": b.step, "note": b.note}
            for b in report.bookmarks
        ],
        "failures": [
            {"cause": f.cause, "trajectory": f.trajectory, "step": f.step} for f in report.failures
        ],
        "object_names": list(report.object_names),
        "has_examples": report.examples is not None,
    }


def _has_grids(layer: Layer) -> bool:
    return any(feature.grids for feature in layer.features)


def _frames_content(frames: UInt8[np.ndarray, "time height width 3"]) -> dict[str, Any]:
    return {"observations": encode_array(frames)}


def objects_content(masks: Bool[np.ndarray, "time height width object"]) -> dict[str, Any]:
    """What an objects file holds."""
    return {"masks": encode_array(pack_masks(masks))}


def _human_content(trajectory: Trajectory, chunk: int) -> dict[str, Any]:
    frames = trajectory.human_frames[chunk * HUMAN_CHUNK : (chunk + 1) * HUMAN_CHUNK]
    return {"jpeg": [base64.b64encode(frame).decode() for frame in frames]}


def _grids_content(layer: Layer) -> dict[str, Any]:
    return {"features": [[_grid_content(grid) for grid in f.grids] for f in layer.features]}


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
        "agent": trajectory.agent,
        "counterpart": trajectory.counterpart,
    }


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
