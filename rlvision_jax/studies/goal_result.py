"""What the study of the goal found: where the agent came to, and what its features follow."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from jaxtyping import Bool

from rlvision_jax.studies import figures
from rlvision_jax.studies.goal_features import TARGETS, Effect
from rlvision_jax.studies.goal_journeys import COIN, DESTINATIONS, END, Journeys
from rlvision_jax.studies.paired import paired_difference
from rlvision_jax.studies.scoring import FeatureScore
from rlvision_jax.studies.tables import Column, Table, Value
from rlvision_jax.training import wilson_interval

CONDITIONS: Final = ("end", "moved", "unseen")
PASSED: Final = "passed"
"""A row of its own: the levels, of any outcome but "coin", in which the agent got past the coin."""

_LEVELS = (
    Column(
        "condition",
        'end: the coin is at the end; moved: it is on the way; unseen: the steps of "end" in the '
        'levels of "moved", what becomes of an agent that goes on as if nothing had changed',
    ),
    Column(
        "outcome",
        "coin: taken; end: not taken, but the agent came to the end of the level; else what ended "
        "the level before; passed: not taken, but the agent got beyond it",
    ),
    Column("levels", "levels with this outcome"),
    Column("share", "their share", "share of levels"),
    Column("low", "lower end of its 95% interval (Wilson)", "share of levels"),
    Column("high", "upper end", "share of levels"),
    Column("difference", 'share of "moved" less this share', "share of levels"),
    Column(
        "difference_low",
        "lower end of its 95% interval, paired by level (Bonett and Price)",
        "share of levels",
    ),
    Column("difference_high", "upper end", "share of levels"),
)

_MEANINGS = {
    "coin_at_end": "attribution on the coin at the end, beyond chance",
    "moved_coin": "attribution on the moved coin, beyond chance",
    "old_place": "with the coin moved: attribution on the place where it was, beyond chance",
    "end_wall": "with the coin moved: attribution on the wall behind the end, beyond chance",
    "effect_at_end": "what the coin at the end adds to the feature's total, where it is in view",
    "effect_moved": "what the moved coin adds to the feature's total, where it is in view",
}
_ENDS: Final = ("", "_low", "_high")
_VALUE: Final = "value"

_FEATURES = (
    Column("feature", "its number from 1; value: the value itself"),
    Column("object_class", "what it keeps to in unchanged levels; empty: nothing beyond chance"),
    Column("score", "its interpretability there", "0 to 1"),
    Column(
        "follows",
        "coin: it points at the moved coin, which changes its total; end: it points at the coin at "
        "the end, and at its old place when the coin is gone; each by the whole interval",
    ),
    *(
        Column(
            f"{name}{part}",
            meaning
            if not part
            else f"{['lower', 'upper'][part == '_high']} end of its 95% interval",
            "share of attribution" if name in TARGETS else "the agent's values",
        )
        for name, meaning in _MEANINGS.items()
        for part in _ENDS
    ),
)


@dataclasses.dataclass(frozen=True)
class GoalResult:
    """Outcome of the study.

    Attributes:
      journeys: where the agent came to.
      rows: of the table of features.
    """

    journeys: Journeys
    rows: tuple[Mapping[str, Value], ...]

    @property
    def table(self) -> Table:
        """A row for each condition and outcome."""
        rows = [
            self._row(condition, outcome) for condition in CONDITIONS for outcome in DESTINATIONS
        ]
        passed = self.journeys.passed
        rows.append(_share("moved", PASSED, passed))
        return Table(_LEVELS, tuple(rows))

    @property
    def feature_table(self) -> Table:
        """A row for each feature, and one for the value."""
        return Table(_FEATURES, self.rows)

    def reached(self, condition: str, outcome: str) -> Bool[np.ndarray, " level"]:
        """Which levels had an outcome in a condition."""
        return self.journeys.destinations[condition] == DESTINATIONS.index(outcome)

    def _row(self, condition: str, outcome: str) -> dict[str, Value]:
        here = self.reached(condition, outcome)
        if condition == "moved":
            return _share(condition, outcome, here)
        paired = paired_difference(here, self.reached("moved", outcome))
        return _share(condition, outcome, here) | {
            "difference": paired.difference,
            "difference_low": paired.low,
            "difference_high": paired.high,
        }


def table_row(
    effects: Mapping[str, Effect], number: int, score: FeatureScore | None
) -> dict[str, Value]:
    """A row of the table of features.

    Args:
      effects: from `goal_features.follow_coin`.
      number: of the feature, from 1.
      score: in unchanged levels; None: the row is that of the value.
    """
    # Rounded first: what is 0 but for the rounding of floats is not to count as above 0.
    effects = {
        name: Effect(*(None if end is None else round(end, 4) for end in effect))
        for name, effect in effects.items()
    }
    row: dict[str, Value] = {
        "feature": _VALUE if score is None else str(number),
        "object_class": score.object_class if score else None,
        "score": round(score.score, 4) if score else None,
        "follows": _follows(effects),
    }
    for name in _MEANINGS:
        row |= {f"{name}{end}": value for end, value in zip(_ENDS, effects[name], strict=True)}
    return row


def draw_goal(result: GoalResult) -> bytes:
    """Outcomes in each condition, and where the attribution of each feature lies; an SVG.

    Raises:
      MissingExtraError: if matplotlib is not installed.
    """
    features = [row for row in result.rows if row["feature"] != _VALUE]
    height = max(3.2, 1.4 + 0.32 * len(features))
    figure, axes = figures.new_figure(10, height, columns=2)
    outcomes, places = axes[0]
    labels = {"end": "coin at the end", "moved": "coin moved", "unseen": "coin moved, as if unseen"}
    left = np.zeros(len(CONDITIONS))
    shown = {COIN: (COIN,), END: (END,), "failed before": DESTINATIONS[2:]}
    for color, (name, parts) in zip(figures.COLORS, shown.items(), strict=False):
        widths = [
            100 * sum(result.reached(condition, part).mean() for part in parts)
            for condition in CONDITIONS
        ]
        text = {COIN: "coin taken", END: "end reached without it"}.get(name, name)
        outcomes.barh(range(len(CONDITIONS)), widths, left=left, color=color, label=text)
        left += widths
    outcomes.set_yticks(range(len(CONDITIONS)), [labels[name] for name in CONDITIONS])
    outcomes.invert_yaxis()
    outcomes.set_xlabel(f"levels, % of {len(result.journeys.passed):,}")
    outcomes.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1))
    _draw_places(places, features)
    return figures.to_svg(figure)


def _draw_places(axis: Any, features: list[Mapping[str, Value]]) -> None:
    """Share of each feature's attribution beyond chance, with intervals."""
    names = {"coin_at_end": "coin at the end", "moved_coin": "moved coin", "old_place": "old place"}
    for color, (offset, (name, text)) in zip(
        figures.COLORS, enumerate(names.items()), strict=False
    ):
        for place, row in enumerate(features):
            middle, low, high = (100 * _number(row[f"{name}{part}"]) for part in _ENDS)
            y = place + 0.22 * (offset - 1)
            axis.plot([low, high], [y, y], color=color, linewidth=1)
            label = text if place == 0 else None
            axis.plot([middle], [y], "o", color=color, markersize=4, label=label)
    axis.axvline(0, color="black", linewidth=0.5)
    titles = [f"feature {row['feature']} ({row['object_class'] or 'none'})" for row in features]
    axis.set_yticks(range(len(features)), titles, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlabel("attribution beyond chance, %")
    axis.legend(frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1))


def _number(value: Value) -> float:
    return float(value) if value is not None else 0.0


def _share(condition: str, outcome: str, here: Bool[np.ndarray, " level"]) -> dict[str, Value]:
    low, high = wilson_interval(int(here.sum()), len(here))
    return {
        "condition": condition,
        "outcome": outcome,
        "levels": int(here.sum()),
        "share": float(here.mean()),
        "low": low,
        "high": high,
        **dict.fromkeys(("difference", "difference_low", "difference_high")),
    }


def _follows(effects: Mapping[str, Effect]) -> str | None:
    """What the column "follows" says."""
    coin = _is_above(effects["moved_coin"]) and _is_not_zero(effects["effect_moved"])
    end = _is_above(effects["coin_at_end"]) and _is_above(effects["old_place"])
    return " and ".join(name for name, holds in ((COIN, coin), (END, end)) if holds) or None


def _is_above(effect: Effect) -> bool:
    return effect.low is not None and effect.low > 0


def _is_not_zero(effect: Effect) -> bool:
    return _is_above(effect) or (effect.high is not None and effect.high < 0)
