"""A table of what each feature says to each score. (Host only.)"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rlvision_jax.sweeps.store import ShardIntegrityError

_RESIDUAL = "residual"


class SummaryRow(NamedTuple):
    """One feature and one score, over all frames.

    Attributes:
      score: its name.
      feature: number of the feature, from 1 on as in reports; "residual" for what none explains.
      positive: mean over frames of what speaks for the score, in its units. Of the residual, which
        is kept as one number for each frame: mean of those above 0.
      negative: the same of what speaks against it, at most 0.
      share: of all features' and the residual's absolute attributions.
      strongest_frame: frame where its total is farthest from 0.
    """

    score: str
    feature: str
    positive: float
    negative: float
    share: float
    strongest_frame: int


class Summary(NamedTuple):
    """What a sweep found; `print` shows a table.

    Attributes:
      num_frames: frames that it is of.
      rows: one for each score and feature.
      completeness_residual: largest absolute completeness residual of each score, in its units.
    """

    num_frames: int
    rows: tuple[SummaryRow, ...]
    completeness_residual: dict[str, float]

    def __str__(self) -> str:
        """The table."""
        lines = [
            f"{self.num_frames:,} frames; means over frames, in units of the score",
            f"{'score':<14}{'feature':>9}{'for':>10}{'against':>10}{'share':>8}"
            f"{'strongest in':>14}",
        ]
        for row in self.rows:
            lines.append(
                f"{row.score:<14}{row.feature:>9}{row.positive:>10.4f}{row.negative:>10.4f}"
                f"{row.share:>8.1%}{row.strongest_frame:>14}"
            )
        worst = ", ".join(
            f"{name} {value:.2g}" for name, value in self.completeness_residual.items()
        )
        return "\n".join([*lines, f"largest completeness residual: {worst}"])


def summarize(arrays: Mapping[str, Any], scores: Sequence[str], shards: Sequence[slice]) -> Summary:
    """Reads shards one by one.

    Args:
      arrays: of a `Sweep`.
      scores: their names.
      shards: frames of those that are finished, at least one.

    Raises:
      ShardIntegrityError: if one is damaged.
    """
    for_, against, strongest, where, worst = 0.0, 0.0, -1.0, 0, 0.0
    for shard in shards:
        try:
            positive, negative, residual, completeness = (
                np.asarray(arrays[name][shard], np.float64)
                for name in (
                    "feature_positive",
                    "feature_negative",
                    "residual",
                    "completeness_residual",
                )
            )
        except Exception as error:  # whatever a decoder makes of damaged bytes
            raise ShardIntegrityError(
                f"frames {shard.start} to {shard.stop - 1} are damaged ({error}); the same "
                "`rlvision attribute` command computes them again"
            ) from error
        # The residual as one more feature, behind the others.
        positive = np.concatenate([positive, np.maximum(residual, 0)[..., None]], -1)
        negative = np.concatenate([negative, np.minimum(residual, 0)[..., None]], -1)
        for_, against = for_ + positive.sum(0), against + negative.sum(0)
        totals = np.abs(positive + negative)
        here, here_in = totals.max(0), totals.argmax(0) + shard.start
        where = np.where(here > strongest, here_in, where)
        strongest = np.maximum(strongest, here)
        worst = np.maximum(worst, np.abs(completeness).max(0))
    num_frames = sum(shard.stop - shard.start for shard in shards)
    means = np.stack([for_, against]) / num_frames
    absolute = np.abs(means).sum(0)
    shares = absolute / np.maximum(absolute.sum(-1, keepdims=True), np.finfo(float).tiny)
    num_features = means.shape[-1] - 1
    rows = tuple(
        SummaryRow(
            score,
            _RESIDUAL if feature == num_features else str(feature + 1),
            float(means[0, index, feature]),
            float(means[1, index, feature]),
            float(shares[index, feature]),
            int(np.asarray(where)[index, feature]),
        )
        for index, score in enumerate(scores)
        for feature in range(num_features + 1)
    )
    return Summary(
        num_frames, rows, {name: float(np.asarray(worst)[i]) for i, name in enumerate(scores)}
    )
