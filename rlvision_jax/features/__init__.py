"""Features of a layer: their directions and what they look like."""

from rlvision_jax.features.dataset_examples import DatasetExamples, strongest_patches
from rlvision_jax.features.directions import (
    Directions,
    attribution_maps,
    feature_activations,
    find_directions,
    score_maps,
)
from rlvision_jax.features.spatial import SpatialExamples, examples_by_position

__all__ = [
    "DatasetExamples",
    "Directions",
    "SpatialExamples",
    "attribution_maps",
    "examples_by_position",
    "feature_activations",
    "find_directions",
    "score_maps",
    "strongest_patches",
]
