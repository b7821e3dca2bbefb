"""How interpretable an agent's features are: the score of each, beside features of known answer.

Does by ground truth what two people did by eye in "Interpretability and generalization" of Hilton
et al. 2020. docs/studies/interpretability.md defines the score.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy, check_layer
from rlvision_jax.studies import figures
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.labelled_frames import (
    LabelledFrames,
    check_ground_truth,
)
from rlvision_jax.studies.object_classes import class_shares, position_classes
from rlvision_jax.studies.planted import planted_detectors, random_directions
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.receptive_fields import receptive_fields
from rlvision_jax.studies.scored_features import (
    FeaturesConfig,
    chosen_layer,
    find_features,
    sample_frames,
    score_directions,
)
from rlvision_jax.studies.scoring import (
    FeatureScore,
    percentile_interval,
    score_feature,
)
from rlvision_jax.studies.studied_agent import studied_agent
from rlvision_jax.studies.tables import Column, Table, Value

_PARTS = ("consistency", "relevance", "coverage", "stability", "hits", "chance")

MEAN = "mean"
"""The row of the mean over an agent's features."""

_COLUMNS = (
    Column("feature", "its number from 1, the name of a planted one, or the mean of the numbered"),
    Column("planted", "whether it was made to test the score"),
    Column("object_class", "what its strongest attributions lie on; empty: nothing beyond chance"),
    Column("score", "consistency x relevance x stability x (1 + coverage) / 2", "0 to 1"),
    Column("score_low", "lower end of its 95% interval, over resampled levels", "0 to 1"),
    Column("score_high", "upper end", "0 to 1"),
    Column("consistency", "(hits - chance) / (1 - chance)", "0 to 1"),
    Column("relevance", "whether the class matters to the task", "0 to 1"),
    Column("coverage", "frames with the class in which it speaks up there", "share of frames"),
    Column("stability", "resamples that find the same class", "share of resamples"),
    Column("hits", "strongest attributions that lie on the class", "share of attribution"),
    Column("chance", "the same of other frames in the same places", "share of attribution"),
    Column("raises", "strongest attributions that are positive", "share of frames"),
    Column("share", "of all features' attribution, by magnitude", "share of attribution"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpretabilityConfig(FeaturesConfig):
    """What is scored, on which frames.

    Attributes:
      planted: score planted features too, of which the answer is known.
    """

    planted: bool = True


@dataclasses.dataclass(frozen=True)
class InterpretabilityResult:
    """Outcome of the study.

    Attributes:
      rows: of the table: the features, their mean, then the planted ones.
    """

    rows: tuple[Mapping[str, Value], ...]

    @property
    def table(self) -> Table:
        """A row for each feature."""
        return Table(_COLUMNS, self.rows)


def study_interpretability(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: InterpretabilityConfig,
    *,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> InterpretabilityResult:
    """Plays an agent, finds its features and scores them.

    Args:
      policy: of the agent.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it.
      config: what is scored.
      cells: where finished work lies: one cell.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the ground truth of the environment is not known, or the layer is unknown.
    """
    check_ground_truth(agent_config)
    layer = chosen_layer(policy, config.layer)
    config = dataclasses.replace(config, layer=layer)

    def compute() -> list[dict[str, Value]]:
        frames = sample_frames(policy, params, agent_config, config, num_threads, notify)
        return score_layer(policy, params, frames, config, notify=notify)

    depends_on = {
        **studied_agent(params, agent_config),
        **dataclasses.asdict(config),
    }
    rows = cells.run(f"{layer.lower()}-{config.basis}", depends_on, compute)
    return InterpretabilityResult(tuple(rows))


def score_layer(
    policy: VisionPolicy,
    params: Params,
    frames: LabelledFrames,
    config: InterpretabilityConfig,
    *,
    notify: Notify = lambda stage, done, total: None,
) -> list[dict[str, Value]]:
    """Finds the features of a layer in frames, and scores them there.

    Args:
      policy: of the agent.
      params: its parameters.
      frames: with ground truth.
      config: how; `layer` must be named.
      notify: told of progress.

    Returns:
      Rows of the table of `InterpretabilityResult`.

    Raises:
      ValueError: if no layer is named or it is unknown, or as `factorization.fit_signed`.
    """
    if config.layer is None:
        raise ValueError("score_layer needs the name of a layer in its config; got None")
    check_layer(policy, config.layer)
    notify("finding features", 0, 1)
    directions = find_features(policy, params, frames, config)
    notify("finding features", 1, 1)
    scored = score_directions(policy, params, frames, directions, config, notify=notify)
    total = sum(feature.attribution for feature in scored)
    rows = [
        _row(
            str(index + 1),
            feature.score,
            raises=feature.raises,
            share=feature.attribution / total if total else 0.0,
        )
        for index, feature in enumerate(scored)
    ]
    rows.append(_mean_row([feature.score for feature in scored]))
    if config.planted:
        rows += _planted_rows(policy, params, frames, config, notify)
    return rows


def draw_interpretability(result: InterpretabilityResult) -> bytes:
    """Scores with their intervals, the agent's features above, planted ones below; an SVG."""
    rows = [row for row in result.rows if row["feature"] != MEAN]
    figure, axes = figures.new_figure(6.4, 0.8 + 0.22 * len(rows))
    axis = axes[0, 0]
    for place, row in enumerate(rows):
        score, low, high = (float(row[name] or 0) for name in ("score", "score_low", "score_high"))
        color = figures.COLORS[5 if row["planted"] else 0]
        axis.barh(place, score, color=color, height=0.7)
        axis.plot([low, high], [place, place], color="black", linewidth=1)
        axis.text(1.02, place, str(row["object_class"] or "none"), va="center", fontsize=8)
    labels = [
        str(row["feature"]) if row["planted"] else f"feature {row['feature']}" for row in rows
    ]
    axis.set_yticks(range(len(rows)), labels, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("interpretability score, with 95% interval; right: class")
    mean = next(row for row in result.rows if row["feature"] == MEAN)
    axis.axvline(float(mean["score"] or 0), color=figures.COLORS[1], linewidth=1, linestyle="--")
    return figures.to_svg(figure)


def _planted_rows(
    policy: VisionPolicy,
    params: Params,
    frames: LabelledFrames,
    config: InterpretabilityConfig,
    notify: Notify,
) -> list[dict[str, Value]]:
    layer = str(config.layer)
    field = receptive_fields(policy, params)[layer]
    named = position_classes(frames.masks, field, reach=config.reach)
    planted = planted_detectors(class_shares(frames.masks, field), seed=config.seed)
    planted |= random_directions(policy, params, frames.observations, layer, seed=config.seed)
    rows = []
    for index, (name, strengths) in enumerate(planted.items()):
        notify("scoring planted ones", index, len(planted))
        score = score_feature(strengths, named, frames.level_seeds, config.score_config)
        rows.append(_row(name, score, planted=True))
    notify("scoring planted ones", len(planted), len(planted))
    return rows


def _row(
    name: str,
    score: FeatureScore,
    *,
    planted: bool = False,
    raises: float | None = None,
    share: float | None = None,
) -> dict[str, Value]:
    low, high = score.interval
    numbers = {"score": score.score, "score_low": low, "score_high": high}
    numbers |= {part: getattr(score, part) for part in _PARTS}
    numbers |= {"raises": raises, "share": share}
    rounded = {key: None if value is None else round(value, 4) for key, value in numbers.items()}
    return {"feature": name, "planted": planted, "object_class": score.object_class, **rounded}


def _mean_row(scores: list[FeatureScore]) -> dict[str, Value]:
    """The mean of the features' scores; its interval from the resamples, which they share."""
    low, high = percentile_interval(np.mean([score.resampled for score in scores], axis=0))
    empty = {column.name: None for column in _COLUMNS}
    mean = float(np.mean([score.score for score in scores]))
    numbers = {"score": mean, "score_low": low, "score_high": high}
    return (
        empty | {"feature": MEAN, "planted": False} | {k: round(v, 4) for k, v in numbers.items()}
    )
