"""Features of a layer: their directions and what they look like."""

from rlvision_jax.features.dataset_examples import DatasetExamples, strongest_patches
from rlvision_jax.features.directions import (
    Directions,
    attribution_maps,
    feature_activations,
    find_directions,
)

__all__ = [
    "DatasetExamples",
    "Directions",
    "attribution_maps",
    "feature_activations",
    "find_directions",
    "strongest_patches",
]
