"""How far people's ratings of features agree with the automatic score, and with each other."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from rlvision_jax._checks import check_at_least
from rlvision_jax.studies.rating import HIGHEST_RATING, Rating
from rlvision_jax.studies.scoring import percentile_interval
from rlvision_jax.studies.tables import Column, Table, Value

SCORE, MEAN_RATING = "automatic score", "mean rating"
"""What `agreement_table` calls them."""

_AGREEMENT = (
    Column("first", "one view of the features: the score, a rater, or the mean of all raters"),
    Column("second", "another"),
    Column("features", "that both know"),
    Column("correlation", "Spearman's rank correlation; empty where one has no order", "-1 to 1"),
    Column("low", "lower end of its 95% interval, over resampled features", "-1 to 1"),
    Column("high", "upper end", "-1 to 1"),
)
_AGENTS = (
    Column("agent", "whose features"),
    Column("features", "rated ones"),
    Column("score", "mean automatic score", "0 to 1"),
    Column("rating", "mean rating over the highest, as the article's percentages", "0 to 1"),
)


def rank_correlation(
    first: Float[np.ndarray, " item"], second: Float[np.ndarray, " item"]
) -> float | None:
    """Spearman's rank correlation, equal values sharing their mean rank; None without an order.

    Example:
      >>> rank_correlation(np.array([1.0, 2.0, 9.0]), np.array([0.1, 0.3, 0.2]))
      0.5
    """
    ranks = [_ranks(values) for values in (first, second)]
    centred = [rank - rank.mean() for rank in ranks]
    norm = np.sqrt((centred[0] @ centred[0]) * (centred[1] @ centred[1]))
    return float(centred[0] @ centred[1] / norm) if norm else None


def agreement_table(
    ratings: Sequence[Rating], key: Mapping[str, Any], *, resamples: int = 1000, seed: int = 0
) -> Table:
    """Rank correlations of the score, each rater and the raters' mean.

    Args:
      ratings: of all raters, from `read_ratings`.
      key: of the page.
      resamples: of the features, for the intervals.
      seed: of the resamples.

    Raises:
      ValueError: if there are no ratings.
    """
    check_at_least("resamples", resamples, 1)
    views = _views(ratings, key)
    rng = np.random.default_rng(seed)
    rows = []
    for (first, one), (second, other) in itertools.combinations(views.items(), 2):
        if first == MEAN_RATING:
            continue  # A rater against a mean of which they are part says nothing.
        shared = [item for item in one if item in other]
        a, b = (np.array([view[item] for item in shared], float) for view in (one, other))
        correlation = rank_correlation(a, b) if shared else None
        row: dict[str, Value] = {"first": first, "second": second, "features": len(shared)}
        row |= {"correlation": correlation, "low": None, "high": None}
        if correlation is not None:
            drawn = (rng.integers(len(shared), size=len(shared)) for _ in range(resamples))
            resampled = [rank_correlation(a[index], b[index]) for index in drawn]
            known = np.array([each for each in resampled if each is not None])
            if len(known):
                row["low"], row["high"] = percentile_interval(known)
        rows.append({name: round(v, 4) if isinstance(v, float) else v for name, v in row.items()})
    return Table(_AGREEMENT, tuple(rows))


def agent_table(ratings: Sequence[Rating], key: Mapping[str, Any]) -> Table:
    """Mean rating and mean score of each agent's rated features.

    Args:
      ratings: of all raters.
      key: of the page.

    Raises:
      ValueError: if there are no ratings.
    """
    mean = _views(ratings, key)[MEAN_RATING]
    agents: dict[str, list[str]] = {}
    for item in mean:
        agents.setdefault(key["items"][item]["agent"], []).append(item)
    rows = [
        {
            "agent": agent,
            "features": len(items),
            "score": round(float(np.mean([key["items"][item]["score"] for item in items])), 4),
            "rating": round(float(np.mean([mean[item] for item in items])) / HIGHEST_RATING, 4),
        }
        for agent, items in sorted(agents.items())
    ]
    return Table(_AGENTS, tuple(rows))


def _views(ratings: Sequence[Rating], key: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Numbers of the items by the score, the raters' mean and each rater."""
    if not ratings:
        raise ValueError("agreement needs ratings of at least one person; got none")
    raters: dict[str, dict[str, float]] = {}
    for rating in ratings:
        raters.setdefault(rating.rater, {})[rating.item] = float(rating.rating)
    rated = sorted({rating.item for rating in ratings})
    mean = {
        item: float(np.mean([view[item] for view in raters.values() if item in view]))
        for item in rated
    }
    score = {item: float(key["items"][item]["score"]) for item in rated}
    return {SCORE: score, MEAN_RATING: mean, **raters}


def _ranks(values: Float[np.ndarray, " item"]) -> Float[np.ndarray, " item"]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts.cumsum() - (counts + 1) / 2)[place]
