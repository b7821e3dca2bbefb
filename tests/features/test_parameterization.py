import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.features import FourierImage, PixelImage
from rlvision_jax.features.parameterization import frequency_scale, to_unit_range


def _logit(image):
    image = np.asarray(image, np.float64)
    return np.log(image / (1 - image))


@pytest.mark.parametrize("shape", [(6, 8, 3), (5, 7, 3)])
def test_fourier_image_is_numpys_inverse_transform_of_the_scaled_parameters(shape):
    waves = FourierImage(decorrelate=False)
    parameters = 0.1 * np.random.default_rng(0).normal(size=(2, shape[0], shape[1] // 2 + 1, 3))
    scale = frequency_scale(*shape[:2])[..., None]
    spectrum = (parameters[0] + 1j * parameters[1]) * scale
    expected = np.fft.irfft2(spectrum, s=shape[:2], axes=(0, 1)) / 4
    # Float32 through a transform of 56 numbers, a sigmoid and back.
    ours = _logit(waves.image(jnp.asarray(parameters, jnp.float32), shape))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_parameters_of_a_picture_come_back():
    shape = (6, 8, 3)
    picture = np.random.default_rng(0).uniform(0.1, 0.9, shape)
    scale = frequency_scale(6, 8, 0.5)[..., None]
    spectrum = np.fft.rfft2(4 * _logit(picture), axes=(0, 1)) / scale
    parameters = jnp.asarray([spectrum.real, spectrum.imag], jnp.float32)
    back = FourierImage(decorrelate=False, decay_power=0.5).image(parameters, shape)
    # Float32 through a transform of 48 numbers and a sigmoid.
    np.testing.assert_allclose(back, picture, atol=1e-5)


def test_frequencies_are_scaled_by_their_inverse_and_the_constant_by_the_longer_side():
    scale = frequency_scale(4, 8)
    root = np.sqrt(32)
    np.testing.assert_allclose(scale[0, 0], root * 8)  # as one cycle over 8 pixels
    np.testing.assert_allclose(scale[0, 2], root * 4)  # a quarter of a cycle per pixel
    np.testing.assert_allclose(scale[2, 4], root / np.hypot(0.5, 0.5))
    np.testing.assert_allclose(scale[3, 0], scale[1, 0])  # a negative frequency
    np.testing.assert_array_equal(frequency_scale(4, 8, 0), np.full((4, 5), root))


@pytest.mark.parametrize("parameterization", [PixelImage(), FourierImage()])
def test_zero_parameters_are_grey_and_noise_follows_the_key(parameterization):
    shape = (6, 6, 3)
    noise = parameterization.init(jax.random.key(0), shape)
    again = parameterization.init(jax.random.key(0), shape)
    other = parameterization.init(jax.random.key(1), shape)
    np.testing.assert_array_equal(noise, again)
    assert not np.array_equal(noise, other)
    np.testing.assert_array_equal(parameterization.image(0 * noise, shape), np.full(shape, 0.5))
    image = np.asarray(parameterization.image(100 * noise, shape))
    assert image.shape == shape
    assert 0 <= image.min() < 0.1 < 0.9 < image.max() <= 1


def test_decorrelated_colours_are_brightness_and_two_differences():
    axes = np.eye(3, dtype=np.float32)[None]
    ours = _logit(to_unit_range(jnp.asarray(axes), decorrelate=True))[0]
    # Columns of Lucid's matrix over the longest of them, that of brightness.
    columns = np.array([[0.26, 0.27, 0.27], [0.09, 0.0, -0.09], [0.02, -0.05, 0.03]])
    np.testing.assert_allclose(ours, columns / np.linalg.norm(columns[0]), atol=1e-6)


def test_frames_without_three_colours_are_taken_as_they_are():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 4)), jnp.float32)
    expected = 1 / (1 + np.exp(-np.asarray(x)))
    # Two ways to write a sigmoid in float32.
    np.testing.assert_allclose(to_unit_range(x, decorrelate=True), expected, atol=1e-6)


def test_decay_must_be_finite():
    with pytest.raises(ValueError, match="decay_power must be finite; got nan"):
        FourierImage(decay_power=float("nan"))
