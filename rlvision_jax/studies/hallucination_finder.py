"""Finds the steps at which a feature moves the value though its object is not there.

"We found a couple of cases in which the model 'hallucinated' a feature not present in the
observation, causing the value function to spike" (Hilton et al. 2020). They looked through steps of
extreme advantage by eye; here the object is looked up in the state of the game. Host module.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from rlvision_jax._checks import check_at_least
from rlvision_jax.studies.object_classes import CLASSES
from rlvision_jax.studies.spikes import around, departure, robust_deviation

NOT_MOVED, SPIKE, SURPRISE = 0, 1, 2
"""Why a feature is held to move the value at a step."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FinderConfig:
    """What counts as moving the value.

    Attributes:
      window: steps on either side that a step is compared with.
      deviations: by how many robust standard deviations a feature's total must leave its
        neighbours'.
      smallest: and by how much at least, in standard deviations of the values.
      surprise: share of steps whose advantage is an outlier; at these, a feature counts in the
        steps in which it is strongest, of the same share.
    """

    window: int = 4
    deviations: float = 4.0
    smallest: float = 0.1
    surprise: float = 0.01

    def __post_init__(self) -> None:
        check_at_least("window", self.window, 1)
        for name in ("deviations", "smallest"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}")
        if not 0 < self.surprise < 1:
            raise ValueError(f"surprise must be above 0 and below 1; got {self.surprise}")


class Readings(NamedTuple):
    """What features say at steps.

    Attributes:
      totals: attribution of each feature, summed over the frame.
      peaks: at its strongest position.
      rows, columns: where that is in the layer.
    """

    totals: Float[np.ndarray, "*step feature"]
    peaks: Float[np.ndarray, "*step feature"]
    rows: Int[np.ndarray, "*step feature"]
    columns: Int[np.ndarray, "*step feature"]


class Moments(NamedTuple):
    """Steps, with what is around them.

    Attributes:
      readings: of the features.
      totals_around: from `spikes.around`.
      values: of the observations.
      values_around: from `spikes.around`.
      advantages: of the actions taken, in units of the values.
    """

    readings: Readings
    totals_around: Float[np.ndarray, " 2 *step feature"]
    values: Float[np.ndarray, "*step"]
    values_around: Float[np.ndarray, " 2 *step"]
    advantages: Float[np.ndarray, "*step"]

    @property
    def change(self) -> Float[np.ndarray, "*step feature"]:
        """How far each feature's total leaves those of the steps around."""
        return departure(self.readings.totals, self.totals_around)

    @property
    def value_change(self) -> Float[np.ndarray, "*step"]:
        """How far the value leaves those of the steps around."""
        return departure(self.values, self.values_around)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What must be exceeded, from the steps that the agent played.

    Attributes:
      change: of a feature's total against its neighbours'.
      peak: of a feature's strongest position, at a surprise.
      advantage: of a surprise.
    """

    change: Float[np.ndarray, " feature"]
    peak: Float[np.ndarray, " feature"]
    advantage: float


def read_maps(maps: Float[np.ndarray, "*step row column feature"]) -> Readings:
    """Totals and strongest positions of attribution maps."""
    *steps, height, width, num_features = maps.shape
    flat = maps.reshape(*steps, height * width, num_features)
    place = np.abs(flat).argmax(-2)
    peaks = np.take_along_axis(flat, place[..., None, :], -2)[..., 0, :]
    return Readings(flat.sum(-2), peaks, *np.divmod(place, width))


def moments_of(
    readings: Readings,
    values: Float[np.ndarray, "time env"],
    advantages: Float[np.ndarray, "time env"],
    starts: Bool[np.ndarray, "time env"],
    config: FinderConfig,
) -> Moments:
    """The steps of trajectories, with what is around each.

    Args:
      readings: with the axes time and env.
      values: of each step.
      advantages: of each step.
      starts: whether a step opens an episode.
      config: says what is around.
    """

    def medians(series: np.ndarray) -> np.ndarray:
        one_by_one = [
            around(series[:, env], starts[:, env], window=config.window)
            for env in range(values.shape[1])
        ]
        return np.stack(one_by_one, 2)

    return Moments(readings, medians(readings.totals), values, medians(values), advantages)


def limits_of(moments: Moments, config: FinderConfig) -> Limits:
    """The limits that the played steps give."""
    changes = moments.readings.totals[None] - moments.totals_around
    smallest = config.smallest * float(moments.values.std())
    strongest = np.abs(moments.readings.peaks).reshape(-1, changes.shape[-1])
    return Limits(
        change=np.maximum(config.deviations * robust_deviation(changes), smallest),
        peak=np.quantile(strongest, 1 - config.surprise, axis=0),
        advantage=float(np.quantile(np.abs(moments.advantages), 1 - config.surprise)),
    )


def moves_value(moments: Moments, limits: Limits) -> Int8[np.ndarray, "*step feature"]:
    """Whether a feature moves the value at a step.

    SPIKE: its total leaves those of the steps before and behind by more than the limit, and not
    because it falls silent; its strongest position and the value go in the same direction.
    SURPRISE: the advantage is an outlier, and the feature's strongest position is one of its
    strongest at all.

    Returns:
      NOT_MOVED, SPIKE or SURPRISE for each step and feature.
    """
    change, value_change = moments.change, moments.value_change[..., None]
    totals, peaks = moments.readings.totals, moments.readings.peaks
    is_louder = (np.abs(totals)[None] > np.abs(moments.totals_around)).all(0)
    same_sign = (change * value_change > 0) & (change * peaks > 0)
    is_spike = (np.abs(change) > limits.change) & is_louder & same_sign
    surprised = (np.abs(moments.advantages) > limits.advantage)[..., None]
    is_surprise = surprised & (np.abs(moments.readings.peaks) > limits.peak)
    return np.where(is_spike, SPIKE, np.where(is_surprise, SURPRISE, NOT_MOVED)).astype(np.int8)


def sees_its_class(
    readings: Readings,
    in_field: Bool[np.ndarray, "step row column class"],
    classes: tuple[str | None, ...],
) -> Bool[np.ndarray, "step feature"]:
    """Whether a feature's class lies in the receptive field of its strongest position.

    Args:
      readings: of the same steps.
      in_field: from `object_classes.classes_in_field`.
      classes: of each feature; of one without a class it is said to be seen, so that it is never
        called a hallucination.
    """
    steps = np.arange(len(in_field))
    seen = np.ones(readings.totals.shape, bool)
    for index, name in enumerate(classes):
        if name is not None:
            place = readings.rows[:, index], readings.columns[:, index]
            seen[:, index] = in_field[steps, *place, CLASSES.index(name)]
    return seen
