"""Checks a report before it is written: shapes, dtypes, names, finite numbers.

Annotations are checked only in tests; this is the check that users meet.
"""

import json
import re
from collections.abc import Sequence

import numpy as np

from rlvision_jax._checks import check_choice, quoted
from rlvision_jax.interface.schema import (
    Attribution,
    ExampleGrid,
    Feature,
    Layer,
    Report,
    Trajectory,
)

_SERIES = {
    "actions": np.int32,
    "rewards": np.float32,
    "terminated": np.bool_,
    "truncated": np.bool_,
    "level_complete": np.bool_,
    "level_seeds": np.int32,
    "values": np.float32,
    "advantages": np.float32,
}


def validate(report: Report) -> None:
    """Raises ValueError with the first thing wrong in a report.

    Args:
      report: what is about to be written.

    Raises:
      ValueError: names the array or field, what was expected, and what it is.
    """
    if not report.action_names:
        raise ValueError("report.action_names is empty; expected one name per action")
    if not report.trajectories:
        raise ValueError("report.trajectories is empty; expected at least one trajectory")
    _check_unique("layers", [layer.name for layer in report.layers])
    _check_unique("scores", [score.name for score in report.scores])
    for score in report.scores:
        _check_score(score.name, score.actions, len(report.action_names))
    for layer in report.layers:
        _check_layer(layer)
    for index, trajectory in enumerate(report.trajectories):
        _check_trajectory(f"trajectories[{index}]", trajectory, report)
    _check_agents(report)
    _check_unique("object_names", report.object_names)
    _check_examples(report)
    for bookmark in report.bookmarks:
        _check_place("bookmark", bookmark.trajectory, bookmark.step, report)
    for failure in report.failures:
        _check_place("failure", failure.trajectory, failure.step, report)
    try:
        json.dumps(dict(report.provenance), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"report.provenance is not JSON: {error}") from error


def _check_agents(report: Report) -> None:
    """Agents exist, counterparts are mutual."""
    _check_unique("agents", report.agents)
    for index, layer in enumerate(report.layers):
        if layer.counterpart is not None and not 0 <= layer.counterpart < index:
            raise ValueError(
                f'layer "{layer.name}" has counterpart {layer.counterpart}; expected an index '
                f"of a layer before it, 0 to {index - 1}, or None"
            )
    for index, trajectory in enumerate(report.trajectories):
        where = f"trajectories[{index}]"
        if not 0 <= trajectory.agent < max(1, len(report.agents)):
            raise ValueError(
                f"{where} is of agent {trajectory.agent}; the report names {len(report.agents)}"
            )
        other = trajectory.counterpart
        if other is None:
            continue
        if not 0 <= other < len(report.trajectories) or other == index:
            raise ValueError(
                f"{where} has counterpart {other}; expected another of the "
                f"{len(report.trajectories)} trajectories, or None"
            )
        if report.trajectories[other].counterpart != index:
            raise ValueError(
                f"{where} has counterpart {other}, whose counterpart is "
                f"{report.trajectories[other].counterpart}; expected {index}"
            )


def _check_unique(what: str, names: Sequence[str]) -> None:
    repeated = {name for name in names if names.count(name) > 1}
    if repeated:
        raise ValueError(f"report.{what} repeats the name {quoted(sorted(repeated))}")


def _check_place(what: str, trajectory: int, step: int, report: Report) -> None:
    if not 0 <= trajectory < len(report.trajectories):
        raise ValueError(
            f"{what} names trajectory {trajectory}; the report has {len(report.trajectories)}"
        )
    num_steps = report.trajectories[trajectory].actions.size
    if not 0 <= step < num_steps:
        raise ValueError(f"{what} names step {step}; trajectory {trajectory} has {num_steps}")


def _check_examples(report: Report) -> None:
    num_examples = 0
    if report.examples is not None:
        _check_array("report.examples", report.examples, np.uint8, (None, None, None, 3))
        num_examples = len(report.examples)
    for layer in report.layers:
        for index, feature in enumerate(layer.features):
            for grid in feature.grids:
                _check_grid(f'layer "{layer.name}", features[{index}].grids', grid, num_examples)


def _check_grid(where: str, grid: ExampleGrid, num_examples: int) -> None:
    _check_array(f"{where}.frames", grid.frames, np.int32, (None, None))
    if not grid.frames.size or grid.frames.min() < 0 or grid.frames.max() >= num_examples:
        raise ValueError(
            f"{where}.frames must hold indices into the {num_examples} frames of report.examples; "
            f"got {grid.frames.min(initial=0)} to {grid.frames.max(initial=0)}"
        )
    _check_array(f"{where}.strengths", grid.strengths, np.float32, grid.frames.shape)
    _check_array(f"{where}.rows", grid.rows, np.float32, grid.frames.shape[:1])
    _check_array(f"{where}.columns", grid.columns, np.float32, grid.frames.shape[1:])


def _check_score(name: str, actions: tuple[int, ...] | None, num_actions: int) -> None:
    if actions is not None and (
        not actions or not all(0 <= action < num_actions for action in actions)
    ):
        raise ValueError(
            f'score "{name}" sums the logits of actions {actions}; '
            f"expected one or more of 0 to {num_actions - 1}, or None for the value"
        )


def _check_layer(layer: Layer) -> None:
    check_choice("kind of layer", layer.kind, ("attribution", "gradient"))
    if not layer.features:
        raise ValueError(f'layer "{layer.name}" has no features; expected at least one')
    for index, feature in enumerate(layer.features):
        _check_feature(f'layer "{layer.name}", features[{index}]', feature)
        if feature.direction.shape != layer.features[0].direction.shape:
            raise ValueError(
                f'layer "{layer.name}", features[{index}].direction has shape '
                f"{feature.direction.shape}; features[0] has {layer.features[0].direction.shape}"
            )


def _check_feature(where: str, feature: Feature) -> None:
    _check_array(f"{where}.direction", feature.direction, np.float32, (None,))
    _check_array(f"{where}.thumbnails", feature.thumbnails, np.uint8, (None, None, None, 3))
    _check_array(f"{where}.strengths", feature.strengths, np.float32, feature.thumbnails.shape[:1])
    if feature.color is not None and not re.fullmatch("#[0-9a-fA-F]{6}", feature.color):
        raise ValueError(f'{where}.color must be None or like "#1f77b4"; got {feature.color!r}')


def _check_trajectory(where: str, trajectory: Trajectory, report: Report) -> None:
    num_actions = len(report.action_names)
    _check_array(f"{where}.observations", trajectory.observations, np.uint8, (None, None, None, 3))
    num_steps = trajectory.observations.shape[0]
    if num_steps == 0:
        raise ValueError(f"{where} has no steps; expected at least one")
    for name, dtype in _SERIES.items():
        _check_array(f"{where}.{name}", getattr(trajectory, name), dtype, (num_steps,))
    _check_array(
        f"{where}.policy_logits", trajectory.policy_logits, np.float32, (num_steps, num_actions)
    )
    if not ((trajectory.actions >= 0) & (trajectory.actions < num_actions)).all():
        raise ValueError(
            f"{where}.actions must lie in 0 to {num_actions - 1} (report.action_names); "
            f"got {trajectory.actions.min()} to {trajectory.actions.max()}"
        )
    if trajectory.object_masks is not None:
        shape = (*trajectory.observations.shape[:3], len(report.object_names))
        _check_array(f"{where}.object_masks", trajectory.object_masks, np.bool_, shape)
    if len(trajectory.human_frames) not in (0, num_steps):
        raise ValueError(
            f"{where}.human_frames must be empty or one for each of {num_steps} steps; got "
            f"{len(trajectory.human_frames)}"
        )
    pairs = [(attribution.layer, attribution.score) for attribution in trajectory.attributions]
    if len(set(pairs)) < len(pairs):
        raise ValueError(f"{where} has two attributions of the same layer and score")
    for attribution in trajectory.attributions:
        _check_attribution(where, attribution, report, num_steps)


def _check_attribution(
    where: str, attribution: Attribution, report: Report, num_steps: int
) -> None:
    check_choice("score", attribution.score, [score.name for score in report.scores])
    check_choice("layer", attribution.layer, [layer.name for layer in report.layers])
    (layer,) = [layer for layer in report.layers if layer.name == attribution.layer]
    where = f'{where}, "{attribution.score}" to "{attribution.layer}"'
    num_features = len(layer.features)
    _check_array(
        f"{where}, maps", attribution.maps, np.float32, (num_steps, None, None, num_features)
    )
    _check_array(f"{where}, residual", attribution.residual, np.float32, attribution.maps.shape[:3])


def _check_array(where: str, array: np.ndarray, dtype: type, shape: tuple[int | None, ...]) -> None:
    """Raises unless dtype and shape agree (None: any length) and every number is finite."""
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{where} must be a NumPy array; got {type(array).__name__}")
    expected = "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"
    if array.dtype != dtype:
        raise ValueError(
            f"{where} must be {np.dtype(dtype).name} {expected}; got {array.dtype.name}"
        )
    if len(array.shape) != len(shape) or any(
        size is not None and got != size for size, got in zip(shape, array.shape, strict=True)
    ):
        raise ValueError(f"{where} must have shape {expected}; got {list(array.shape)}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{where} must be finite; got NaN or infinity")
