"""Images as parameters: pixels or Fourier coefficients, in correlated or decorrelated colours.

Gradient ascent takes steps of one length in parameters; which images are near each other depends
on what the parameters are. In Fourier coefficients scaled by 1/frequency, in colours that natural
images do not correlate, coarse shapes come first and high-frequency noise last.

Source: lucid.optvis.param; Olah et al. 2017, "Feature Visualization", section
"Preconditioning and Parameterization", https://distill.pub/2017/feature-visualization.
"""

import dataclasses
import math
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

# Square root of the covariance of the colours of ImageNet, RGB by decorrelated channel:
# lucid.optvis.param.color.
_COLOR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
# Lucid divides images from Fourier coefficients by this.
_FOURIER_DIVISOR = 4


@runtime_checkable
class Parameterization(Protocol):
    """How an image is written as parameters; hashable, since programs are compiled for it."""

    def init(self, key: Array, shape: tuple[int, int, int]) -> Array:
        """Parameters drawn from the normal distribution, around those of a grey image.

        Args:
          key: of the draw; consumed.
          shape: height, width, channel of the image.

        Returns:
          Zeros are the grey image, so that any multiple is an image of less or more noise.
        """
        ...

    def image(
        self, parameters: Array, shape: tuple[int, int, int]
    ) -> Float[Array, "height width channel"]:
        """The image that parameters stand for, in [0, 1]."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelImage:
    """Each pixel for itself.

    Attributes:
      decorrelate: whether the three channels of a pixel are decorrelated colours; frames of
        another number of channels are taken as they are.

    Example:
      >>> pixels = PixelImage(decorrelate=False)
      >>> print(pixels.image(jnp.zeros((1, 1, 3)), (1, 1, 3)))
      [[[0.5 0.5 0.5]]]
    """

    decorrelate: bool = True

    def init(self, key: Array, shape: tuple[int, int, int]) -> Float[Array, "height width channel"]:
        """Parameters drawn from the normal distribution, around those of a grey image."""
        return jax.random.normal(key, shape)

    def image(
        self, parameters: Float[Array, "height width channel"], shape: tuple[int, int, int]
    ) -> Float[Array, "height width channel"]:
        """The image that parameters stand for, in [0, 1]."""
        return to_unit_range(parameters, decorrelate=self.decorrelate)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FourierImage:
    """Two-dimensional Fourier coefficients of each channel, scaled by 1/frequency.

    Parameters are the real and the imaginary parts of the coefficients that a real image has.

    Attributes:
      decorrelate: whether the three channels are decorrelated colours; frames of another number
        of channels are taken as they are.
      decay_power: how much finer waves are held back: coefficients are parameters divided by the
        frequency to this power. 0 moves all frequencies alike.

    Example:
      >>> waves = FourierImage()
      >>> parameters = waves.init(jax.random.key(0), (8, 6, 3))
      >>> parameters.shape, waves.image(parameters, (8, 6, 3)).shape
      ((2, 8, 4, 3), (8, 6, 3))
    """

    decorrelate: bool = True
    decay_power: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.decay_power):
            raise ValueError(f"decay_power must be finite; got {self.decay_power}")

    def init(
        self, key: Array, shape: tuple[int, int, int]
    ) -> Float[Array, "2 height frequency channel"]:
        """Parameters drawn from the normal distribution, around those of a grey image."""
        height, width, channels = shape
        return jax.random.normal(key, (2, height, width // 2 + 1, channels))

    def image(
        self,
        parameters: Float[Array, "2 height frequency channel"],
        shape: tuple[int, int, int],
    ) -> Float[Array, "height width channel"]:
        """The image that parameters stand for, in [0, 1]."""
        height, width, _ = shape
        scale = frequency_scale(height, width, self.decay_power)[..., None]
        spectrum = jax.lax.complex(parameters[0], parameters[1])
        spectrum = spectrum * jnp.asarray(scale, jnp.float32)
        plane = jnp.fft.irfft2(spectrum, s=(height, width), axes=(0, 1))
        return to_unit_range(plane / _FOURIER_DIVISOR, decorrelate=self.decorrelate)


def frequency_scale(
    height: int, width: int, decay_power: float | int = 1.0
) -> Float[np.ndarray, "height frequency"]:
    """What each parameter of a `FourierImage` is multiplied by.

    The frequency in cycles per pixel to the power `-decay_power`, the constant wave taken as one
    cycle over the longer side; times the root of the number of pixels, so that parameters of one
    size make pixels of about one size whatever that of the image.

    Example:
      >>> print(frequency_scale(2, 2))
      [[4.         4.        ]
       [4.         2.82842712]]
    """
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    bounded = np.maximum(frequencies, 1 / max(height, width))
    return bounded**-decay_power * math.sqrt(height * width)


def to_unit_range(
    x: Float[Array, "height width channel"], *, decorrelate: bool
) -> Float[Array, "height width channel"]:
    """Any real numbers as an image: colours correlated as in natural images, then a sigmoid.

    Args:
      x: real numbers.
      decorrelate: whether the channels are decorrelated colours, if they are three: brightness,
        and two differences of colours, about red against blue and green against both.

    Returns:
      Pixels in [0, 1].

    Example:
      >>> print(to_unit_range(jnp.array([[[1.0, 0.0, 0.0]]]), decorrelate=True).round(2))
      [[[0.64 0.64 0.64]]]
    """
    if decorrelate and x.shape[-1] == 3:
        root = np.asarray(_COLOR_ROOT, np.float32)
        root /= np.linalg.norm(root, axis=0).max()
        # Exact products: accelerators would round them to fewer bits.
        x = jnp.einsum("hwi,oi->hwo", x, root, precision="highest")
    return jax.nn.sigmoid(x)
