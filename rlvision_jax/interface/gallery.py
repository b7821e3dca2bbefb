"""A report of chosen levels: one trajectory for each, and a bookmark where to look.

Shows what `studies.failures` found; computes nothing new. (Host only.)
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
from jaxtyping import UInt8

from rlvision_jax import checkpoint, envs
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.features import Directions
from rlvision_jax.interface.describe import describe_features
from rlvision_jax.interface.replayed import SCORE, replayed_trajectory
from rlvision_jax.interface.schema import Bookmark, Failure, Report, Score
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.failures import FailedEpisode


def build_gallery(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    episodes: Sequence[FailedEpisode],
    directions: Directions,
    frames: UInt8[np.ndarray, "frame height width 3"],
    *,
    title: str,
    num_examples: int = 16,
    notify: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Report:
    """Plays failed levels again and explains the value function along them.

    The page lists each level twice: by its cause, which leads to its last frame, and by its
    lowest advantage, which leads to the frame of it.

    Args:
      policy: as `checkpoint.load` returned it.
      params: its parameters.
      agent_config: likewise; its environment is CoinRun.
      episodes: what to show, at least one.
      directions: features of a layer.
      frames: observations that the features' examples are cut out of.
      title: heading of the page.
      num_examples: dataset examples of each feature, at most as many as `frames`.
      notify: told of progress.

    Raises:
      ValueError: if a level cannot be played again (`studies.replaying.replay`).
    """
    trajectories = []
    for index, episode in enumerate(episodes):
        notify("playing the gallery", index, len(episodes))
        trajectories.append(
            replayed_trajectory(
                (policy, params, dict(agent_config)),
                episode.seed,
                episode.actions,
                directions,
                label=f"{episode.cause.replace('_', ' ')}, level {episode.seed}",
            )
        )
    notify("playing the gallery", len(episodes), len(episodes))
    places = range(len(episodes))
    return Report(
        title=title,
        action_names=envs.ACTION_NAMES,
        layers=(describe_features(policy, params, frames, directions, num_examples),),
        scores=(Score(name=SCORE),),
        trajectories=tuple(trajectories),
        bookmarks=tuple(
            Bookmark(kind="low", trajectory=index, step=episodes[index].worst_step)
            for index in sorted(places, key=lambda index: episodes[index].worst_advantage)
        ),
        failures=tuple(
            Failure(
                cause=episodes[index].cause,
                trajectory=index,
                step=len(episodes[index].actions) - 1,
            )
            for index in places
        ),
        provenance={
            "rlvision_jax": __version__,
            "policy": policy.name,
            "parameters": checkpoint.fingerprint(params),
            "agent": dict(agent_config),
            "levels": [episode.seed for episode in episodes],
        },
    )


def gallery_links(
    episodes: Sequence[FailedEpisode], layer: str, *, page: str = "gallery/index.html"
) -> dict[int, str]:
    """Links that open the gallery at the step of each episode's lowest advantage.

    Args:
      episodes: what the gallery shows, in its order.
      layer: whose features it shows.
      page: address of the gallery.

    Returns:
      A link for each of the episodes' levels.

    Example:
      >>> episode = FailedEpisode(7, 123, "saw", [7] * 30, -2.5, 28)
      >>> gallery_links([episode], "2b")
      {7: 'gallery/index.html#trajectory=1&step=29&layer=2b&score=value'}
    """
    return {
        episode.level: f"{page}#"
        + urlencode(
            {
                "trajectory": index + 1,
                "step": episode.worst_step + 1,
                "layer": layer,
                "score": SCORE,
            }
        )
        for index, episode in enumerate(episodes)
    }
