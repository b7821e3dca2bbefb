"""The failed episodes of what was played, and why each failed."""

from collections.abc import Iterator, Sequence

import numpy as np

from rlvision_jax.envs.coinrun import CoinRunConfig
from rlvision_jax.envs.coinrun.replays import PlayedLevel, failure_causes
from rlvision_jax.interface.schema import Failure, Trajectory

UNKNOWN = "unknown"


def find_failures(
    trajectories: Sequence[Trajectory], config: CoinRunConfig | None
) -> tuple[Failure, ...]:
    """Lists the episodes that ended by the rules of the game, but not at its goal.

    Args:
      trajectories: each from the beginning of an episode on.
      config: `replay_config` of the environment; None: the causes stay unknown.
    """
    ends = list(_failed(trajectories))
    causes = [UNKNOWN] * len(ends)
    if config is not None and ends:
        levels = [
            PlayedLevel(
                int(trajectories[index].level_seeds[start]),
                trajectories[index].actions[start : end + 1].tolist(),
            )
            for index, start, end in ends
        ]
        causes = [cause.name.lower() for cause in failure_causes(levels, config)]
    return tuple(
        Failure(cause=cause, trajectory=index, step=end)
        for cause, (index, _, end) in zip(causes, ends, strict=True)
    )


def _failed(trajectories: Sequence[Trajectory]) -> Iterator[tuple[int, int, int]]:
    """Trajectory, first and last step of each."""
    for index, trajectory in enumerate(trajectories):
        start = 0
        for end in np.flatnonzero(trajectory.terminated | trajectory.truncated).tolist():
            if trajectory.terminated[end] and not trajectory.level_complete[end]:
                yield index, start, end
            start = end + 1
