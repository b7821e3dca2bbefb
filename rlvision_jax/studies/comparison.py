"""How interpretable features are by layer, by their number and by what they are found in.

Questions that the article leaves open, answered by the same score on the same frames.
"""

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from rlvision_jax._checks import check_at_least, check_choice
from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy, check_layer
from rlvision_jax.studies import figures
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.interpretability import (
    MEAN,
    InterpretabilityConfig,
    InterpretabilityResult,
    score_layer,
)
from rlvision_jax.studies.labelled_frames import LabelledFrames, check_ground_truth
from rlvision_jax.studies.object_classes import position_classes
from rlvision_jax.studies.planted import random_directions
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.receptive_fields import receptive_fields
from rlvision_jax.studies.scored_features import chosen_layer, sample_frames
from rlvision_jax.studies.scoring import score_feature
from rlvision_jax.studies.studied_agent import studied_agent
from rlvision_jax.studies.tables import Column, Table, Value

ALL = "all"
"""All layers of the agent."""

_BASES = ("attribution", "activation")

_VARIANT = (
    Column("layer", "whose features they are"),
    Column("basis", "what the features are found in"),
    Column("num_features", "how many are found"),
)
_MEANS = (
    *_VARIANT,
    Column("score", "mean of the features' interpretability", "0 to 1"),
    Column("score_low", "lower end of its 95% interval, over resampled levels", "0 to 1"),
    Column("score_high", "upper end", "0 to 1"),
    Column("weighted", "mean score weighted by each feature's share of attribution", "0 to 1"),
    Column("classes", "kinds of object that a feature keeps to with a score of 0.2 or more"),
    Column("features", "class and score of each feature, the highest first"),
    Column("untrained", "mean score of random directions of the untrained layer", "0 to 1"),
)

# Below it a feature detects nothing in particular, as in the study of hallucinations.
_LEAST_SCORE = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variants:
    """What is compared: every layer with every number and every basis.

    Attributes:
      layers: layers, separated by commas, or all; None: the one of the study.
      numbers: numbers of features, separated by commas; those above the number of a layer's
        channels are left out. None: the one of the study.
      bases: attribution, activation or both, separated by a comma; None: the one of the study.
    """

    layers: str | None = None
    numbers: str | None = None
    bases: str | None = None

    def __post_init__(self) -> None:
        for basis in _parts(self.bases):
            check_choice("basis", basis, _BASES)
        for number in self._numbers():
            check_at_least("numbers", number, 1)

    def __bool__(self) -> bool:
        """Whether there is anything to compare."""
        return any(value is not None for value in vars(self).values())

    def of(
        self, policy: VisionPolicy, params: Params, config: InterpretabilityConfig
    ) -> dict[str, InterpretabilityConfig]:
        """The settings of each variant, by the name of its cell.

        Args:
          policy: of the agent.
          params: its parameters.
          config: of the study: what the variants share.

        Raises:
          ValueError: if the policy has no such layer, or none has so many channels.
        """
        layers = _parts(self.layers) or (chosen_layer(policy, config.layer),)
        if self.layers == ALL:
            layers = policy.layer_names
        for layer in layers:
            check_layer(policy, layer)
        numbers = self._numbers() or (config.num_features,)
        found = {}
        for layer, basis, number in itertools.product(
            layers, _parts(self.bases) or (config.basis,), numbers
        ):
            if number <= _num_channels(policy, params, layer):
                changes = {"layer": layer, "basis": basis, "num_features": number}
                variant = dataclasses.replace(config, planted=False, **changes)
                found[f"{layer.lower()}-{basis}-{number}"] = variant
        if not found:
            raise ValueError(
                f"no layer of {', '.join(layers)} has {min(numbers)} channels or more; ask for "
                "fewer features"
            )
        return found

    def _numbers(self) -> tuple[int, ...]:
        try:
            return tuple(int(part) for part in _parts(self.numbers))
        except ValueError:
            raise ValueError(
                f'numbers must be integers, such as "4,8,16"; got "{self.numbers}"'
            ) from None


def _num_channels(policy: VisionPolicy, params: Params, layer: str) -> int:
    frame = jax.ShapeDtypeStruct((1, *policy.observation_shape), np.uint8)
    activations = functools.partial(policy.activations, layer=layer)
    return jax.eval_shape(activations, params, frame).shape[-1]


def _parts(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",")) if text is not None else ()


@dataclasses.dataclass(frozen=True)
class ComparisonResult:
    """Outcome of the comparison.

    Attributes:
      rows: of each variant's table of features, by its settings.
      untrained: mean score of random directions of each layer when untrained.
    """

    rows: Mapping[tuple[str, str, int], tuple[Mapping[str, Value], ...]]
    untrained: Mapping[str, float]

    @property
    def table(self) -> Table:
        """A row for each variant."""
        return Table(_MEANS, tuple(self._mean_row(variant) for variant in self.rows))

    @property
    def feature_table(self) -> Table:
        """A row for each feature of each variant."""
        columns = InterpretabilityResult(()).table.columns
        rows = [
            _named(variant) | dict(row)
            for variant, rows in self.rows.items()
            for row in rows
            if row["feature"] != MEAN
        ]
        return Table((*_VARIANT, *columns), tuple(rows))

    def _mean_row(self, variant: tuple[str, str, int]) -> dict[str, Value]:
        *features, mean = self.rows[variant]
        scores = np.asarray([row["score"] for row in features], np.float64)
        shares = np.asarray([row["share"] for row in features], np.float64)
        classes = [row["object_class"] or "nothing" for row in features]
        kept = {name for name, score in zip(classes, scores, strict=True) if score >= _LEAST_SCORE}
        order = np.argsort(-scores, kind="stable").tolist()
        return _named(variant) | {
            **{name: mean[name] for name in ("score", "score_low", "score_high")},
            "weighted": round(float(scores @ shares), 4),
            "classes": ", ".join(sorted(map(str, kept))),
            "features": ", ".join(f"{classes[index]} {scores[index]:.2f}" for index in order),
            "untrained": round(self.untrained[variant[0]], 4),
        }


def compare_interpretability(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: InterpretabilityConfig,
    *,
    variants: Variants,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> ComparisonResult:
    """Finds and scores features in several ways, on the same frames.

    Args:
      policy: of the agent.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it.
      config: what the variants share.
      variants: what is compared.
      cells: where finished work lies: one cell for each variant, and one for each layer untrained.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the ground truth of the environment is not known, or as `Variants.of`.
    """
    check_ground_truth(agent_config)
    settings = variants.of(policy, params, config)
    shared = studied_agent(params, agent_config)

    @functools.cache
    def frames() -> LabelledFrames:
        return sample_frames(policy, params, agent_config, config, num_threads, notify)

    rows, untrained = {}, {}
    for index, (name, each) in enumerate(settings.items()):
        notify("comparing", index, len(settings))
        depends_on = {**shared, **dataclasses.asdict(each)}
        scored = cells.run(
            name,
            depends_on,
            lambda each=each: score_layer(policy, params, frames(), each, notify=notify),
        )
        layer = str(each.layer)
        rows[layer, each.basis, each.num_features] = tuple(scored)
        if layer not in untrained:
            of_layer = dataclasses.replace(each, basis=_BASES[0], num_features=1)
            untrained[layer] = cells.run(
                f"{layer.lower()}-untrained",
                {**shared, **dataclasses.asdict(of_layer)},
                lambda each=of_layer: untrained_score(policy, params, frames(), each),
            )
    notify("comparing", len(settings), len(settings))
    return ComparisonResult(rows, untrained)


def untrained_score(
    policy: VisionPolicy, params: Params, frames: LabelledFrames, config: InterpretabilityConfig
) -> float:
    """Mean score of random directions of a layer whose parameters are shuffled.

    Args:
      policy: of the agent.
      params: its parameters.
      frames: with ground truth.
      config: how; `layer` must be named.
    """
    layer = str(config.layer)
    field = receptive_fields(policy, params)[layer]
    named = position_classes(frames.masks, field, reach=config.reach)
    planted = random_directions(policy, params, frames.observations, layer, seed=config.seed)
    scores = [
        score_feature(strengths, named, frames.level_seeds, config.score_config).score
        for strengths in planted.values()
    ]
    return float(np.mean(scores))


def draw_comparison(result: ComparisonResult) -> bytes:
    """Each variant's mean score with its interval, its features, and the untrained layer; an SVG.

    Raises:
      MissingExtraError: if matplotlib is not installed.
    """
    rows = result.table.rows
    figure, axes = figures.new_figure(6.4, 1.2 + 0.3 * len(rows))
    axis = axes[0, 0]
    for place, (row, features) in enumerate(zip(rows, result.rows.values(), strict=True)):
        scores = [float(each["score"] or 0) for each in features[:-1]]
        score, low, high, untrained = (
            float(row[name] or 0) for name in ("score", "score_low", "score_high", "untrained")
        )
        labels = ("mean, 95% interval", "features", "untrained layer") if place == 0 else [None] * 3
        axis.barh(place, score, color=figures.COLORS[0], height=0.7, label=labels[0])
        axis.plot([low, high], [place, place], color="black", linewidth=1)
        axis.plot(
            scores,
            [place] * len(scores),
            "|",
            color=figures.COLORS[2],
            markersize=9,
            label=labels[1],
        )
        axis.plot([untrained], [place], "x", color=figures.COLORS[1], label=labels[2])
    names = [f"{row['layer']}, {row['num_features']} of {row['basis']}s" for row in rows]
    axis.set_yticks(range(len(rows)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_xlim(0, 1)
    axis.set_xlabel("interpretability score")
    axis.legend(
        frameon=False, fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3
    )
    return figures.to_svg(figure)


def _named(variant: tuple[str, str, int]) -> dict[str, Value]:
    return dict(zip([column.name for column in _VARIANT], variant, strict=True))
