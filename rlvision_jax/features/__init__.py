"""Features of a layer: their directions and what they look like."""

from rlvision_jax.features.dataset_examples import DatasetExamples, strongest_patches
from rlvision_jax.features.directions import (
    Directions,
    attribution_maps,
    feature_activations,
    find_directions,
    score_maps,
)
from rlvision_jax.features.objectives import (
    CaricatureObjective,
    ChannelObjective,
    DirectionObjective,
    L2Norm,
    Objective,
    OutputObjective,
)
from rlvision_jax.features.optimize import OptimizedImages, maximize, visualize
from rlvision_jax.features.parameterization import FourierImage, Parameterization, PixelImage
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
    "CaricatureObjective",
    "ChannelObjective",
    "DatasetExamples",
    "DirectionObjective",
    "Directions",
    "FourierImage",
    "L2Norm",
    "Objective",
    "OptimizedImages",
    "OutputObjective",
    "Parameterization",
    "PixelImage",
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
    "maximize",
    "overlay",
    "rescale_opacity",
    "score_maps",
    "strongest_patches",
    "visualize",
]
