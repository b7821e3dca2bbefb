"""Features of a layer: their directions and what they look like."""

from rlvision_jax.features.dataset_examples import DatasetExamples, strongest_patches
from rlvision_jax.features.directions import (
    Directions,
    attribution_maps,
    feature_activations,
    find_directions,
    score_maps,
)
from rlvision_jax.features.pictures import (
    blur,
    brightness_to_opacity,
    distance_kernel,
    enlarge,
    hues,
    overlay,
    rescale_opacity,
)
from rlvision_jax.features.spatial import SpatialExamples, examples_by_position

__all__ = [
    "DatasetExamples",
    "Directions",
    "SpatialExamples",
    "attribution_maps",
    "blur",
    "brightness_to_opacity",
    "distance_kernel",
    "enlarge",
    "examples_by_position",
    "feature_activations",
    "find_directions",
    "hues",
    "overlay",
    "rescale_opacity",
    "score_maps",
    "strongest_patches",
]
