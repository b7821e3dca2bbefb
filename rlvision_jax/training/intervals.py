"""Confidence intervals of proportions.

Source: Wilson 1927, doi 10.1080/01621459.1927.10502953; Brown, Cai and DasGupta 2001, doi
10.1214/ss/1009213286, on why: unlike the normal approximation it holds near 0 and 1.
"""

import math

from rlvision_jax._checks import check_at_least

# The normal distribution holds 95% within this many standard deviations.
_Z_95 = 1.959963984540054


def wilson_interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95% interval of the probability behind `count` successes in `total` trials.

    Args:
      count: 0 to `total`.
      total: at least 1.

    Raises:
      ValueError: if either is out of range.

    Example:
      >>> low, high = wilson_interval(0, 100)
      >>> round(low, 4), round(high, 4)
      (0.0, 0.037)
    """
    check_at_least("total", total, 1)
    check_at_least("count", count, 0)
    if count > total:
        raise ValueError(f"count must be at most total, {total}; got {count}")
    share, z2 = count / total, _Z_95**2
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    deviation = math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    half_width = _Z_95 * deviation / (1 + z2 / total)
    # Exactly 0 and 1 at the ends, where rounding misses them.
    low = 0.0 if count == 0 else centre - half_width
    high = 1.0 if count == total else centre + half_width
    return low, high
