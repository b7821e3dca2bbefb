"""What lies where a layer looks, by ground truth: the object class of each of its positions.

Host module, in NumPy.
"""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int8

from rlvision_jax.envs import OBJECT_NAMES
from rlvision_jax.studies.receptive_fields import ReceptiveField

CLASSES: Final = (
    "agent",
    "coin",
    "saw",
    "enemy",
    "crate",
    "lava",
    "velocity",
    "wall",
    "background",
)
"""What a position can be said to show. An enemy's trail counts as the enemy."""

WALL: Final = CLASSES.index("wall")
BACKGROUND: Final = CLASSES.index("background")

# A tile is 64 / 13 pixels.
TILE: Final = 5
"""Pixels of a tile, rounded."""

# Frames whose integral images are held at once, 34 KB each and class.
_CHUNK = 128


def class_masks(
    masks: Bool[np.ndarray, "*frame height width object"],
) -> Bool[np.ndarray, "*frame height width class"]:
    """Masks of `OBJECT_NAMES` as masks of `CLASSES`; the background is where there is nothing."""
    parts = {name: [OBJECT_NAMES.index(name)] for name in CLASSES[:BACKGROUND]}
    parts["enemy"].append(OBJECT_NAMES.index("trail"))
    seen = {name: masks[..., part].any(-1) for name, part in parts.items()}
    seen["background"] = ~masks.any(-1)
    return np.stack([seen[name] for name in CLASSES], -1)


def classes_in_field(
    masks: Bool[np.ndarray, "frame height width class"], field: ReceptiveField
) -> Bool[np.ndarray, "frame row column class"]:
    """Whether any pixel of a class lies in a position's receptive field.

    Args:
      masks: from `class_masks`.
      field: of the layer.
    """
    counts = [
        _count(_integral(masks[start : start + _CHUNK]), field.rows, field.columns)
        for start in range(0, len(masks), _CHUNK)
    ]
    return np.concatenate(counts) > 0


def class_shares(
    masks: Bool[np.ndarray, "frame height width class"], field: ReceptiveField
) -> Float32[np.ndarray, "frame row column class"]:
    """How much of what a position stands for the classes cover.

    As `envs.masks_at_layer`, but around the centres of the receptive fields, which in networks
    without padding are not those of even shares of the frame.

    Args:
      masks: from `class_masks`.
      field: of the layer.

    Returns:
      Share of the pixels that are nearer to the position's centre than to the next one's, 0 to 1.
    """
    rows, columns = (
        _window(centres, _pitch(centres) / 2, extents)
        for centres, extents in (
            (field.row_centres, field.rows),
            (field.column_centres, field.columns),
        )
    )
    pixels = np.diff(rows)[:, None] * np.diff(columns)[None]
    counts = [
        _count(_integral(masks[start : start + _CHUNK]), rows, columns)
        for start in range(0, len(masks), _CHUNK)
    ]
    return np.concatenate(counts).astype(np.float32) / pixels.astype(np.float32)


def position_classes(
    masks: Bool[np.ndarray, "frame height width class"],
    field: ReceptiveField,
    *,
    reach: int = TILE,
) -> Int8[np.ndarray, "frame row column"]:
    """Names what each position of a layer lies on or beside.

    Networks answer beside an object as often as on it, so a position counts for the object that is
    nearest to the centre of its receptive field, within `reach` and within the field. Distance is
    the larger of those along rows and columns; of two at the same, the one with more pixels up to
    there counts. Walls are nearly everywhere, next to every object: they count where no object is
    in reach. The background is what is left.

    Args:
      masks: from `class_masks`.
      field: of the layer.
      reach: pixels.

    Returns:
      Index into `CLASSES`.
    """
    chunks = [
        _position_classes(_integral(masks[start : start + _CHUNK]), field, reach)
        for start in range(0, len(masks), _CHUNK)
    ]
    return np.concatenate(chunks)


def _position_classes(
    integral: Int[np.ndarray, "frame y x class"], field: ReceptiveField, reach: int
) -> Int8[np.ndarray, "frame row column"]:
    shape = len(integral), len(field.rows), len(field.columns)
    named = np.full(shape, BACKGROUND, np.int8)
    counts = np.zeros((*shape, len(CLASSES)), int)
    for distance in range(1, reach + 1):
        counts = _count(
            integral,
            _window(field.row_centres, distance, field.rows),
            _window(field.column_centres, distance, field.columns),
        )
        objects = counts[..., :WALL]
        is_new = (named == BACKGROUND) & objects.any(-1)
        named[is_new] = objects[is_new].argmax(-1)
    named[(named == BACKGROUND) & (counts[..., WALL] > 0)] = WALL
    return named


def _pitch(centres: Float[np.ndarray, " position"]) -> float:
    """Distance of neighbouring centres; of a single one, a tile."""
    return float(centres[1] - centres[0]) if len(centres) > 1 else TILE


def _window(
    centres: Float[np.ndarray, " position"],
    distance: float | int,
    extents: Int[np.ndarray, "position 2"],
) -> Int[np.ndarray, "position 2"]:
    """Pixels of which a part lies within a distance of the centre, and which are in the field."""
    window = np.stack([np.floor(centres - distance), np.ceil(centres + distance)], -1).astype(int)
    return window.clip(extents[:, :1], extents[:, 1:])


def _integral(
    masks: Bool[np.ndarray, "frame height width class"],
) -> Int[np.ndarray, "frame y x class"]:
    """How many pixels of a class lie above and to the left of each corner of the pixels."""
    sums = masks.cumsum(1, dtype=np.int16).cumsum(2, dtype=np.int16)
    return np.pad(sums, ((0, 0), (1, 0), (1, 0), (0, 0)))


def _count(
    integral: Int[np.ndarray, "frame y x class"],
    rows: Int[np.ndarray, "row 2"],
    columns: Int[np.ndarray, "column 2"],
) -> Int[np.ndarray, "frame row column class"]:
    """Pixels of each class in the rectangle of each position."""
    top, bottom = (integral[:, rows[:, end]] for end in (0, 1))
    left, right = ((bottom - top)[:, :, columns[:, end]] for end in (0, 1))
    return right - left
