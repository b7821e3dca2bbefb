"""Feature directions of a layer: observations -> attribution -> factorization.

Host module: takes and returns NumPy arrays, apart from the factorization itself.
"""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._types import Params
from rlvision_jax.attribution import LayerScore, Score, attribute, attribute_scores
from rlvision_jax.factorization import NMF, fit_signed, project_signed
from rlvision_jax.models import VisionPolicy

# Frames per pass when only forward activations are needed.
_CHUNK = 64
# Frames times scores that are attributed before they are projected.
_BLOCK = 512


@dataclasses.dataclass(frozen=True, kw_only=True)
class Directions:
    """Features of one layer.

    Attributes:
      layer: name of the layer.
      nmf: the factorization; one row of `nmf.components` per feature.
    """

    layer: str
    nmf: NMF


def find_directions(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str,
    *,
    score: Score = "value",
    num_features: int = 8,
    num_steps: int = 10,
    rule: str = "right",
    batch_size: int | None = None,
) -> Directions:
    """Finds what a layer tells a score: attributes, then factorizes the attributions.

    Args:
      policy: what computes the score.
      params: its parameters.
      observations: frames, 0-255, sampled infrequently (the paper: one in 128 steps) so that few
        of them resemble each other.
      layer: one of `policy.layer_names`.
      score: "value", an action (its logit), or a tuple of actions (the sum of their logits).
      num_features: number of features, 1 to the number of channels.
      num_steps: evaluations on the path of integration, at least 1.
      rule: quadrature rule, as in `attribution.attribute`.
      batch_size: frames per compiled call, as in `attribution.attribute`.

    Raises:
      ValueError: as `attribution.attribute` and `factorization.fit_signed`.
    """
    attributions = attribute(
        policy,
        params,
        observations,
        layer,
        score,
        num_steps=num_steps,
        rule=rule,
        batch_size=batch_size,
    )
    return Directions(layer=layer, nmf=fit_signed(attributions, num_features))


def attribution_maps(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    directions: Directions,
    score: Score,
    *,
    num_steps: int = 10,
    rule: str = "right",
    batch_size: int | None = None,
) -> tuple[Float[np.ndarray, "frame h w feature"], Float[np.ndarray, "frame h w"]]:
    """Where each feature speaks for or against a score, and what the features leave.

    Args:
      policy: what computes the score.
      params: its parameters.
      observations: frames, 0-255.
      directions: the layer and its features.
      score: as in `find_directions`; not necessarily the one that the features come from.
      num_steps: evaluations on the path of integration, at least 1.
      rule: quadrature rule.
      batch_size: frames per compiled call.

    Returns:
      Signed share of each feature at each position, and the residual, in units of the score. All
      of a frame's shares and residuals add up to the score, minus its value when the layer is
      silent, up to the error of the quadrature.

    Raises:
      ValueError: as `attribution.attribute`.
    """
    maps, residuals = score_maps(
        policy,
        params,
        observations,
        directions,
        (score,),
        num_steps=num_steps,
        rule=rule,
        batch_size=batch_size,
    )
    return maps[:, 0], residuals[:, 0]


def score_maps(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    directions: Directions,
    scores: Sequence[Score],
    *,
    num_steps: int = 10,
    rule: str = "right",
    batch_size: int | None = None,
) -> tuple[Float[np.ndarray, "frame score h w feature"], Float[np.ndarray, "frame score h w"]]:
    """The same as `attribution_maps` for several scores, which share all forward work.

    Args:
      policy: what computes the scores.
      params: its parameters.
      observations: frames, 0-255.
      directions: the layer and its features.
      scores: one or more, each as in `find_directions`.
      num_steps: evaluations on the path of integration, at least 1.
      rule: quadrature rule.
      batch_size: frames per compiled call.

    Returns:
      Maps and residual of each score, as of `attribution_maps`.

    Raises:
      ValueError: as `attribution.attribute_scores`.
    """
    # The attributions to all channels are many times as large as the maps: some frames at a time.
    block = max(_BLOCK // max(len(scores), 1), 1)
    if any(isinstance(score, LayerScore) and score.position is not None for score in scores):
        block = len(observations)  # positions belong to all frames
    maps, residuals = [], []
    for start in range(0, max(len(observations), 1), max(block, 1)):
        attributions = attribute_scores(
            policy,
            params,
            observations[start : start + block],
            directions.layer,
            scores,
            num_steps=num_steps,
            rule=rule,
            batch_size=batch_size,
        )
        block_maps, block_residuals = project_signed(directions.nmf, attributions.values)
        maps.append(np.asarray(block_maps))
        residuals.append(np.asarray(block_residuals))
    return np.concatenate(maps), np.concatenate(residuals)


def feature_activations(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    directions: Directions,
) -> Float[np.ndarray, "frame h w feature"]:
    """How strongly each feature is present at each position: the layer's activation, projected.

    Args:
      policy: what computes the layer.
      params: its parameters.
      observations: frames, 0-255.
      directions: the layer and its features.

    Returns:
      Feature activations, at least 0.

    Raises:
      ValueError: if the observations are not uint8 frames of the policy's shape.
    """
    chunks = [
        directions.nmf.transform(
            policy.activations(
                params, jnp.asarray(observations[start : start + _CHUNK]), directions.layer
            )
        )
        for start in range(0, len(observations), _CHUNK)
    ]
    return np.concatenate([np.asarray(chunk) for chunk in chunks])
