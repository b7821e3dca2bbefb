import numpy as np
import pytest

from rlvision_jax.features import strongest_patches
from rlvision_jax.features.dataset_examples import choose_positions


def draw_frames(count, size=16):
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.mark.parametrize(("side", "expansion"), [(4, 4), (3, 2)])
def test_equals_the_original_thumbnails(golden, side, expansion):
    expected = golden("vis_attr_f8.npz")
    image = expected[f"thumb_feat0_num{side}_exp{expansion}_image"]
    frames = expected[f"thumb_feat0_num{side}_exp{expansion}_indices"]
    examples = strongest_patches(
        golden("frames.npz")["frames"],
        expected["acts_reduced"],
        num_examples=side**2,
        expansion=expansion,
    )
    # The original lays the examples out by position; ours are in order of strength.
    assert sorted(examples.frames) == sorted(frames.ravel())
    cell = image.shape[0] // side
    assert examples.patches.shape[1:] == (cell, cell, 3)
    for row, column in np.ndindex(side, side):
        (index,) = np.flatnonzero(examples.frames == frames[row, column])
        tile = image[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
        # Its frames were divided by 255; beyond the edge its grey is 0.75, ours 191 of 255.
        np.testing.assert_allclose(tile[..., :3] * 255, examples.patches[index], atol=0.26)
        opacity = examples.strengths[index] / examples.strengths[0]
        np.testing.assert_allclose(tile[..., 3], opacity, rtol=1e-6)


def test_examples_are_the_strongest_first_and_know_where_they_are():
    frames = draw_frames(6)
    strengths = np.zeros((6, 4, 4), np.float32)
    strengths[4, 1, 2], strengths[1, 3, 0], strengths[2, 0, 3] = 3, 5, 1
    examples = strongest_patches(frames, strengths, num_examples=3, expansion=1)
    np.testing.assert_array_equal(examples.frames, [1, 4, 2])
    np.testing.assert_array_equal(examples.positions, [[3, 0], [1, 2], [0, 3]])
    np.testing.assert_array_equal(examples.strengths, [5, 3, 1])
    # Layer positions are 4 pixels apart, and a patch of expansion 1 is what lies under one.
    np.testing.assert_array_equal(examples.patches[0], frames[1, 12:16, 0:4])
    np.testing.assert_array_equal(examples.patches[1], frames[4, 4:8, 8:12])


@pytest.mark.parametrize(("num_examples", "expected"), [(3, [0, 3, 5]), (4, [0, 1, 3, 5])])
def test_a_group_gives_a_second_example_only_when_no_other_group_is_left(num_examples, expected):
    strengths = np.zeros((6, 2, 2), np.float32)
    strengths[:, 0, 0] = [9, 8, 7, 6, 5, 4]
    groups = np.asarray([2, 2, 2, 0, 0, 1])
    examples = strongest_patches(
        draw_frames(6), strengths, num_examples=num_examples, max_per_position=6, groups=groups
    )
    np.testing.assert_array_equal(examples.frames, expected)


def test_patches_show_a_checkerboard_beyond_the_edge():
    frames = draw_frames(1)
    strengths = np.zeros((1, 4, 4), np.float32)
    strengths[0, 0, 0] = 1
    (patch,) = strongest_patches(frames, strengths, num_examples=1, expansion=3).patches
    assert patch.shape == (12, 12, 3)
    np.testing.assert_array_equal(patch[4:, 4:], frames[0, :8, :8])
    assert set(np.unique(patch[:4])) == {191, 255}
    assert (patch[:4, :-1] != patch[:4, 1:]).all()


def test_a_crowded_position_keeps_its_strongest_frames():
    # All prefer position 0; the weakest two go to their next best, which differ.
    strengths = np.asarray([[9, 1, 0], [8, 0, 1], [7, 1, 0], [10, 0, 1]], np.float32)
    chosen = choose_positions(strengths, max_per_position=2)
    np.testing.assert_array_equal(chosen, [0, 2, 1, 0])
    np.testing.assert_array_equal(choose_positions(strengths, max_per_position=4), 0)


def naive_choice(strengths, limit):
    """One frame at a time, as the original code words it."""
    ranking = np.argsort(-strengths, axis=1, kind="stable")
    chosen = ranking[:, 0].copy()
    for rank in range(1, strengths.shape[1]):
        counts = np.bincount(chosen, minlength=strengths.shape[1])
        weakest_first = np.argsort(strengths[np.arange(len(chosen)), chosen], kind="stable")
        before = chosen.copy()
        for frame in weakest_first:
            if counts[before[frame]] > limit:
                counts[before[frame]] -= 1
                chosen[frame] = ranking[frame, rank]
        if (before == chosen).all():
            break
    return chosen


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_choice_equals_the_naive_loop(limit, seed):
    strengths = np.random.default_rng(seed).normal(size=(40, 12)).astype(np.float32)
    strengths[:, :3] += 1.5
    np.testing.assert_array_equal(
        choose_positions(strengths, max_per_position=limit), naive_choice(strengths, limit)
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_examples": 5}, "num_examples=5 needs as many frames .* got 4 frames and 4 maps"),
        ({"num_examples": 0}, "num_examples must be an integer of at least 1; got 0"),
        ({"num_examples": 2, "max_per_position": 0}, "max_per_position must be .* got 0"),
        ({"num_examples": 2, "expansion": 0.0}, "expansion must be above 0; got 0.0"),
    ],
)
def test_numbers_out_of_range_are_errors(options, message):
    with pytest.raises(ValueError, match=message):
        strongest_patches(draw_frames(4), np.zeros((4, 2, 2), np.float32), **options)


@pytest.mark.usefixtures("as_in_production")
def test_a_map_missing_is_an_error():
    with pytest.raises(ValueError, match="got 4 frames and 3 maps"):
        strongest_patches(draw_frames(4), np.zeros((3, 2, 2), np.float32), num_examples=2)


# As the manifest of the full outputs lists them.
_ARGMAX_CASES = [
    (name, axes, most, strict)
    for name in ("x", "x_biased")
    for axes in ((0,), (1, 2), (0, 2))
    for most, strict in ((None, True), *((most, s) for most in (3, 1, 2) for s in (False, True)))
]


@pytest.mark.parametrize("case", range(42))
def test_positions_with_a_limit_equal_the_original(golden, case):
    arrays = golden("argmax_nd.npz")
    name, axes, most, strict = _ARGMAX_CASES[case]
    strengths = arrays[name]
    others = [axis for axis in range(3) if axis not in axes]
    shape = [strengths.shape[axis] for axis in axes]
    rows = strengths.transpose(*others, *axes).reshape(-1, np.prod(shape))
    chosen = choose_positions(rows, max_per_position=most or len(rows), strict=strict)
    expected = arrays[f"case{case}"].reshape(len(axes), -1)
    np.testing.assert_array_equal(np.unravel_index(chosen, shape), expected)
