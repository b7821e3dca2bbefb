"""What the features of a layer look like: names, examples, where in the frame they are strong."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from rlvision_jax._types import Params
from rlvision_jax.envs import Channels
from rlvision_jax.features import (
    Directions,
    examples_by_position,
    feature_activations,
    strongest_patches,
)
from rlvision_jax.interface.config import PIXELS
from rlvision_jax.interface.schema import ExampleGrid, Feature, Layer
from rlvision_jax.models import VisionPolicy

# Cells per position of the layer, as the original interface offers them.
_SUBDIVISIONS = (0.25, 0.5, 1, 2)
# Along an axis; smaller cells than these cannot be made out.
_MOST_CELLS = 65


def describe_features(
    policy: VisionPolicy,
    params: Params,
    frames: UInt8[np.ndarray, "frame height width channel"],
    directions: Directions,
    num_examples: int,
    groups: Int[np.ndarray, " frame"] | None = None,
    *,
    shown: UInt8[np.ndarray, "frame height width 3"] | None = None,
    by_position: Int[np.ndarray, " example"] | None = None,
) -> Layer:
    """Names the features of a layer and cuts their dataset examples out of frames.

    Args:
      policy: what computes the layer.
      params: its parameters.
      frames: observations, 0-255; at least `num_examples`.
      directions: the layer and its features.
      num_examples: dataset examples of each feature.
      groups: frames that look alike, as in `features.strongest_patches`.
      shown: the frames in RGB, to cut the examples out of; None: the observations are RGB.
      by_position: indices of the frames that are shown by position, the report's `examples`;
        None: no grids.
    """
    strengths = feature_activations(policy, params, frames, directions)
    features = []
    for index, direction in enumerate(np.asarray(directions.nmf.components)):
        examples = strongest_patches(
            frames if shown is None else shown,
            strengths[..., index],
            num_examples=num_examples,
            groups=groups,
        )
        features.append(
            Feature(
                name=f"feature {index + 1}",
                direction=direction,
                thumbnails=examples.patches,
                strengths=examples.strengths,
                grids=() if by_position is None else _grids(strengths[by_position, ..., index]),
            )
        )
    return Layer(name=directions.layer, features=tuple(features))


def pixel_layer(num_channels: int, channels: Channels) -> Layer:
    """The observation as a layer, whose features are its channels.

    Args:
      num_channels: of the observation.
      channels: what they are.

    Example:
      >>> [feature.name for feature in pixel_layer(3, "rgb").features]
      ['red', 'green', 'blue']
    """
    names = [f"{'frame' if channels == 'gray' else 'plane'} {i + 1}" for i in range(num_channels)]
    colors: list[str | None] = [None] * num_channels
    if channels == "rgb":
        suffixes = (
            [""] if num_channels == 3 else [f", frame {i + 1}" for i in range(num_channels // 3)]
        )
        names = [f"{color}{suffix}" for suffix in suffixes for color in ("red", "green", "blue")]
        colors = ["#ff0000", "#00ff00", "#0000ff"] * len(suffixes)
    features = tuple(
        Feature(
            name=name,
            color=color,
            direction=direction,
            thumbnails=np.zeros((0, 1, 1, 3), np.uint8),
            strengths=np.zeros(0, np.float32),
        )
        for name, color, direction in zip(
            names, colors, np.eye(num_channels, dtype=np.float32), strict=True
        )
    )
    return Layer(name=PIXELS, kind="gradient", features=features)


def _grids(strengths: Float[np.ndarray, "example h w"]) -> tuple[ExampleGrid, ...]:
    found = []
    for subdivision in _SUBDIVISIONS:
        cells = [round(size * subdivision + subdivision - 1) for size in strengths.shape[1:]]
        if min(cells) < 1 or (found and max(cells) > _MOST_CELLS):
            continue
        chosen = examples_by_position(strengths, subdivision=subdivision)
        found.append(
            ExampleGrid(
                frames=chosen.frames.astype(np.int32),
                strengths=chosen.strengths.astype(np.float32),
                rows=chosen.rows.astype(np.float32),
                columns=chosen.columns.astype(np.float32),
            )
        )
    return tuple(found)
