"""Dataset examples: the patches of observations where a feature is strongest.

Host module, in NumPy.

Source: LayerNMF.vis_dataset_thumbnail and argmax_nd in lucid.scratch.rl_util.nmf.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float, Int, UInt8

from rlvision_jax._checks import check_at_least

# Outside the observation a patch shows this checkerboard.
_CHECKERBOARD = (191, 255)


@dataclasses.dataclass(frozen=True, kw_only=True)
class DatasetExamples:
    """Where one feature is strongest, strongest first; at most one example per frame.

    Attributes:
      patches: what is there, 0-255; a grey checkerboard beyond the edge of the observation.
      strengths: of the feature at the centre of each patch.
      frames: index of the observation.
      positions: row and column in the layer.
    """

    patches: UInt8[np.ndarray, "example patch_height patch_width channel"]
    strengths: Float[np.ndarray, " example"]
    frames: Int[np.ndarray, " example"]
    positions: Int[np.ndarray, "example 2"]


def strongest_patches(
    observations: UInt8[np.ndarray, "frame height width channel"],
    strengths: Float[np.ndarray, "frame h w"],
    *,
    num_examples: int = 16,
    expansion: float | int = 4,
    max_per_position: int | None = None,
    groups: Int[np.ndarray, " frame"] | None = None,
) -> DatasetExamples:
    """Finds the frames and positions where a feature is strongest and cuts out what is there.

    Each frame offers its strongest position. Where a position is offered more than
    `max_per_position` times, the weakest of those frames offer their next strongest instead, so
    that the examples do not all come from one spot.

    Args:
      observations: frames, 0-255.
      strengths: of one feature: `feature_activations(...)[..., feature]`, or a map of
        `attribution_maps` of one sign.
      num_examples: how many to return, 1 to the number of frames.
      expansion: side of a patch, in units of the observation's pixels per position of the layer.
      max_per_position: see above; None: the square root of `num_examples`, rounded up.
      groups: number of the group of each frame, such as its level, where frames of one group look
        alike: a second frame of a group is taken only when no other group is left. None: every
        frame is a group of its own.

    Returns:
      The examples, strongest first.

    Raises:
      ValueError: if there are fewer frames than examples, the number of frames differs, a
        number is below 1, or `expansion` is not above 0.
    """
    num_frames = len(observations)
    check_at_least("num_examples", num_examples, 1)
    if max_per_position is None:
        max_per_position = math.isqrt(num_examples - 1) + 1
    check_at_least("max_per_position", max_per_position, 1)
    if len(strengths) != num_frames or num_frames < num_examples:
        raise ValueError(
            f"num_examples={num_examples} needs as many frames and one map of strengths for each; "
            f"got {num_frames} frames and {len(strengths)} maps"
        )
    if not expansion > 0:
        raise ValueError(f"expansion must be above 0; got {expansion}")

    flat = strengths.reshape(num_frames, -1)
    offered = choose_positions(flat, max_per_position=max_per_position)
    values = flat[np.arange(num_frames), offered]
    frames = np.argsort(-values, kind="stable")
    if groups is not None:
        # Frames by their place in their group, then by strength.
        by_group = frames[np.argsort(groups[frames], kind="stable")]
        sizes = np.unique(groups, return_counts=True)[1]
        place = np.empty(num_frames, int)
        place[by_group] = np.concatenate([np.arange(size) for size in sizes])
        frames = frames[np.argsort(place[frames], kind="stable")][:num_examples]
        frames = frames[np.argsort(-values[frames], kind="stable")]
    frames = frames[:num_examples]
    positions = np.stack(np.unravel_index(offered[frames], strengths.shape[1:]), -1)
    scale = np.divide(observations.shape[1:3], strengths.shape[1:])
    return DatasetExamples(
        patches=_cut_patches(observations[frames], positions, scale, expansion),
        strengths=values[frames],
        frames=frames,
        positions=positions,
    )


def choose_positions(
    strengths: Float[np.ndarray, "frame position"], *, max_per_position: int, strict: bool = True
) -> Int[np.ndarray, " frame"]:
    """Strongest position of every frame, with a limit on how often a position is chosen.

    In round i, the weakest frames of each crowded position move to their i-th strongest one. Ends
    when no position is crowded, or after every frame's weakest position.

    Args:
      strengths: of one feature.
      max_per_position: how many frames may share a position.
      strict: where there are too few positions, leave frames at their weakest ones; else those
        that find no room go back to their strongest.

    Returns:
      Index of the chosen position.
    """
    num_frames, num_positions = strengths.shape
    ranking = np.argsort(-strengths, axis=1, kind="stable")
    frames = np.arange(num_frames)
    chosen = ranking[:, 0].copy()
    for rank in range(1, num_positions + (not strict)):
        counts = np.bincount(chosen, minlength=num_positions)
        if counts.max() <= max_per_position:
            break
        # Frames grouped by position, weakest first: the place of each within its group.
        order = np.lexsort((strengths[frames, chosen], chosen))
        group_start = np.cumsum(counts) - counts
        place = frames - group_start[chosen[order]]
        moving = order[place < counts[chosen[order]] - max_per_position]
        chosen[moving] = ranking[moving, rank % num_positions]
    return chosen


def _cut_patches(
    observations: UInt8[np.ndarray, "example height width channel"],
    positions: Int[np.ndarray, "example 2"],
    scale: Float[np.ndarray, " 2"],
    expansion: float | int,
) -> UInt8[np.ndarray, "example patch_height patch_width channel"]:
    margin = np.ceil(scale * expansion).astype(int)
    _, height, width, num_channels = observations.shape
    checkerboard = np.indices((height + 2 * margin[0], width + 2 * margin[1])).sum(0) % 2
    background = np.asarray(_CHECKERBOARD, np.uint8)[checkerboard][..., None]

    patches = []
    for observation, position in zip(observations, positions, strict=True):
        canvas = np.repeat(background, num_channels, -1)
        canvas[margin[0] : margin[0] + height, margin[1] : margin[1] + width] = observation
        centre = margin + (position + 0.5) * scale
        top, left = np.round(centre - expansion / 2 * scale).astype(int)
        bottom, right = np.round(centre + expansion / 2 * scale).astype(int)
        patches.append(canvas[top:bottom, left:right])
    # Rounding can make patches differ by a pixel.
    smallest = np.min([patch.shape[:2] for patch in patches], axis=0)
    return np.stack([patch[: smallest[0], : smallest[1]] for patch in patches])
