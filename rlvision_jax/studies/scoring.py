"""How interpretable a feature is, by ground truth: does it keep to one kind of object?

The article's authors scored features by hand, "based on how consistently they focused on the same
objects, and whether the value function attribution made sense". This is that, counted. Host module,
in NumPy. docs/studies/interpretability.md has the definitions in full.
"""

import dataclasses

import numpy as np
from jaxtyping import Bool, Float, Int, Int8

from rlvision_jax._checks import check_at_least
from rlvision_jax.studies.object_classes import CLASSES

RELEVANT = frozenset(CLASSES) - {"background"}
"""Classes that matter to the task."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoreConfig:
    """How features are scored.

    Attributes:
      strongest: share of frames that count: those in which the feature is strongest.
      resamples: of the levels, for the stability and the interval.
      seed: of the resamples.
    """

    strongest: float = 0.1
    resamples: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        check_at_least("resamples", self.resamples, 1)
        if not 0 < self.strongest <= 1:
            raise ValueError(f"strongest must be above 0 and at most 1; got {self.strongest}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureScore:
    """The score of one feature and what it is made of; all parts are from 0 to 1.

    Attributes:
      object_class: one of `CLASSES`, that the feature keeps to most; None if to none beyond chance.
      hits: share of the strongest attributions that lie on the class, weighted by strength.
      chance: what the same places hold of the class in all frames, plus two standard errors of as
        many frames.
      consistency: (hits - chance) / (1 - chance), at least 0.
      relevance: 1 if the class matters to the task, 0 for the background.
      coverage: share of the frames that show the class in which the feature is stronger on it than
        elsewhere in the median frame.
      stability: share of the resamples that find the same class.
      score: consistency x relevance x stability x (1 + coverage) / 2.
      resampled: the score of each resample, with the stability of all.
    """

    object_class: str | None
    hits: float
    chance: float
    consistency: float
    relevance: float
    coverage: float
    stability: float
    score: float
    resampled: Float[np.ndarray, " resample"]

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the score, by resampling."""
        return percentile_interval(self.resampled)


def percentile_interval(resampled: Float[np.ndarray, " resample"]) -> tuple[float, float]:
    """What the middle 95% of resampled numbers lie between."""
    low, high = np.percentile(resampled, [2.5, 97.5])
    return float(low), float(high)


def score_feature(
    strengths: Float[np.ndarray, "frame row column"],
    named: Int8[np.ndarray, "frame row column"],
    groups: Int[np.ndarray, " frame"],
    config: ScoreConfig,
) -> FeatureScore:
    """Scores one feature.

    Args:
      strengths: of the feature, at least 0: the magnitude of its attribution at each position.
      named: what each position shows, from `position_classes`.
      groups: frames of one level, which look alike, have the same number; whole groups are
        resampled.
      config: how.

    Raises:
      ValueError: if there are no frames, or a strength is negative or not finite.
    """
    if not len(strengths) or not (strengths.min() >= 0 and np.isfinite(strengths).all()):
        raise ValueError(
            "strengths must be those of one frame or more, at least 0 and finite; got "
            f"{len(strengths)} frames"
            + (
                f" with strengths from {strengths.min()} to {strengths.max()}"
                if len(strengths)
                else ""
            )
        )
    evidence = _evidence(strengths, named)
    once = np.ones((1, len(strengths)))
    whole = _assess(evidence, once, config.strongest)
    if whole.found[0] < 0:
        silent = np.zeros(config.resamples)
        return FeatureScore(object_class=None, **dict.fromkeys(_PARTS, 0.0), resampled=silent)
    resampled = _assess(evidence, _resamples(groups, config), config.strongest)
    found = int(whole.found[0])
    stability = float(np.mean(resampled.found == found))
    return FeatureScore(
        object_class=CLASSES[found],
        hits=float(whole.hits[0]),
        chance=float(whole.chance[0]),
        consistency=float(whole.consistency[0]),
        relevance=float(whole.relevance[0]),
        coverage=float(whole.coverage[0]),
        stability=stability,
        score=float(stability * whole.unweighted[0]),
        resampled=stability * resampled.unweighted,
    )


_PARTS = ("hits", "chance", "consistency", "relevance", "coverage", "stability", "score")


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Evidence:
    """What each frame says of a feature.

    Attributes:
      peaks: strength at the strongest position.
      hits: which classes lie there; shares, where several positions are equally strong.
      chance: which classes lie in these places in all frames, as shares.
      shown: whether the frame shows a class.
      covered: whether it does and the feature is stronger there than usual elsewhere.
    """

    peaks: Float[np.ndarray, " frame"]
    hits: Float[np.ndarray, "frame class"]
    chance: Float[np.ndarray, "frame class"]
    shown: Bool[np.ndarray, "frame class"]
    covered: Bool[np.ndarray, "frame class"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Assessment:
    """The parts of the score on several multisets of the frames; `found` is -1 for no class."""

    found: Int[np.ndarray, " set"]
    hits: Float[np.ndarray, " set"]
    chance: Float[np.ndarray, " set"]
    consistency: Float[np.ndarray, " set"]
    relevance: Float[np.ndarray, " set"]
    coverage: Float[np.ndarray, " set"]

    @property
    def unweighted(self) -> Float[np.ndarray, " set"]:
        """The scores, but for the stability."""
        return self.consistency * self.relevance * (1 + self.coverage) / 2


def _evidence(
    strengths: Float[np.ndarray, "frame row column"], named: Int8[np.ndarray, "frame row column"]
) -> _Evidence:
    num_frames = len(strengths)
    flat, classes = strengths.reshape(num_frames, -1), named.reshape(num_frames, -1)
    peaks = flat.max(1)
    strongest = flat == peaks[:, None]
    strongest = strongest / strongest.sum(1, keepdims=True)
    hits, chance, shown, covered = (np.zeros((num_frames, len(CLASSES))) for _ in range(4))
    for index in range(len(CLASSES)):
        is_class = classes == index
        hits[:, index] = (strongest * is_class).sum(1)
        chance[:, index] = strongest @ is_class.mean(0)
        shown[:, index] = is_class.any(1)
        usual = np.median(np.where(is_class, 0, flat).max(1))
        covered[:, index] = np.where(is_class, flat, 0).max(1) > usual
    return _Evidence(
        peaks=peaks, hits=hits, chance=chance, shown=shown > 0, covered=(covered > 0) & (shown > 0)
    )


def _assess(
    evidence: _Evidence, counts: Float[np.ndarray, "set frame"], strongest: float
) -> _Assessment:
    """Assesses a feature on several multisets of the frames at once.

    Args:
      evidence: of each frame.
      counts: how often each frame is in each set.
      strongest: share of a set that counts.
    """
    order = np.argsort(-evidence.peaks, kind="stable")
    before = counts[:, order].cumsum(1) - counts[:, order]
    wanted = np.maximum(1, strongest * counts.sum(1, keepdims=True))
    weights = np.clip(wanted - before, 0, counts[:, order]) * evidence.peaks[order]
    total = weights.sum(1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    hits, chance = weights @ evidence.hits[order], weights @ evidence.chance[order]
    # Without this, certainty in place of 99% would count as much as certainty in place of 1%.
    squares = (weights**2).sum(1, keepdims=True)  # one over the effective number of frames
    chance = np.minimum(chance + 2 * np.sqrt(np.maximum(chance * (1 - chance), 0) * squares), 1)
    above = np.maximum(hits - chance, 0)
    consistency = np.divide(above, 1 - chance, out=np.zeros_like(above), where=chance < 1)
    found = consistency.argmax(1)
    shown = counts @ evidence.shown
    covered = counts @ evidence.covered
    coverage = np.divide(covered, shown, out=np.zeros_like(covered), where=shown > 0)
    sets = np.arange(len(counts))
    relevant = np.array([name in RELEVANT for name in CLASSES])
    return _Assessment(
        found=np.where(consistency[sets, found] > 0, found, -1),
        hits=hits[sets, found],
        chance=chance[sets, found],
        consistency=consistency[sets, found],
        relevance=relevant[found].astype(float),
        coverage=coverage[sets, found],
    )


def _resamples(
    groups: Int[np.ndarray, " frame"], config: ScoreConfig
) -> Float[np.ndarray, "set frame"]:
    """How often each frame is in each resample: groups are drawn with replacement."""
    _, group = np.unique(groups, return_inverse=True)
    num_groups = group.max() + 1
    drawn = np.random.default_rng(config.seed).multinomial(
        num_groups, np.full(num_groups, 1 / num_groups), config.resamples
    )
    return drawn[:, group].astype(float)
