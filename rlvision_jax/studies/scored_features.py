"""An agent's features with their scores: played, found, scored. (Host only.)"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.factorization import fit_nmf
from rlvision_jax.features import Directions, attribution_maps, find_directions
from rlvision_jax.models import VisionPolicy, check_layer, middle_layer
from rlvision_jax.studies.labelled_frames import LabelledFrames, sample_labelled_frames
from rlvision_jax.studies.object_classes import TILE, position_classes
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.receptive_fields import receptive_fields
from rlvision_jax.studies.scoring import FeatureScore, ScoreConfig, score_feature

# Frames of which activations are computed at once.
_CHUNK = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeaturesConfig:
    """Which features are found and scored, and on which frames.

    Attributes:
      layer: whose features they are; None: the middle one, which is 2b of the clear network.
      num_features: features of the layer.
      basis: what the features are found in: attributions of the value, as the article does, or
        activations.
      num_frames: observations that features are found in and scored on.
      frame_interval: steps between two of these observations of one environment.
      num_envs: environments that they are played in.
      strongest: share of frames that count: those in which a feature is strongest.
      reach: how far beside an object an attribution still points at it, pixels.
      resamples: of the levels, for the stability and the intervals.
      seed: of levels, actions and resamples.
    """

    layer: str | None = None
    num_features: int = 8
    basis: Literal["attribution", "activation"] = "attribution"
    num_frames: int = 4096
    frame_interval: int = 128
    num_envs: int = 32
    strongest: float = 0.1
    reach: int = TILE
    resamples: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_features", "num_frames", "frame_interval", "num_envs", "reach"):
            check_at_least(name, getattr(self, name), 1)
        check_at_least("seed", self.seed, 0)
        self.score_config  # noqa: B018 (checks its numbers)

    @property
    def score_config(self) -> ScoreConfig:
        """How each feature is scored."""
        return ScoreConfig(strongest=self.strongest, resamples=self.resamples, seed=self.seed)


def sample_frames(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: FeaturesConfig,
    num_threads: int,
    notify: Notify,
) -> LabelledFrames:
    """The frames of the study, with ground truth."""
    rounds = -(-config.num_frames // config.num_envs) * config.frame_interval
    return sample_labelled_frames(
        policy,
        params,
        agent_config,
        num_frames=config.num_frames,
        interval=config.frame_interval,
        num_envs=config.num_envs,
        seed=config.seed,
        num_threads=num_threads,
        on_step=lambda step: notify("playing", step, rounds),
    )


def chosen_layer(policy: VisionPolicy, layer: str | None) -> str:
    """The layer of a study; None: the middle one.

    Raises:
      ValueError: if the policy has no such layer.
    """
    layer = middle_layer(policy) if layer is None else layer
    check_layer(policy, layer)
    return layer


class ScoredFeature(NamedTuple):
    """One feature of a layer.

    Attributes:
      score: and its parts.
      raises: share of the frames in which it is strongest that it raises the value of.
      attribution: sum of its magnitude over all frames, in units of the value.
    """

    score: FeatureScore
    raises: float
    attribution: float


def score_directions(
    policy: VisionPolicy,
    params: Params,
    frames: LabelledFrames,
    directions: Directions,
    config: FeaturesConfig,
    *,
    notify: Notify = lambda stage, done, total: None,
) -> list[ScoredFeature]:
    """Scores features of a layer on frames, by the attribution of the value to them.

    Args:
      policy: of the agent.
      params: its parameters.
      frames: with ground truth.
      directions: the layer and its features.
      config: how.
      notify: told of progress.
    """
    maps, _ = attribution_maps(policy, params, frames.observations, directions, "value")
    field = receptive_fields(policy, params)[directions.layer]
    named = position_classes(frames.masks, field, reach=config.reach)
    scored = []
    for index, feature in enumerate(np.moveaxis(maps, -1, 0)):
        notify("scoring features", index, maps.shape[-1])
        score = score_feature(np.abs(feature), named, frames.level_seeds, config.score_config)
        raises = _share_positive(feature, config.strongest)
        scored.append(ScoredFeature(score, raises, float(np.abs(feature).sum())))
    notify("scoring features", maps.shape[-1], maps.shape[-1])
    return scored


def find_features(
    policy: VisionPolicy, params: Params, frames: LabelledFrames, config: FeaturesConfig
) -> Directions:
    """The features of a layer in frames, of attributions of the value or of activations.

    Args:
      policy: of the agent.
      params: its parameters.
      frames: that the features are found in.
      config: how many, and in what; `layer` must be named.
    """
    layer = str(config.layer)
    if config.basis == "attribution":
        return find_directions(
            policy, params, frames.observations, layer, num_features=config.num_features
        )
    starts = range(0, len(frames.observations), _CHUNK)
    matrix = np.concatenate(
        [
            np.asarray(policy.activations(params, frames.observations[i : i + _CHUNK], layer))
            for i in starts
        ]
    )
    nmf = fit_nmf(matrix.reshape(-1, matrix.shape[-1]), config.num_features)
    return Directions(layer=layer, nmf=nmf)


def _share_positive(feature: Float[np.ndarray, "frame row column"], strongest: float) -> float:
    """Of the frames in which a feature is strongest, those in which it raises the value there."""
    flat = feature.reshape(len(feature), -1)
    place = np.abs(flat).argmax(1)
    peaks = flat[np.arange(len(flat)), place]
    order = np.argsort(-np.abs(peaks), kind="stable")[: max(1, round(strongest * len(flat)))]
    return float((peaks[order] > 0).mean())
