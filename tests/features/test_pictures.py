import numpy as np
import pytest

from rlvision_jax.features import (
    blur,
    brightness_to_opacity,
    distance_kernel,
    enlarge,
    hues,
    overlay,
    rescale_opacity,
)


@pytest.fixture(scope="module")
def image_ops(golden):
    return golden("image_ops.npz")


# The original computed in float64 and saved float32, or computed in float32.
_CLOSE = {"rtol": 1e-6, "atol": 1e-6}


def test_hues_equal_the_original(image_ops):
    np.testing.assert_allclose(hues(24), image_ops["hues"], **_CLOSE)
    np.testing.assert_allclose(hues(24, warp=False), image_ops["hues_nowarp"], **_CLOSE)
    np.testing.assert_allclose(hues(8), image_ops["rgb_eye8"], **_CLOSE)
    channels = image_ops["channels8"]
    np.testing.assert_allclose(channels @ hues(8), image_ops["rgb_from_8"], **_CLOSE)
    np.testing.assert_allclose(
        channels @ hues(8, warp=False), image_ops["rgb_from_8_nowarp"], **_CLOSE
    )
    np.testing.assert_allclose(channels[..., :4] @ hues(4), image_ops["rgb_from_4"], **_CLOSE)


def test_kernels_equal_the_original(image_ops):
    for name, kernel in {
        "norm_filter15": distance_kernel(15),
        "norm_filter7": distance_kernel(7),
        "norm_filter15_noclip": distance_kernel(15, clip=False),
        "norm_filter15_l1": distance_kernel(15, order=1),
    }.items():
        np.testing.assert_allclose(kernel, image_ops[name], err_msg=name, **_CLOSE)


def test_blurs_equal_the_original(image_ops):
    images = image_ops["conv_in"]
    for name, kernel in {
        "conv_out": distance_kernel(15),
        "conv_out7": distance_kernel(7),
        "conv_asym_out": image_ops["conv_asym_filter"],
    }.items():
        # Float32 sums of up to 225 terms.
        np.testing.assert_allclose(blur(images, kernel), image_ops[name], atol=2e-6, rtol=1e-5)


def test_opacities_equal_the_original(image_ops):
    np.testing.assert_allclose(
        brightness_to_opacity(image_ops["bright_in"]), image_ops["bright_out"], **_CLOSE
    )
    smooth = np.float32(0.05) * image_ops["conv_out"]
    np.testing.assert_allclose(
        brightness_to_opacity(smooth), image_ops["bright_of_smooth"], **_CLOSE
    )
    images = image_ops["rescale_in"]
    np.testing.assert_allclose(rescale_opacity(images), image_ops["rescale_default"], **_CLOSE)
    np.testing.assert_allclose(rescale_opacity(images[0]), image_ops["rescale_single"], **_CLOSE)
    np.testing.assert_allclose(
        rescale_opacity(images, max_scale=1, keep_zeros=True), image_ops["rescale_thumb"], **_CLOSE
    )


def test_enlarged_pictures_equal_the_original(image_ops):
    np.testing.assert_array_equal(enlarge(image_ops["channels3"], 13), image_ops["zoom"])
    picture = np.arange(4).reshape(2, 2, 1)
    np.testing.assert_array_equal(enlarge(picture, 6), np.kron(picture, np.ones((3, 3, 1))))


def test_an_overlay_is_grey_where_nothing_speaks_and_coloured_where_something_does():
    frames = np.full((1, 64, 64, 3), (255, 0, 0), np.uint8)
    maps = np.zeros((1, 16, 16, 2), np.float32)
    maps[0, 2, 3, 0], maps[0, 2, 12, 1] = 1, -1
    (picture,) = overlay(frames, maps)
    grey = round(0.299 * 255)
    assert (picture[40:] == grey).all()
    # In the middle of the position nothing but the feature's colour, which is red.
    np.testing.assert_array_equal(picture[10, 14], [255, 0, 0])
    # What speaks against is not drawn, unless asked for.
    assert (picture[10, 50] == grey).all()
    (against,) = overlay(frames, -maps)
    np.testing.assert_allclose(against[10, 50], 255 * hues(2)[1], atol=1)


def test_features_that_say_nothing_leave_the_frame_grey():
    frames = np.zeros((2, 8, 8, 3), np.uint8)
    assert (overlay(frames, np.zeros((2, 4, 4, 3), np.float32)) == 0).all()
