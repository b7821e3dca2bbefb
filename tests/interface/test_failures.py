import dataclasses

import numpy as np

from rlvision_jax.envs.coinrun import CoinRunConfig
from rlvision_jax.interface import Failure, Trajectory
from rlvision_jax.interface.failures import find_failures

_RIGHT_UP = 8


def test_episodes_that_end_elsewhere_than_at_the_goal_are_listed(report):
    # Each trajectory of the fixture: completed at step 7, failed at 14, cut off by the end.
    assert find_failures(report.trajectories, None) == (
        Failure(cause="unknown", trajectory=0, step=14),
        Failure(cause="unknown", trajectory=1, step=14),
    )


def test_truncated_episodes_are_not_failures(report):
    trajectory = report.trajectories[0]
    cut = dataclasses.replace(
        trajectory, truncated=trajectory.terminated, terminated=np.zeros_like(trajectory.terminated)
    )
    assert find_failures([cut], None) == ()


def test_the_cause_is_found_by_playing_the_level_again(report):
    """Level 17 of the easy mode, always jumping right, ends at a saw (docs of `failure_causes`)."""
    num_steps = 30
    first = report.trajectories[0]
    names = {field.name for field in dataclasses.fields(first)}
    names -= {"label", "attributions", "object_masks", "human_frames", "agent", "counterpart"}
    longer = {name: np.repeat(getattr(first, name), 2, axis=0)[:num_steps] for name in names}
    longer |= {
        "actions": np.full(num_steps, _RIGHT_UP, np.int32),
        "level_seeds": np.full(num_steps, 17, np.int32),
        "terminated": np.arange(num_steps) == num_steps - 1,
        "level_complete": np.zeros(num_steps, bool),
    }
    played = Trajectory(**longer)
    config = CoinRunConfig(distribution_mode="easy")
    assert find_failures([played], config) == (Failure(cause="saw", trajectory=0, step=29),)
