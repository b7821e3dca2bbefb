"""What edits did to an agent: failures by cause, paired differences, and the paper's bar chart."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool

from rlvision_jax.studies import figures
from rlvision_jax.studies.hazards import NamedFeatures
from rlvision_jax.studies.levels import COMPLETED, OUTCOMES, Levels
from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.paired import paired_difference
from rlvision_jax.studies.paper import PAPER_CAUSES, PAPER_FAILURES, paper_cause
from rlvision_jax.studies.tables import Column, Table
from rlvision_jax.training import FAILURE_CAUSES, wilson_interval

ANY = "any"
"""All causes of failure together."""
_ORIGINAL = "original"

_FAILURES = (
    Column("policy", "which agent played, or that the hazard was invisible"),
    Column("cause", "cause of failure; any: all of them"),
    Column("levels", "levels failed by it"),
    Column("share", "their share", "share of levels"),
    Column("low", "lower end of its 95% interval (Wilson)", "share of levels"),
    Column("high", "upper end of its 95% interval (Wilson)", "share of levels"),
    Column("only_here", "levels that fail by it here, but not with the original"),
    Column("only_original", "levels that fail by it with the original, but not here"),
    Column("difference", "share here less share with the original", "share of levels"),
    Column(
        "difference_low",
        "lower end of its 95% interval, paired by level (Bonett and Price)",
        "share of levels",
    ),
    Column("difference_high", "upper end of it", "share of levels"),
)


@dataclasses.dataclass(frozen=True)
class EditingResult:
    """Outcome of the study.

    Attributes:
      hazard: what the agent was blinded to.
      layer: whose features were projected out.
      levels: what each policy did, by its name; level `i` is the same level of all of them.
      features: of the original, and of the agent after each further round.

    Raises:
      ValueError: if the policies did not play the same levels.
    """

    hazard: str
    layer: str
    levels: Mapping[str, Levels]
    features: tuple[NamedFeatures, ...]

    def __post_init__(self) -> None:
        for name, levels in self.levels.items():
            if not np.array_equal(levels.seeds, self.levels[_ORIGINAL].seeds):
                raise ValueError(f'"{name}" did not play the levels that the original played')

    @property
    def table(self) -> Table:
        """A row for each policy and cause of failure."""
        rows = [self._row(name, cause) for name in self.levels for cause in (*FAILURE_CAUSES, ANY)]
        return Table(_FAILURES, tuple(rows))

    @property
    def feature_table(self) -> Table:
        """A row for each round's features: what they look at beyond chance, and their part."""
        columns = (
            Column("round", "1: the original's features; 2: those of the agent edited once, ..."),
            Column("feature", "number of the feature, from 1"),
            Column("part", "what it served for in the study"),
            Column("total", "mean magnitude of its attribution in a frame", "the agent's values"),
            *(
                Column(f"on_{name}", f"its attribution on {name} beyond chance", "share")
                for name in CLASSES
            ),
        )
        rows = []
        for number, features in enumerate(self.features, 1):
            parts = {features.looks_at(self.hazard): f"{self.hazard}-blind"}
            if number == 1:
                controls = control_features(features, self.hazard)
                parts |= {index: name for name, index in controls.items()}
            for index, (excess, total) in enumerate(
                zip(features.excess, features.totals, strict=True)
            ):
                row: dict[str, Any] = {"round": number, "feature": index + 1}
                row |= {"part": parts.get(index), "total": round(float(total), 4)}
                row |= {
                    f"on_{name}": round(float(value), 4)
                    for name, value in zip(CLASSES, excess, strict=True)
                }
                rows.append(row)
        return Table(columns, tuple(rows))

    def _row(self, name: str, cause: str) -> dict[str, Any]:
        here, original = (_failed(self.levels[each], cause) for each in (name, _ORIGINAL))
        low, high = wilson_interval(int(here.sum()), len(here))
        row = {
            "policy": name,
            "cause": cause,
            "levels": int(here.sum()),
            "share": float(here.mean()),
            "low": low,
            "high": high,
        }
        if name == _ORIGINAL:
            return row | dict.fromkeys([column.name for column in _FAILURES[6:]])
        paired = paired_difference(original, here)
        return row | {
            "only_here": paired.only_after,
            "only_original": paired.only_before,
            "difference": paired.difference,
            "difference_low": paired.low,
            "difference_high": paired.high,
        }


def control_features(features: NamedFeatures, hazard: str) -> dict[str, int]:
    """The features that are projected out for comparison, by the name of the edited policy.

    "other-feature" is the strongest that avoids all hazards; "alike-feature" carries about as much
    attribution as the hazard's, but not on it.
    """
    controls = {"other-feature": features.of_no_hazard()}
    alike = features.of_like_strength(hazard)
    if alike is not None and alike not in controls.values():
        controls["alike-feature"] = alike
    return {name: index for name, index in controls.items() if index != features.looks_at(hazard)}


def _failed(levels: Levels, cause: str) -> Bool[np.ndarray, " level"]:
    if cause == ANY:
        return levels.outcomes != OUTCOMES.index(COMPLETED)
    return levels.outcomes == OUTCOMES.index(cause)


def draw_editing(result: EditingResult) -> bytes:
    """Levels failed by cause with each policy, and the article's bars beside them.

    Returns:
      An SVG.

    Raises:
      MissingExtraError: if matplotlib is not installed.
    """
    figure, axes = figures.new_figure(10, 4, columns=2)
    ours, paper = axes[0]
    num_levels = result.levels[_ORIGINAL].num_levels
    shares = {}
    for name, levels in result.levels.items():
        counts: dict[str, int] = dict.fromkeys(PAPER_CAUSES, 0)
        for cause in FAILURE_CAUSES:
            counts[paper_cause(cause)] += levels.count(cause)
        shares[name] = {cause: 100 * count / num_levels for cause, count in counts.items()}
    _draw_bars(ours, shares)
    for place, levels in enumerate(result.levels.values()):
        failed = int(_failed(levels, ANY).sum())
        low, high = (100 * end for end in wilson_interval(failed, num_levels))
        ours.plot([place, place], [low, high], color="black", linewidth=1)
    ours.set_title(f"this agent, {num_levels:,} levels each; line: 95% of the total")
    _draw_bars(paper, PAPER_FAILURES)
    paper.set_title("the article (older CoinRun), 10,000 levels each")
    ours.legend(frameon=False, fontsize="small", ncols=4, loc="upper left")
    ours.set_ylim(0, 1.15 * ours.get_ylim()[1])
    return figures.to_svg(figure)


def _draw_bars(axis: Any, shares: Mapping[str, Mapping[str, float]]) -> None:
    below = np.zeros(len(shares))
    for color, cause in zip(figures.COLORS, PAPER_CAUSES, strict=False):
        heights = np.array([each[cause] for each in shares.values()])
        axis.bar(
            range(len(shares)), heights, bottom=below, color=color, label=cause.replace("_", " ")
        )
        below += heights
    names = [name.replace("-", " ") for name in shares]
    axis.set_xticks(range(len(shares)), names, rotation=30, ha="right")
    axis.set_ylabel("levels failed, %")
