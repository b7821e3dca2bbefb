"""Trajectories of two agents on the same levels, told which belongs beside which."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from rlvision_jax.interface.schema import Trajectory


def paired(
    first: Sequence[Trajectory], second: Sequence[Trajectory], *, levels: bool
) -> tuple[Trajectory, ...]:
    """The trajectories of two agents, each with its counterpart; the first agent's come first.

    Args:
      first: trajectories of the first agent.
      second: of the second, in the same environments.
      levels: whether level seeds mean anything and must agree.

    Raises:
      ValueError: if the agents did not play as many trajectories, or other levels.
    """
    if len(first) != len(second):
        raise ValueError(
            f"the agents played {len(first)} and {len(second)} trajectories; expected as many"
        )
    for index in range(len(first) if levels else 0):
        seeds = [_seeds_of_episodes(side[index]) for side in (first, second)]
        for episode, (a, b) in enumerate(zip(*seeds, strict=False)):
            if a != b:
                raise ValueError(
                    f"episode {episode + 1} of trajectory {index + 1} is level {a} for the first "
                    f"agent and level {b} for the second; the environment must give both the same"
                )
    return tuple(
        dataclasses.replace(
            trajectory, agent=agent, counterpart=index + (1 - 2 * agent) * len(first)
        )
        for index, (agent, trajectory) in enumerate(
            [(0, trajectory) for trajectory in first] + [(1, trajectory) for trajectory in second]
        )
    )


def _seeds_of_episodes(trajectory: Trajectory) -> list[int]:
    ended = trajectory.terminated | trajectory.truncated
    starts = np.flatnonzero(np.concatenate([[True], ended[:-1]]))
    return trajectory.level_seeds[starts].tolist()
