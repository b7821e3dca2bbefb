"""A report of the levels in which an agent hallucinated, and a bookmark for each hallucination.

Shows what `studies.hallucinations` found; computes nothing new. (Host only.)
"""

import dataclasses
from collections.abc import Callable
from urllib.parse import urlencode

from rlvision_jax import checkpoint, envs
from rlvision_jax._version import __version__
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.describe import describe_features
from rlvision_jax.interface.replayed import SCORE, replayed_trajectory
from rlvision_jax.interface.schema import Bookmark, Layer, Report, Score
from rlvision_jax.studies.hallucinations import HallucinationsResult

# Features are known by few frames here.
_NUM_EXAMPLES = 8


def build_hallucinations(
    agent: Agent,
    result: HallucinationsResult,
    *,
    title: str,
    notify: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Report:
    """Plays the levels of hallucinations again and explains the value function along them.

    Features are named by what they detect. Bookmarks are grouped by what was hallucinated and say
    which feature saw it in what; the objects that are there are marked.

    Args:
      agent: that was studied, as `checkpoint.load` returned it.
      result: of the study; at least one hallucination is kept for looking at.
      title: heading of the page.
      notify: told of progress.

    Raises:
      ValueError: if there is nothing to show, or a level cannot be played again
        (`studies.replaying.replay`).
    """
    policy, params, agent_config = agent
    stretches, directions, examples = result.seen
    if not stretches:
        raise ValueError("no hallucination is kept; nothing to show")
    trajectories = []
    for index, stretch in enumerate(stretches):
        notify("playing the gallery", index, len(stretches))
        trajectories.append(
            replayed_trajectory(
                agent,
                stretch.level_seed,
                stretch.actions,
                directions,
                label=f"level {stretch.level_seed}",
                complete=False,
                objects=True,
            )
        )
    notify("playing the gallery", len(stretches), len(stretches))
    layer = describe_features(
        policy, params, examples, directions, min(_NUM_EXAMPLES, len(examples))
    )
    return Report(
        title=title,
        action_names=envs.ACTION_NAMES,
        layers=(_named(layer, result.classes),),
        scores=(Score(name=SCORE),),
        trajectories=tuple(trajectories),
        bookmarks=tuple(
            _bookmark(result, place, index, step) for place, index, step in _places(result)
        ),
        object_names=envs.OBJECT_NAMES,
        provenance={
            "rlvision_jax": __version__,
            "policy": policy.config,
            "parameters": checkpoint.fingerprint(params),
            "agent": dict(agent_config),
            "levels": [stretch.level_seed for stretch in stretches],
        },
    )


def hallucination_links(
    result: HallucinationsResult, *, page: str = "gallery/index.html"
) -> dict[int, str]:
    """Links that open the gallery at a hallucination, its feature alone and its class marked.

    Args:
      result: of the study.
      page: address of the gallery.

    Returns:
      A link for each row of the table that the gallery shows, by its place.
    """
    links = {}
    for place, index, step in _places(result):
        row = result.rows[place]
        features = range(1, len(result.classes) + 1)
        fields = {
            "trajectory": index + 1,
            "step": step + 1,
            "layer": result.seen.directions.layer,
            "score": SCORE,
            "hide": " ".join(str(n) for n in features if n != row["feature"]),
            "object": row["object_class"],
        }
        links[place] = f"{page}#{urlencode(fields)}"
    return links


def _places(result: HallucinationsResult) -> list[tuple[int, int, int]]:
    """Of each hallucination shown, in the table's order: its row, its trajectory, its step."""
    return sorted(
        (row, index, step)
        for index, stretch in enumerate(result.seen.stretches)
        for row, step in zip(stretch.rows, stretch.steps, strict=True)
    )


def _bookmark(result: HallucinationsResult, place: int, trajectory: int, step: int) -> Bookmark:
    row = result.rows[place]
    return Bookmark(
        kind=f"hallucinated {row['object_class']}",
        trajectory=trajectory,
        step=step,
        note=f"feature {row['feature']} in {row['instead']}, {row['change']:+.2g}",
    )


def _named(layer: Layer, classes: tuple[str | None, ...]) -> Layer:
    """Names features by what they detect."""
    return dataclasses.replace(
        layer,
        features=tuple(
            feature if name is None else dataclasses.replace(feature, name=name)
            for feature, name in zip(layer.features, classes, strict=True)
        ),
    )
