import dataclasses

import numpy as np
import pytest

from rlvision_jax.interface import Bookmark, Trajectory, advantage_bookmarks

# What these tests need not bring to another length.
_LEFT_OUT = {
    "label",
    "attributions",
    "object_masks",
    "human_frames",
    "agent",
    "counterpart",
}


def with_advantages(trajectory, advantages, ended):
    """The trajectory cut to these advantages and episode ends."""
    size = len(advantages)
    names = [f.name for f in dataclasses.fields(trajectory) if f.name not in _LEFT_OUT]
    cut = {name: getattr(trajectory, name)[:size] for name in names}
    cut["advantages"] = np.asarray(advantages, np.float32)
    cut["terminated"], cut["truncated"] = np.asarray(ended, bool), np.zeros(size, bool)
    return Trajectory(**cut)


def test_each_episode_enters_with_its_extreme_step(report):
    trajectory = with_advantages(
        report.trajectories[0], [1, 5, -1, -2, -3, 2, 2], [0, 0, 1, 0, 1, 0, 0]
    )
    assert advantage_bookmarks([trajectory]) == (
        Bookmark(kind="high", trajectory=0, step=1),
        Bookmark(
            kind="high", trajectory=0, step=5
        ),  # the unfinished episode, the earlier of equals
        Bookmark(kind="low", trajectory=0, step=4),  # -1 in the first episode comes after
        Bookmark(kind="low", trajectory=0, step=2),
    )


def test_truncation_ends_an_episode_too(report):
    trajectory = with_advantages(report.trajectories[0], [3, 4], [0, 0])
    cut = dataclasses.replace(trajectory, truncated=np.array([True, False]))
    steps = [bookmark.step for bookmark in advantage_bookmarks([cut])]
    assert steps == [1, 0]


def test_bookmarks_match_the_original_interface(report, golden):
    arrays = golden("gae_bookmarks.npz")
    # A trajectory of the golden arrays' length; only advantages and ends matter.
    names = {field.name for field in dataclasses.fields(Trajectory)} - _LEFT_OUT
    first = report.trajectories[0]
    long = {name: np.repeat(getattr(first, name), 3, axis=0) for name in names}
    base = Trajectory(**long)
    trajectories = [
        with_advantages(base, advantages, ended)
        for advantages, ended in zip(arrays["gae_999_95"], arrays["dones"], strict=True)
    ]
    for number in (3, 16):
        found = advantage_bookmarks(trajectories, num_per_kind=number)
        high = [(b.trajectory, b.step) for b in found if b.kind == "high"]
        low = [(b.trajectory, b.step) for b in found if b.kind == "low"]
        assert high == [tuple(row) for row in arrays["bookmarks_high16"][:number].tolist()]
        assert low == [tuple(row) for row in arrays["bookmarks_low16"][:number].tolist()]


def test_at_least_one_bookmark_is_kept():
    with pytest.raises(ValueError, match="num_per_kind must be an integer of at least 1; got 0"):
        advantage_bookmarks([], num_per_kind=0)
