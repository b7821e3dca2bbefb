"""Moments of surprise: the best and worst advantage of each episode.

As the interface of "Understanding RL Vision" lists them (rl_clarity/interface.py, get_bookmarks).
"""

from collections.abc import Sequence

import numpy as np

from rlvision_jax._checks import check_at_least
from rlvision_jax.interface.schema import Bookmark, Trajectory


def advantage_bookmarks(
    trajectories: Sequence[Trajectory], *, num_per_kind: int = 16
) -> tuple[Bookmark, ...]:
    """Lists the episodes that went most above and most below what the agent expected.

    Each episode (the end of a trajectory ends one too) enters with its step of highest positive
    advantage into "high" and with its step of lowest negative advantage into "low". Episodes
    without a positive (negative) advantage are left out. Ties keep the earlier one.

    Args:
      trajectories: what the report shows.
      num_per_kind: how many of each kind to keep, at least 1.

    Returns:
      The "high" ones, most surprising first, then the "low" ones.

    Raises:
      ValueError: if `num_per_kind` is below 1.
    """
    check_at_least("num_per_kind", num_per_kind, 1)
    return tuple(
        bookmark
        for kind, sign in (("high", 1.0), ("low", -1.0))
        for _, bookmark in _episode_extremes(trajectories, kind, sign)[:num_per_kind]
    )


def _episode_extremes(
    trajectories: Sequence[Trajectory], kind: str, sign: float
) -> list[tuple[float, Bookmark]]:
    extremes = []
    for index, trajectory in enumerate(trajectories):
        ended = trajectory.terminated | trajectory.truncated
        starts = np.flatnonzero(np.concatenate([[True], ended[:-1]]))
        for start, stop in zip(starts, [*starts[1:], ended.size], strict=True):
            surprise = sign * trajectory.advantages[start:stop]
            step = int(np.argmax(surprise))
            if surprise[step] > 0:
                bookmark = Bookmark(kind=kind, trajectory=index, step=int(start) + step)
                extremes.append((float(surprise[step]), bookmark))
    return sorted(extremes, key=lambda item: -item[0])
