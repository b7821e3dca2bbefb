"""Differences of two policies on the same levels.

Levels that both policies fail, or both do not, say nothing about the difference; so on equal
levels far smaller differences show than between two separate evaluations.
"""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

_Z_95 = 1.959963984540054


class PairedDifference(NamedTuple):
    """How much more often something happened after a change, on the same levels.

    Attributes:
      only_before: levels on which it happened before the change only.
      only_after: after it only.
      difference: share of levels after, minus share before.
      low: lower end of its 95% interval.
      high: upper end.
    """

    only_before: int
    only_after: int
    difference: float
    low: float
    high: float


def paired_difference(
    before: Bool[np.ndarray, " level"], after: Bool[np.ndarray, " level"]
) -> PairedDifference:
    """Difference of two shares of the same levels, with its 95% interval.

    Args:
      before: whether it happened, level by level, with the one policy.
      after: with the other.

    Raises:
      ValueError: if there are no levels, or not equally many.

    Source: Wald's interval of paired proportions as adjusted by Bonett and Price 2012, doi
    10.3102/1076998611411915, which Fagerland, Lydersen and Laake 2014, doi 10.1002/sim.6148,
    recommend. Its centre is pulled towards 0 by one level of each kind.

    Example:
      >>> before, after = np.zeros(100, bool), np.arange(100) < 10
      >>> [round(value, 3) for value in paired_difference(before, after)]
      [0, 10, 0.1, 0.034, 0.162]
    """
    if len(before) != len(after) or not len(before):
        raise ValueError(
            f"paired levels must be equally many, at least 1; got {len(before)} and {len(after)}"
        )
    total = len(before)
    only_before = int(np.count_nonzero(before & ~after))
    only_after = int(np.count_nonzero(after & ~before))
    more, less = (only_after + 1) / (total + 2), (only_before + 1) / (total + 2)
    half_width = _Z_95 * math.sqrt((more + less - (more - less) ** 2) / (total + 2))
    return PairedDifference(
        only_before=only_before,
        only_after=only_after,
        difference=(only_after - only_before) / total,
        low=max(-1.0, more - less - half_width),
        high=min(1.0, more - less + half_width),
    )
