import numpy as np
import pytest

from rlvision_jax.envs import OBJECT_NAMES
from rlvision_jax.studies.object_classes import (
    CLASSES,
    class_masks,
    class_shares,
    classes_in_field,
    position_classes,
)
from rlvision_jax.studies.receptive_fields import ReceptiveField


def field_of(size, stride, positions=16, pixels=64):
    first = stride * np.arange(positions) + (stride - size) // 2
    extents = np.stack([first, first + size], -1).clip(0, pixels)
    return ReceptiveField(rows=extents, columns=extents, height=pixels, width=pixels)


@pytest.fixture
def masks():
    """A saw of 5 x 5 pixels on a wall, an enemy's trail, a coin at the edge."""
    masks = np.zeros((1, 64, 64, len(OBJECT_NAMES)), bool)
    for name, rows, columns in (
        ("wall", (40, 64), (0, 64)),
        ("saw", (35, 40), (20, 25)),
        ("trail", (10, 12), (30, 32)),
        ("coin", (0, 4), (60, 64)),
    ):
        masks[0, slice(*rows), slice(*columns), OBJECT_NAMES.index(name)] = True
    return class_masks(masks)


def test_classes_share_the_pixels_and_a_trail_is_its_enemy(masks):
    assert masks.sum(-1).max() == masks.sum(-1).min() == 1
    assert masks[0, 10, 30, CLASSES.index("enemy")]
    assert masks[..., CLASSES.index("background")].sum() == 64 * 40 - 25 - 4 - 16


def test_classes_in_field_equal_a_loop_over_rectangles(masks):
    field = field_of(size=13, stride=4)
    found = classes_in_field(masks, field)
    for row, (top, bottom) in enumerate(field.rows):
        for column, (left, right) in enumerate(field.columns):
            expected = masks[0, top:bottom, left:right].any((0, 1))
            np.testing.assert_array_equal(found[0, row, column], expected)


def test_shares_count_the_pixels_around_a_centre(masks):
    shares = class_shares(masks, field_of(size=12, stride=4))
    blocks = masks.reshape(1, 16, 4, 16, 4, -1).mean((2, 4))
    # Shares are sixteenths: exact in float32.
    np.testing.assert_array_equal(shares, blocks)


@pytest.mark.parametrize(
    ("row", "column", "reach", "name"),
    [
        (9, 5, 5, "saw"),  # around pixel 38, 22: on the saw
        (9, 4, 5, "saw"),  # 38, 18: two pixels beside it, wall below as near
        (9, 4, 1, "background"),  # too far at reach 1
        (9, 3, 5, "wall"),  # 38, 14: the saw is six pixels away, the wall two
        (10, 5, 5, "saw"),  # 42, 22: inside the wall, the saw three pixels above
        (12, 5, 5, "wall"),
        (2, 7, 5, "enemy"),
        (0, 15, 5, "coin"),
        (5, 12, 5, "background"),
    ],
)
def test_a_position_is_named_after_the_nearest_object_in_reach(masks, row, column, reach, name):
    named = position_classes(masks, field_of(size=13, stride=4), reach=reach)
    assert CLASSES[named[0, row, column]] == name


def test_what_the_field_does_not_hold_is_not_named(masks):
    # Fields of four pixels end two before the saw.
    named = position_classes(masks, field_of(size=4, stride=4), reach=5)
    assert CLASSES[named[0, 9, 4]] == "background"


def test_chunks_of_frames_do_not_matter(masks):
    many = np.repeat(masks, 130, 0)
    many[:65] = many[:65, :, ::-1]
    field = field_of(size=13, stride=4)
    named = position_classes(many, field)
    np.testing.assert_array_equal(named[-1], position_classes(masks, field)[0])
    np.testing.assert_array_equal(named[0], position_classes(masks[:, :, ::-1], field)[0])
    np.testing.assert_array_equal(named[:65], named[:1].repeat(65, 0))
