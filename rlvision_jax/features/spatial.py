"""Dataset examples by position: for each place of a frame, where a feature is strongest there.

Host module, in NumPy.

Source: LayerNMF.vis_dataset in lucid.scratch.rl_util.nmf.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int

from rlvision_jax.features.dataset_examples import choose_positions


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpatialExamples:
    """A grid of cells over the frame and the observation chosen for each.

    Attributes:
      frames: index of the observation.
      strengths: of the feature in that observation at the cell's centre.
      rows: centres of the cells' rows, as shares of the frame's height.
      columns: centres of the cells' columns, as shares of its width.
    """

    frames: Int[np.ndarray, "row column"]
    strengths: Float[np.ndarray, "row column"]
    rows: Float[np.ndarray, " row"]
    columns: Float[np.ndarray, " column"]


def examples_by_position(
    strengths: Float[np.ndarray, "frame h w"],
    *,
    subdivision: float | int = 1,
    top_share: float | int = 0.1,
) -> SpatialExamples:
    """Chooses for every cell of a grid the frame where a feature is strongest in that cell.

    So that one frame does not fill the grid, it is chosen for a limited number of cells; where it
    is the best of more, its weakest cells take their next best.

    Args:
      strengths: of one feature: `feature_activations(...)[..., feature]`.
      subdivision: cells per position of the layer and axis; strengths between positions are
        interpolated linearly.
      top_share: share of the frames that would do if each filled as many cells as it may.

    Raises:
      ValueError: if there is no frame, a number is not above 0, or the grid would have no cell.

    Example:
      >>> strengths = np.zeros((2, 1, 2), np.float32)
      >>> strengths[0, 0, 1] = strengths[1, 0, 0] = 1
      >>> examples_by_position(strengths).frames.tolist()
      [[1, 0]]
    """
    num_frames, height, width = strengths.shape
    if num_frames == 0 or not subdivision > 0 or not top_share > 0:
        raise ValueError(
            "examples by position need at least one frame, and subdivision and top_share above 0; "
            f"got {num_frames} frames, subdivision={subdivision}, top_share={top_share}"
        )
    at_rows, at_columns = cell_centres(height, subdivision), cell_centres(width, subdivision)
    if not at_rows.size or not at_columns.size:
        raise ValueError(
            f"subdivision={subdivision} leaves no cell of a layer of {height} x {width} positions; "
            "take a larger one"
        )
    cells = _interpolate(_interpolate(strengths, at_rows, 1), at_columns, 2)
    flat = cells.reshape(num_frames, -1)
    most = math.ceil(flat.shape[1] / (num_frames * top_share))
    chosen = choose_positions(flat.T, max_per_position=most, strict=False)
    shape = cells.shape[1:]
    return SpatialExamples(
        frames=chosen.reshape(shape),
        strengths=flat[chosen, np.arange(chosen.size)].reshape(shape),
        rows=at_rows / height,
        columns=at_columns / width,
    )


def cell_centres(size: int, subdivision: float | int) -> Float[np.ndarray, " cell"]:
    """Centres of the cells along one axis of a layer, where position i reaches from i to i + 1.

    They divide the way from half a position before the first to half a position behind the last
    evenly, so that a subdivision of 1 gives the positions themselves.

    Example:
      >>> cell_centres(3, 1)
      array([0.5, 1.5, 2.5])
    """
    # Half to even, as the original's scipy.ndimage.zoom.
    count = round(size * subdivision + subdivision + 1)
    return np.linspace(-0.5, size + 0.5, count)[1:-1]


def _interpolate(
    strengths: Float[np.ndarray, "frame h w"], at: Float[np.ndarray, " cell"], axis: int
) -> Float[np.ndarray, "frame h2 w2"]:
    """Linear interpolation along an axis; beyond the outermost positions their own strength."""
    size = strengths.shape[axis]
    # Positions are centred at i + 1/2.
    place = np.clip(at - 0.5, 0, size - 1)
    lower = np.minimum(place.astype(int), max(size - 2, 0))
    upper = np.minimum(lower + 1, size - 1)
    share = (place - lower).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    low, high = np.take(strengths, lower, axis), np.take(strengths, upper, axis)
    return low + share * (high - low)
