import re

import numpy as np
import pytest

from rlvision_jax.features import examples_by_position
from rlvision_jax.features.spatial import cell_centres


@pytest.mark.parametrize("subdivision", [0.25, 0.5, 1, 2])
def test_chooses_the_frames_of_the_original_map(golden, subdivision):
    expected = golden("vis_attr_f8.npz")
    expansion = {0.25: 8, 0.5: 2, 1: 1, 2: 1}[subdivision]
    name = f"vis_feat0_sub{subdivision}_exp{expansion}"
    found = examples_by_position(expected["acts_reduced"], subdivision=subdivision)
    assert found.frames.shape == expected[f"{name}_indices"].shape
    # Elsewhere frames tie at zero, and the original's unstable sort decides.
    tie_free = expected[f"{name}_tiefree"]
    assert tie_free.mean() > 0.9
    np.testing.assert_array_equal(found.frames[tie_free], expected[f"{name}_indices"][tie_free])


def test_patches_cut_at_the_centres_equal_the_original_image(golden):
    expected = golden("vis_attr_f8.npz")
    image = expected["vis_feat0_sub0.5_exp2_image"]
    found = examples_by_position(expected["acts_reduced"], subdivision=0.5)
    frames = golden("frames.npz")["frames"]
    cell = 4  # pixels: 2 positions of the layer, 2 pixels each
    for row, column in ((3, 4), (8, 8), (12, 11)):  # inside the frame
        top, left = (
            round(centre * 64 - cell / 2) for centre in (found.rows[row], found.columns[column])
        )
        patch = frames[found.frames[row, column], top : top + cell, left : left + cell]
        tile = image[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
        # The original's frames were divided by 255 in float32.
        np.testing.assert_allclose(tile[..., :3] * 255, patch, atol=1e-4)
        opacity = found.strengths[row, column] / found.strengths.max()
        # Its interpolation is in double precision.
        np.testing.assert_allclose(tile[..., 3], opacity, rtol=1e-5)


def test_no_frame_fills_more_cells_than_its_share():
    strengths = np.random.default_rng(0).random((20, 6, 6), np.float32)
    strengths[7] += 1  # best everywhere
    found = examples_by_position(strengths, top_share=0.5)
    counts = np.bincount(found.frames.ravel(), minlength=20)
    assert counts[7] == 4  # 36 cells, 10 frames
    # It keeps the cells where it is strongest.
    best = np.sort(strengths[7].ravel())[-4:]
    np.testing.assert_array_equal(np.sort(strengths[7][found.frames == 7]), best)
    assert counts.max() == 4


def test_strengths_between_positions_are_interpolated():
    strengths = np.asarray([[[0.0, 2.0]]], np.float32)
    found = examples_by_position(strengths, subdivision=3)
    np.testing.assert_allclose(found.columns * 2, cell_centres(2, 3))
    expected = np.interp(cell_centres(2, 3), [0.5, 1.5], [0, 2])
    # Three shares of float32.
    np.testing.assert_allclose(found.strengths[0], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((0, 4, 4), {}, "need at least one frame"),
        ((2, 4, 4), {"subdivision": 0}, "subdivision=0, top_share=0.1"),
        ((2, 4, 4), {"top_share": -1.0}, "top_share=-1.0"),
        ((2, 4, 4), {"subdivision": 0.1}, "subdivision=0.1 leaves no cell of a layer of 4 x 4"),
    ],
)
def test_what_cannot_be_chosen_is_named(shape, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        examples_by_position(np.zeros(shape, np.float32), **options)
