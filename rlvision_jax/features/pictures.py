"""Maps as pictures: a colour for each feature, blurred, with strength as opacity over the frame.

Host module: NumPy in, NumPy out. Colours are RGB in [0, 1].

Source: lucid.scratch.rl_util.util and .nmf, lucid.misc.io.collapse_channels, and save_attr of
understanding_rl_vision/rl_clarity/interface.py.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8

from rlvision_jax._checks import check_at_least

# What the original blurs attributions with.
_BLUR_LENGTH = 15
# Rec. 601, as CSS greyscale filters.
_LUMA = (0.299, 0.587, 0.114)


def hues(num_colors: int, *, warp: bool = True) -> Float[np.ndarray, "color 3"]:
    """Colours spread evenly over the circle of hues, each of length 1, from red on.

    Args:
      num_colors: how many, at least 1.
      warp: push hues away from red, green and blue, which makes them easier to tell apart.

    Example:
      >>> print(hues(2).round(2))
      [[1.   0.   0.  ]
       [0.   0.71 0.71]]
    """
    check_at_least("num_colors", num_colors, 1)
    # Red, yellow, green, cyan, blue, magenta, and red again.
    corners = np.asarray(
        [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], float
    )
    corners /= np.linalg.norm(corners, axis=1, keepdims=True)
    place = 6 * np.arange(num_colors) / num_colors
    corner = place.astype(int)
    share = place - corner
    if warp:
        from_primary = np.sin(share * np.pi / 2)
        to_primary = 1 - np.sin((1 - share) * np.pi / 2)
        share = np.where(corner % 2 == 0, from_primary, to_primary)
    mixed = (1 - share)[:, None] * corners[corner] + share[:, None] * corners[corner + 1]
    return mixed / np.linalg.norm(mixed, axis=1, keepdims=True)


def distance_kernel(
    length: int, *, order: int | float = 2, clip: bool = True
) -> Float[np.ndarray, "length length"]:
    """exp(-distance) from the centre of a square: what `blur` spreads each position by.

    Args:
      length: of the square, at least 1.
      order: of the norm that measures the distance.
      clip: zero beyond the middles of the sides, so that the kernel is a disc.
    """
    check_at_least("length", length, 1)
    offsets = np.indices((length, length)) - (length - 1) / 2
    kernel = np.exp(-np.linalg.norm(offsets, ord=order, axis=0))
    if clip:
        bound = kernel.min(0).max()
        # The middles themselves stay, however they are rounded.
        kernel = np.where(kernel >= bound * (1 - 1e-5), kernel, 0)
    return kernel


def blur(
    images: Float[np.ndarray, "frame h w channel"], kernel: Float[np.ndarray, "kh kw"]
) -> Float[np.ndarray, "frame h w channel"]:
    """Cross-correlates every channel with a kernel; zeros beyond the edges, same size."""
    num_frames, height, width, num_channels = images.shape
    planes = jnp.moveaxis(jnp.asarray(images, jnp.float32), -1, 1)
    planes = planes.reshape(-1, 1, height, width)
    weights = jnp.asarray(kernel, jnp.float32)[None, None]
    spread = jax.lax.conv(planes, weights, (1, 1), "SAME")
    spread = spread.reshape(num_frames, num_channels, height, width)
    return np.asarray(jnp.moveaxis(spread, 1, -1))


def brightness_to_opacity(
    images: Float[np.ndarray, "*shape 3"],
) -> Float[np.ndarray, "*shape 4"]:
    """RGB as RGBA: the length of a colour, at most 1, becomes its opacity."""
    brightness = np.minimum(1, np.linalg.norm(images, axis=-1, keepdims=True))
    colors = np.divide(images, brightness, out=np.zeros_like(images), where=brightness != 0)
    return np.concatenate([colors, brightness.astype(colors.dtype)], -1)


def rescale_opacity(
    images: Float[np.ndarray, "*frame h w 4"],
    *,
    min_opacity: float = 15 / 255,
    opaque_share: float = 0.1,
    max_scale: float | int = 10,
    keep_zeros: bool = False,
) -> Float[np.ndarray, "*frame h w 4"]:
    """Stretches the opacities of each picture, so that some of it is opaque.

    Args:
      images: RGBA.
      min_opacity: what zero becomes.
      opaque_share: share of the pixels that become opaque, if `max_scale` allows.
      max_scale: opacities grow by no more than this factor of the picture's largest.
      keep_zeros: leave pixels of no opacity without any.
    """
    opacity = images[..., 3]
    threshold = np.percentile(opacity, 100 * (1 - opaque_share), axis=(-2, -1), keepdims=True)
    threshold = np.maximum(threshold, opacity.max((-2, -1), keepdims=True) / max_scale)
    threshold = np.where(threshold == 0, 1, threshold)
    stretched = np.minimum(1, min_opacity + opacity * (1 - min_opacity) / threshold)
    if keep_zeros:
        stretched = np.where(opacity == 0, 0, stretched)
    return np.concatenate([images[..., :3], stretched[..., None].astype(images.dtype)], -1)


def enlarge(images: np.ndarray, width: int) -> np.ndarray:
    """Nearest pixels of pictures [..., height, width, channel], enlarged to a width."""
    factor = width / images.shape[-2]
    for axis in (-3, -2):
        size = images.shape[axis]
        wanted = round(size * factor)
        repeats = width // images.shape[-2] + 1
        # Corner on corner, half to even: as scipy.ndimage.zoom places pixels.
        places = np.rint(np.linspace(0, size * repeats - 1, wanted)).astype(int) // repeats
        images = np.take(images, places, axis)
    return images


def overlay(
    observations: UInt8[np.ndarray, "frame height width 3"],
    maps: Float[np.ndarray, "frame h w feature"],
    *,
    colors: Float[np.ndarray, "feature 3"] | None = None,
    scale: float | None = None,
) -> UInt8[np.ndarray, "frame height width 3"]:
    """Draws feature maps over grey frames, as the original interface shows attribution.

    Args:
      observations: frames, 0-255.
      maps: strength of each feature at each position of a layer; what is below 0 is not drawn:
        pass `-maps` to see what speaks against the score.
      colors: of the features; None: `hues`.
      scale: strength that is drawn at full colour; None: the median over frames of the largest.

    Returns:
      Pictures, 0-255.
    """
    positive = np.maximum(maps, 0)
    if scale is None:
        largest = positive.max((1, 2, 3))
        scale = float(np.median(largest)) or float(largest.max()) or 1.0
    if colors is None:
        colors = hues(maps.shape[-1])
    colored = blur(positive / scale @ colors, distance_kernel(_BLUR_LENGTH))
    rgba = brightness_to_opacity(enlarge(colored, observations.shape[2]))
    opacity = rgba[..., 3:]
    grey = (observations / 255 @ np.asarray(_LUMA))[..., None]
    mixed = rgba[..., :3] * opacity + grey * (1 - opacity)
    return np.round(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
