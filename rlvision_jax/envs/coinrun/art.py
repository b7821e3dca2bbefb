"""Reads CoinRun's pictures as Qt hands them to the game (host only: files and NumPy arrays).

Source: openai/procgen, `procgen/src/resources.cpp`, and `color_for_type` in
`procgen/src/basic-abstract-game.cpp`.
"""

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt32

from rlvision_jax.envs.coinrun import blending
from rlvision_jax.envs.coinrun.constants import LAVA_MID, WALL_MID, WALL_TOP
from rlvision_jax.envs.coinrun.pictures import ATLAS_SIZE, BACKGROUND_PATHS, PICTURES, Picture

_OPAQUE_BITS = np.uint32(0xFF000000)
# Cells of which nothing is seen behind the last one drawn.
_OPAQUE_IMAGES = (WALL_MID, WALL_TOP, LAVA_MID)
# Monochrome colours: four shades a channel, in a scrambled order.
_SHADES = 4
_COLORS = _SHADES**3
_TYPE_FACTOR, _THEME_FACTOR = 29, 19


class Art(NamedTuple):
    """Everything that CoinRun can draw, as words 0xAABBGGRR.

    Attributes:
      atlas: the texels of `pictures.PICTURES`, premultiplied by alpha.
      backgrounds: the texels of all backgrounds, in the game's order; they are opaque.
      shapes: height and width of each background.
    """

    atlas: UInt32[np.ndarray, " texel"]
    backgrounds: UInt32[np.ndarray, " background_texel"]
    shapes: Int64[np.ndarray, "background side"]


def read(folder: Path, *, max_height: int | None = None) -> Art:
    """Decodes all pictures.

    Args:
      folder: Procgen's `data/assets`, or a copy with other pictures.
      max_height: shrink taller backgrounds to this height.

    Raises:
      ValueError: if a sprite is not as large as Procgen's, or a wall not opaque.
    """
    atlas = [_sprite(folder, picture).ravel() for picture in PICTURES]
    backgrounds = [_words(folder / path) | _OPAQUE_BITS for path in BACKGROUND_PATHS]
    if max_height is not None:
        backgrounds = [_shrunk(background, max_height) for background in backgrounds]
    return Art(
        np.concatenate(atlas),
        np.concatenate([background.ravel() for background in backgrounds]),
        np.array([background.shape for background in backgrounds]),
    )


def missing_files(folder: Path) -> list[str]:
    """Paths of the pictures that `folder` lacks."""
    return [path for path in _paths() if not (folder / path).is_file()]


def digest(folder: Path) -> str:
    """A hash of all files that `read` decodes."""
    total = hashlib.sha256()
    for path in _paths():
        total.update(hashlib.sha256((folder / path).read_bytes()).digest())
    return total.hexdigest()


def monochrome() -> UInt32[np.ndarray, " texel"]:
    """The atlas that `use_monochrome_assets` amounts to: each picture of one opaque colour."""
    atlas = np.empty(ATLAS_SIZE, np.uint32)
    for picture in PICTURES:
        atlas[_texels(picture)] = _color(picture.image_type, picture.theme)
    return atlas


def with_first_themes(atlas: UInt32[np.ndarray, " texel"]) -> UInt32[np.ndarray, " texel"]:
    """The atlas that `restrict_themes` amounts to: all themes of an image look like its first."""
    atlas = atlas.copy()
    firsts = {picture.image_type: picture for picture in PICTURES if picture.theme == 0}
    for picture in PICTURES:
        atlas[_texels(picture)] = atlas[_texels(firsts[picture.image_type])]
    return atlas


def _paths() -> list[str]:
    return [*(picture.path for picture in PICTURES), *BACKGROUND_PATHS]


def _texels(picture: Picture) -> slice:
    return slice(picture.start, picture.start + picture.shape[0] * picture.shape[1])


def _sprite(folder: Path, picture: Picture) -> UInt32[np.ndarray, "height width"]:
    words = _words(folder / picture.path)
    if words.shape != picture.shape:
        raise ValueError(
            f"{folder / picture.path} must be {picture.shape[1]} x {picture.shape[0]} pixels, as "
            f"Procgen's is; got {words.shape[1]} x {words.shape[0]}"
        )
    if picture.image_type in _OPAQUE_IMAGES and blending.alpha(words).min() < blending.OPAQUE:
        raise ValueError(f"{folder / picture.path} must be opaque, as Procgen's is")
    return blending.premultiplied(words)


def _words(path: Path) -> UInt32[np.ndarray, "height width"]:
    """The pixels of a PNG file as its file holds them."""
    # Only where pictures are decoded: what is cached needs no decoder.
    from PIL import Image

    with Image.open(path) as image:
        channels = np.asarray(image.convert("RGBA"), np.uint32)
    red, green, blue, alpha = np.moveaxis(channels, -1, 0)
    return (alpha << 24) | (blue << 16) | (green << 8) | red


def _shrunk(
    picture: UInt32[np.ndarray, "height width"], max_height: int
) -> UInt32[np.ndarray, "small_height small_width"]:
    """The texels nearest to the centres of those of a smaller picture."""
    height, width = picture.shape
    rows = min(height, max_height)
    columns = round(width * rows / height)
    row, column = (
        (2 * np.arange(small) + 1) * large // (2 * small)
        for small, large in ((rows, height), (columns, width))
    )
    return picture[np.ix_(row, column)]


def _color(image_type: int, theme: int) -> int:
    number = _TYPE_FACTOR * (image_type + 1) % _COLORS
    number = (number + _THEME_FACTOR * theme) % _COLORS
    digits = (number // _SHADES**2, number // _SHADES % _SHADES, number % _SHADES)
    red, green, blue = (256 // _SHADES * (digit + 1) - 1 for digit in digits)
    return 0xFF << 24 | blue << 16 | green << 8 | red
