"""Reads a report folder back into the data contract. Host module: reads files."""

import base64
import os
from pathlib import Path
from typing import Any

import numpy as np

from rlvision_jax import checkpoint
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.codec import decode_array, dequantize, unpack_masks
from rlvision_jax.interface.files import FolderFiles
from rlvision_jax.interface.layout import (
    EXAMPLES,
    FLAGS,
    MAIN,
    SERIES,
    attribution_file,
    from_script,
    grids_file,
    human_file,
    objects_file,
    observations_file,
)
from rlvision_jax.interface.schema import (
    Attribution,
    Bookmark,
    ExampleGrid,
    Failure,
    Feature,
    Layer,
    Report,
    Score,
    Trajectory,
)


def read_report(
    folder: str | os.PathLike[str], *, attributions: bool = True, human_frames: bool = True
) -> Report:
    """Reads a report folder.

    Args:
      folder: what `write_report` wrote.
      attributions: whether to read the attributions, which take most of the memory.
      human_frames: whether to read the frames for people.

    Returns:
      The report that was written, its maps rounded as `write_report` says.

    Raises:
      NotAReportError: if the folder is no report.
      ReportDataError: if a file is missing or differs from what was written, or the report is of
        another version of the format.
    """
    files = FolderFiles(folder)
    files.checked_agents()
    main = _load(files, MAIN)
    # What reports of earlier versions lack is read with `get`.
    layers = tuple(_layer(files, index, layer) for index, layer in enumerate(main["layers"]))
    scores = tuple(
        Score(
            name=score["name"],
            actions=None if score["actions"] is None else tuple(score["actions"]),
        )
        for score in main["scores"]
    )
    return Report(
        title=main["title"],
        action_names=tuple(main["action_names"]),
        layers=layers,
        scores=scores,
        trajectories=tuple(
            _trajectory(
                files, index, content | _left_out(attributions, human_frames), layers, scores
            )
            for index, content in enumerate(main["trajectories"])
        ),
        agents=tuple(main.get("agents", ())),
        bookmarks=tuple(Bookmark(**bookmark) for bookmark in main["bookmarks"]),
        has_levels=main.get("has_levels", True),
        failures=tuple(Failure(**failure) for failure in main.get("failures", ())),
        object_names=tuple(main.get("object_names", ())),
        examples=decode_array(_load(files, EXAMPLES)["observations"])
        if main.get("has_examples")
        else None,
        provenance=main["provenance"],
    )


def read_agents(folder: str | os.PathLike[str]) -> tuple[Agent, ...]:
    """The agents that are stored with a report: policy, parameters and config of each.

    Args:
      folder: what `write_report` wrote.

    Returns:
      In the order of the report's `agents`; empty if none is stored.

    Raises:
      NotAReportError: if the folder is no report.
      ReportDataError: if a file of an agent is missing, differs from what was written, or lies
        outside the folder.
      CheckpointError: if the files are no agent that this version loads.
    """
    stored = FolderFiles(folder).checked_agents()
    return tuple(checkpoint.load(Path(folder) / name) for name in stored)


def _load(files: FolderFiles, path: str) -> dict[str, Any]:
    return from_script(path, files.read(path))


def _left_out(attributions: bool, human_frames: bool) -> dict[str, Any]:
    """What of a trajectory's content is taken for absent."""
    absent = {} if attributions else {"attributions": []}
    return absent if human_frames else absent | {"human_chunk": None}


def _layer(files: FolderFiles, index: int, content: dict[str, Any]) -> Layer:
    grids = (
        _load(files, grids_file(index))["features"]
        if content.get("has_grids")
        else [[]] * len(content["features"])
    )
    return Layer(
        name=content["name"],
        kind=content.get("kind", "attribution"),
        counterpart=content.get("counterpart"),
        features=tuple(map(_feature, content["features"], grids)),
    )


def _feature(content: dict[str, Any], grids: list[dict[str, Any]]) -> Feature:
    return Feature(
        name=content["name"],
        color=content["color"],
        direction=decode_array(content["direction"]),
        thumbnails=decode_array(content["thumbnails"]),
        strengths=decode_array(content["strengths"]),
        grids=tuple(
            ExampleGrid(**{name: decode_array(array) for name, array in grid.items()})
            for grid in grids
        ),
    )


def _trajectory(
    files: FolderFiles,
    index: int,
    content: dict[str, Any],
    layers: tuple[Layer, ...],
    scores: tuple[Score, ...],
) -> Trajectory:
    series = {name: decode_array(content["series"][name]) for name in SERIES}
    for name in FLAGS:
        series[name] = series[name].astype(np.bool_)
    attributions = []
    for layer, score in content["attributions"]:
        data = _load(files, attribution_file(index, layer, score))
        maps = dequantize(decode_array(data["maps"]), decode_array(data["maps_scale"]))
        residual = dequantize(decode_array(data["residual"]), decode_array(data["residual_scale"]))
        attributions.append(
            Attribution(
                layer=layers[layer].name, score=scores[score].name, maps=maps, residual=residual
            )
        )
    observations = decode_array(_load(files, observations_file(index))["observations"])
    masks = None
    if content.get("has_objects"):
        packed = decode_array(_load(files, objects_file(index))["masks"])
        masks = unpack_masks(packed, observations.shape[2])
    return Trajectory(
        label=content["label"],
        agent=content.get("agent", 0),
        counterpart=content.get("counterpart"),
        observations=observations,
        attributions=tuple(attributions),
        object_masks=masks,
        human_frames=_human_frames(files, index, content, len(observations)),
        **series,
    )


def _human_frames(
    files: FolderFiles, index: int, content: dict[str, Any], num_steps: int
) -> tuple[bytes, ...]:
    size = content.get("human_chunk")
    if not size:
        return ()
    chunks = range(-(-num_steps // size))
    return tuple(
        base64.b64decode(frame)
        for chunk in chunks
        for frame in _load(files, human_file(index, chunk))["jpeg"]
    )
