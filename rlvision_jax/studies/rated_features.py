"""From an agent to what people rate: its features, their examples and their scores."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from rlvision_jax import checkpoint
from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.features import attribution_maps
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.labelled_frames import check_ground_truth
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.rating import RatedFeature, example_patches
from rlvision_jax.studies.scored_features import (
    FeaturesConfig,
    chosen_layer,
    find_features,
    sample_frames,
    score_directions,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatingConfig(FeaturesConfig):
    """Which features are rated, and what is shown of each.

    Attributes:
      num_examples: patches shown of each feature.
    """

    num_examples: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("num_examples", self.num_examples, 1)


def rated_features(
    name: str,
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: RatingConfig,
    *,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> list[RatedFeature]:
    """The features of one agent for `rating_page`.

    Args:
      name: of the agent, for the key.
      policy: of the agent.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it.
      config: which features.
      cells: where finished work lies: one cell for each agent and layer.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: as `study_interpretability`.
    """
    check_ground_truth(agent_config)
    config = dataclasses.replace(config, layer=chosen_layer(policy, config.layer))

    def compute() -> list[dict[str, Any]]:
        frames = sample_frames(policy, params, agent_config, config, num_threads, notify)
        directions = find_features(policy, params, frames, config)
        scored = score_directions(policy, params, frames, directions, config, notify=notify)
        maps, _ = attribution_maps(policy, params, frames.observations, directions, "value")
        rated = []
        for index, feature in enumerate(scored):
            patches, raises = example_patches(
                frames.observations,
                maps[..., index],
                frames.level_seeds,
                num_examples=config.num_examples,
            )
            score = feature.score
            rated.append(
                RatedFeature(name, index + 1, score.object_class, score.score, patches, raises)
            )
        return [feature._asdict() for feature in rated]

    fingerprint = checkpoint.fingerprint(params)
    depends_on = {
        "agent": name,
        "parameters": fingerprint,
        "env": agent_config["env"],
        "env_options": dict(agent_config.get("env_options", {})),
        **dataclasses.asdict(config),
    }
    found = cells.run(f"{fingerprint[:12]}-{str(config.layer).lower()}", depends_on, compute)
    return [RatedFeature(**feature) for feature in found]
