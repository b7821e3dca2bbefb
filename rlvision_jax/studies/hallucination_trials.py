"""How well the finder of hallucinations does where it is known what it should find."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8

from rlvision_jax.studies.hallucination_finder import (
    NOT_MOVED,
    Limits,
    Moments,
    Readings,
    moves_value,
    sees_its_class,
)
from rlvision_jax.studies.object_classes import CLASSES, classes_in_field
from rlvision_jax.studies.planted_hallucinations import KINDS, PlantedCase
from rlvision_jax.studies.receptive_fields import ReceptiveField
from rlvision_jax.studies.tables import Column, Table, Value
from rlvision_jax.training import wilson_interval

Read = Callable[
    [UInt8[np.ndarray, "frame height width channel"]],
    tuple[Readings, Float[np.ndarray, " frame"]],
]
"""Observations -> what the features say, and the values."""

_HALLUCINATED = ("pasted", "unlisted")

_COLUMNS = (
    Column("object_class", "what was planted"),
    Column("detectors", "features of the agent that keep to this class"),
    Column("kind", "pasted, unlisted: to be found; real, untouched: not; all: the finder"),
    Column("cases", "steps"),
    Column("moved", "those in which a detector moves the value there, whatever the truth"),
    Column("flagged", "those in which the finder calls it a hallucination"),
    Column("recall", "flagged of those to be found", "share of cases"),
    Column("recall_low", "lower end of its 95% interval (Wilson)", "share of cases"),
    Column("recall_high", "upper end", "share of cases"),
    Column("recall_if_moved", "flagged of those to be found that move the value", "share of cases"),
    Column("precision", "to be found of those flagged", "share of cases"),
    Column("precision_low", "lower end of its 95% interval (Wilson)", "share of cases"),
    Column("precision_high", "upper end", "share of cases"),
)


class Trial(NamedTuple):
    """What the finder made of planted cases of one class.

    Attributes:
      moved: cases of each kind in which a detector moves the value at the planted object (for
        untouched frames: anywhere).
      flagged: those called a hallucination; of cases that are one, at the planted object.
    """

    moved: dict[str, Bool[np.ndarray, " case"]]
    flagged: dict[str, Bool[np.ndarray, " case"]]


def try_planted(
    read: Read,
    cases: Sequence[PlantedCase],
    moments: Moments,
    limits: Limits,
    field: ReceptiveField,
    classes: tuple[str | None, ...],
    object_class: str,
) -> Trial:
    """Puts each case in the place of the step that it was made of, and looks for hallucinations.

    Args:
      read: of the agent and its features.
      cases: of the class, at least one.
      moments: of the whole play, as it was.
      limits: of the whole play.
      field: of the layer.
      classes: of each feature.
      object_class: what was planted.
    """
    times, envs = (np.array([getattr(case, name) for case in cases]) for name in ("time", "env"))
    is_detector = np.array([name == object_class for name in classes])
    kind = CLASSES.index(object_class)
    masks = np.stack([case.masks for case in cases])
    drawn_masks = np.stack([case.drawn_masks for case in cases])
    pasted_masks = masks.copy()
    pasted_masks[..., kind] = np.stack([case.pasted_at for case in cases])
    # Frame, true masks, and where the object is shown.
    shows = {
        "pasted": ("pasted", masks, pasted_masks),
        "unlisted": ("drawn", masks, drawn_masks),
        "real": ("drawn", drawn_masks, drawn_masks),
        "untouched": ("frame", masks, None),
    }
    moved, flagged = {}, {}
    for name in KINDS:
        source, truth, shown = shows[name]
        readings, values = read(np.stack([getattr(case, source) for case in cases]))
        here = Moments(
            readings,
            moments.totals_around[:, times, envs],
            values,
            moments.values_around[:, times, envs],
            # The advantage of a step falls by what its own value rises.
            moments.advantages[times, envs] - (values - moments.values[times, envs]),
        )
        moves = (moves_value(here, limits) != NOT_MOVED) & is_detector
        unseen = ~sees_its_class(readings, classes_in_field(truth, field), classes)
        if shown is not None:
            points = sees_its_class(readings, classes_in_field(shown, field), classes)
            moved[name] = (moves & points).any(1)
        else:
            points = np.ones_like(moves)
            moved[name] = moves.any(1)
        counted = points if name in _HALLUCINATED else np.ones_like(points)
        flagged[name] = (moves & unseen & counted).any(1)
    return Trial(moved, flagged)


def trial_rows(
    object_class: str, num_detectors: int, trial: Trial | None
) -> list[dict[str, Value]]:
    """Rows of `trial_table`: one for each kind, and one for the finder.

    Args:
      object_class: what was planted.
      num_detectors: features of this class.
      trial: None if there was nothing to try.
    """
    empty: dict[str, Value] = {column.name: None for column in _COLUMNS}
    empty |= {"object_class": object_class, "detectors": num_detectors}
    if trial is None:
        return [empty | {"kind": "all", "cases": 0, "moved": 0, "flagged": 0}]
    rows, totals = [], {}
    for name in KINDS:
        counts = {
            "cases": len(trial.flagged[name]),
            "moved": int(trial.moved[name].sum()),
            "flagged": int(trial.flagged[name].sum()),
        }
        totals[name] = counts
        rows.append(empty | {"kind": name} | counts)
    to_find = {key: sum(totals[name][key] for name in _HALLUCINATED) for key in totals[KINDS[0]]}
    every = {key: sum(totals[name][key] for name in KINDS) for key in to_find}
    summary = empty | {"kind": "all"} | every
    summary |= _share("recall", to_find["flagged"], to_find["cases"])
    summary |= _share("precision", to_find["flagged"], every["flagged"])
    if to_find["moved"]:
        summary["recall_if_moved"] = round(to_find["flagged"] / to_find["moved"], 4)
    return [*rows, summary]


def trial_table(rows: Sequence[dict[str, Value]]) -> Table:
    """The finder's precision and recall."""
    return Table(_COLUMNS, tuple(rows))


def _share(name: str, count: int, total: int) -> dict[str, Value]:
    if not total:
        return {}
    low, high = wilson_interval(count, total)
    return {
        name: round(count / total, 4),
        f"{name}_low": round(low, 4),
        f"{name}_high": round(high, 4),
    }
