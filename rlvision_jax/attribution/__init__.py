"""Attribution: which parts of a layer a score comes from."""

from rlvision_jax.attribution.attribute import (
    Attributions,
    attribute,
    attribute_multi_path,
    attribute_scores,
)
from rlvision_jax.attribution.completeness import completeness_residual
from rlvision_jax.attribution.integrated_gradients import integrated_gradients, path_gradient
from rlvision_jax.attribution.multi_path import multi_path
from rlvision_jax.attribution.quadrature import RULES, nodes_and_weights
from rlvision_jax.attribution.score_names import parse_scores
from rlvision_jax.attribution.scores import LayerScore, LogProbability, Score, score_function

__all__ = [
    "RULES",
    "Attributions",
    "LayerScore",
    "LogProbability",
    "Score",
    "attribute",
    "attribute_multi_path",
    "attribute_scores",
    "completeness_residual",
    "integrated_gradients",
    "multi_path",
    "nodes_and_weights",
    "parse_scores",
    "path_gradient",
    "score_function",
]
