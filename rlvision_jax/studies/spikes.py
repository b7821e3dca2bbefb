"""What stands out against its neighbours in time. (Host: NumPy.)"""

import numpy as np
from jaxtyping import Bool, Float

# Of a normal distribution, the standard deviation in units of the median magnitude.
_DEVIATION_PER_MEDIAN = 1.4826


def around(
    series: Float[np.ndarray, " time *rest"], starts: Bool[np.ndarray, " time"], *, window: int
) -> Float[np.ndarray, "2 time *rest"]:
    """The median of the steps before each step, and of those behind it, in its episode.

    On a side without steps it is the other side's; in an episode of one step, the step itself.

    Args:
      series: of one trajectory.
      starts: whether a step opens an episode.
      window: steps on either side.

    Example:
      >>> series = np.array([1.0, 1.0, 9.0, 2.0, 4.0])
      >>> around(series, np.array([True, False, False, False, False]), window=2)
      array([[5. , 1. , 1. , 5. , 5.5],
             [5. , 5.5, 3. , 4. , 5.5]])
    """
    episodes = starts.cumsum()
    medians = np.stack([series, series]).astype(float)
    for step in range(len(series)):
        low, high = np.searchsorted(episodes, episodes[step] + np.arange(2))
        sides = (
            series[max(low, step - window) : step],
            series[step + 1 : min(high, step + 1 + window)],
        )
        for side, other in ((0, 1), (1, 0)):
            near = sides[side] if len(sides[side]) else sides[other]
            if len(near):
                medians[side, step] = np.median(near, axis=0)
    return medians


def departure(
    series: Float[np.ndarray, "*shape"], medians: Float[np.ndarray, " 2 *shape"]
) -> Float[np.ndarray, "*shape"]:
    """How far a step leaves both what was before and what comes behind; the smaller of the two.

    A lasting change is none: it goes with what comes behind.

    Example:
      >>> departure(np.array([5.0, 5.0, 2.0]), np.array([[1.0, 1.0, 3.0], [2.0, 5.0, 1.0]]))
      array([3., 0., 0.])
    """
    before, behind = series - medians
    nearer = np.where(np.abs(before) < np.abs(behind), before, behind)
    return np.where(before * behind > 0, nearer, 0.0)


def robust_deviation(changes: Float[np.ndarray, "*rest feature"]) -> Float[np.ndarray, " feature"]:
    """Standard deviation of each feature's changes as most of them suggest, not the outliers."""
    return _DEVIATION_PER_MEDIAN * np.median(np.abs(changes).reshape(-1, changes.shape[-1]), axis=0)
