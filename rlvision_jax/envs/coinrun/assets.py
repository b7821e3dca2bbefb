"""CoinRun's art as arrays of the device, built once from Procgen's files and cached (host only).

The atlas of sprites takes 5 MB, all backgrounds 235 MB at their own size: Procgen samples single
texels of them, so that no smaller copy is exact.
"""

import contextlib
import os
import tempfile
import warnings
import zipfile
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Int32, Int64, UInt32

from rlvision_jax._checks import check_choice
from rlvision_jax.envs import procgen_library
from rlvision_jax.envs.coinrun import art as art_files
from rlvision_jax.envs.coinrun import scaling
from rlvision_jax.envs.coinrun.art import Art
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import WORLD_SIZE
from rlvision_jax.envs.coinrun.pictures import ATLAS_SIZE
from rlvision_jax.envs.coinrun.screen import UNIT

AssetSize = Literal["exact", "small"]

# Names the layout of the cache's files; to be raised when it changes.
_LAYOUT = 2
# A background, drawn from end to end, is 315 pixels tall.
_MAX_HEIGHTS: dict[AssetSize, int | None] = {"exact": None, "small": 236}


class Backgrounds(NamedTuple):
    """The backgrounds' places among the texels, and how Procgen scales each to the world.

    Attributes:
      start: index of the first texel.
      width: texels in a row.
      row_step, column_step: texels from one pixel to the next, in units of 2^-16.
      spare_width: how much wider than the world it is, in widths of the world.
    """

    start: Int32[Array, " background"]
    width: Int32[Array, " background"]
    row_step: Int32[Array, " background"]
    column_step: Int32[Array, " background"]
    spare_width: Float32[Array, " background"]


class Assets(NamedTuple):
    """What CoinRun draws with, for one set of options.

    Pass it to jitted functions as an argument: closed over, its texels would become a constant of
    the program.

    Attributes:
      texels: the pictures of `pictures.PICTURES` and the backgrounds, as words 0xAABBGGRR,
        colours multiplied by alpha.
      backgrounds: where the backgrounds lie, and how large they are drawn.
    """

    texels: UInt32[Array, " texel"]
    backgrounds: Backgrounds


def load_assets(
    config: CoinRunConfig,
    *,
    size: AssetSize = "exact",
    all_backgrounds: bool = False,
    art: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Assets:
    """Reads what is drawn with the given options onto JAX's default device.

    The first call decodes Procgen's pictures and leaves them in the cache.

    Args:
      config: the options.
      size: "exact" gives Procgen's frames. "small" shrinks backgrounds to 236 rows, 26 MB in
        all; three frames of hard levels in four then differ, in their backgrounds only: by 0.9
        of 255 on average, and 2% of all pixels by more than 16.
      all_backgrounds: whether to hold backgrounds that the config's levels never show, for
        states that are edited to show them. Without, any background of easy levels is drawn as
        their only one.
      art: a folder like Procgen's `data/assets`; None means that of the installed wheel.
      cache: the folder for decoded pictures, 240 MB for "exact"; None means `rlvision_jax` in
        the user's folder of caches (`XDG_CACHE_HOME`, otherwise `~/.cache`). Where nothing can
        be written, a warning is given and the pictures are decoded at each call.

    Raises:
      MissingProcgenError: if `art` is None and Procgen's art is not installed.
      ValueError: if `size` is unknown, or `art` lacks pictures or has sprites of other sizes.
    """
    check_choice("size", size, get_args(AssetSize))
    folder = _art_folder(art)
    drawn = _cached(folder, size, _default_cache() if cache is None else Path(cache))
    return _assets(drawn, config, all_backgrounds)


def _assets(drawn: Art, config: CoinRunConfig, all_backgrounds: bool) -> Assets:
    atlas = art_files.monochrome() if config.use_monochrome_assets else drawn.atlas
    if config.restrict_themes:
        atlas = art_files.with_first_themes(atlas)
    if not config.use_backgrounds:
        shapes, texels = np.array([[1, 1]]), np.zeros(1, np.uint32)
    else:
        has_one = config.distribution_mode == "easy" and config.themes == "own"
        shapes = drawn.shapes[:1] if has_one and not all_backgrounds else drawn.shapes
        texels = drawn.backgrounds[: shapes.prod(axis=1).sum()]
    return Assets(jnp.asarray(np.concatenate([atlas, texels])), _backgrounds(shapes))


def _backgrounds(shapes: Int64[np.ndarray, "background side"]) -> Backgrounds:
    heights, widths = shapes.T
    sizes = heights * widths
    ratios = np.asarray(widths, np.float32) / np.asarray(heights, np.float32)
    world = float(np.float32(WORLD_SIZE) * UNIT)
    columns = zip(widths.tolist(), ratios.tolist(), strict=True)
    row_steps = [scaling.texel_step(height, world) for height in heights.tolist()]
    column_steps = [scaling.texel_step(width, world * ratio) for width, ratio in columns]
    return Backgrounds(
        start=jnp.asarray(ATLAS_SIZE + np.cumsum(sizes) - sizes, jnp.int32),
        width=jnp.asarray(widths, jnp.int32),
        row_step=jnp.asarray(row_steps, jnp.int32),
        column_step=jnp.asarray(column_steps, jnp.int32),
        spare_width=jnp.asarray(ratios - np.float32(1)),
    )


def _art_folder(art: str | os.PathLike[str] | None) -> Path:
    if art is None:
        return procgen_library.installed_art()
    folder = Path(art)
    missing = art_files.missing_files(folder)
    if missing:
        raise ValueError(
            f"art {folder} lacks {len(missing)} pictures of CoinRun, the first {missing[0]}; give "
            "a folder like data/assets of Procgen's wheel"
        )
    return folder


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlvision_jax"


def _cached(folder: Path, size: AssetSize, cache: Path) -> Art:
    """The art from the cache, or decoded and put there."""
    name = f"coinrun-{size}-{_LAYOUT}-{art_files.digest(folder)[:16]}.npz"
    with contextlib.suppress(FileNotFoundError, *_DAMAGED):
        return _load(cache / name)
    drawn = art_files.read(folder, max_height=_MAX_HEIGHTS[size])
    try:
        _save(drawn, cache / name)
    except OSError as error:
        warnings.warn(
            f"CoinRun's pictures cannot be cached in {cache} ({error}), so that every call of "
            "load_assets decodes them; pass cache=, or set XDG_CACHE_HOME, to a writable folder",
            stacklevel=3,
        )
    return drawn


# What a file that was cut short or changed raises: the members carry checksums.
_DAMAGED = (zipfile.BadZipFile, ValueError, EOFError, KeyError, OSError)


def _load(path: Path) -> Art:
    # NumPy leaves a file that it opens itself open when it is damaged.
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return Art(*(file[name] for name in Art._fields))


def _save(drawn: Art, path: Path) -> None:
    """Writes a file that is complete as soon as it has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            np.savez(file, **drawn._asdict())
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
