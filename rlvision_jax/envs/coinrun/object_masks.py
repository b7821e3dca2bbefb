"""Where each kind of object is seen in a frame: ground truth for what a network finds in it.

The masks come from the same stamps as the frame, laid down as marks of their kind instead of
colours.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, UInt32

from rlvision_jax.envs.coinrun import blending, compositing, screen, stamps, tiles
from rlvision_jax.envs.coinrun.assets import Assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import LAVA_MID, SPACE
from rlvision_jax.envs.coinrun.patches import Ink, Words
from rlvision_jax.envs.coinrun.rendering import velocity_squares
from rlvision_jax.envs.coinrun.stamps import OBJECT_NAMES
from rlvision_jax.envs.coinrun.tables import entries
from rlvision_jax.envs.coinrun.tiles import Window
from rlvision_jax.envs.coinrun.types import State

_LAVA, _WALL, _VELOCITY = (OBJECT_NAMES.index(name) for name in ("lava", "wall", "velocity"))


def object_masks(
    assets: Assets, config: CoinRunConfig, state: State
) -> Bool[Array, "height width object"]:
    """Marks the pixels of a game's frame in which each kind of object is seen.

    An object is seen where its sprite's alpha, times its opacity, is above 0 and nothing fully
    opaque is drawn over it later. Where a translucent edge lies over something, both are seen.
    The background is seen where no mask holds, and behind translucent ones.

    Args:
      assets: of the same options, from `load_assets`.
      config: the options. Static.
      state: of one game.

    Returns:
      A mask of 64 x 64 pixels for each of `OBJECT_NAMES`.
    """
    camera = screen.camera(state)
    view = tiles.window(state, camera)
    places = tiles.draw(assets, state, camera, view) & ~compositing.CONTENT
    scene = stamps.scene(state, camera, view)
    marks = compositing.overlaid(
        assets.texels, scene, places | _cell_marks(places, view), ink=_MARKS, config=config
    )
    if config.paint_velocity:
        marks = jnp.where(velocity_squares().any(axis=0), np.uint32(1 << _VELOCITY), marks)
    bits = np.arange(len(OBJECT_NAMES), dtype=np.uint32)[None, None]
    return ((marks[:, :, None] >> bits) & 1) > 0


def masks_at_layer(
    masks: Bool[Array, "height width object"], height: int, width: int
) -> Float32[Array, "row column object"]:
    """How much of each position of a layer the objects cover.

    Position `i` of a layer with `n` rows stands for the pixels from `64 i / n` to
    `64 (i + 1) / n`; those at an edge count in part.

    Args:
      masks: of one frame, from `object_masks`.
      height, width: positions of the layer, from 1 to the frame's. Static.

    Returns:
      The covered share of each position's pixels, from 0 to 1; `> 0` tells where an object is
      seen at all.

    Raises:
      ValueError: if a layer has more positions than the frame pixels, or none.

    Example:
      >>> masks = jnp.zeros((64, 64, 1), bool).at[:, 4:12].set(True)
      >>> print(masks_at_layer(masks, 8, 8)[0, :, 0])
      [0.5 0.5 0.  0.  0.  0.  0.  0. ]
    """
    rows, columns = (
        _shares("height", height, masks.shape[0]),
        _shares("width", width, masks.shape[1]),
    )
    return jnp.einsum("rh,cw,hwo->rco", rows, columns, masks.astype(jnp.float32))


def _shares(name: str, positions: int, pixels: int) -> Float32[np.ndarray, "position pixel"]:
    """Which share of each position of a layer's axis each pixel makes up."""
    if not 1 <= positions <= pixels:
        raise ValueError(f"{name} of a layer must be from 1 to {pixels} positions; got {positions}")
    # In units of 1 / positions pixels, so that all ends are integers.
    starts = np.arange(positions)[:, None] * pixels
    edges = np.arange(pixels)[None] * positions
    overlap = np.minimum(starts + pixels, edges + positions) - np.maximum(starts, edges)
    return (np.maximum(overlap, 0) / pixels).astype(np.float32)


def _cell_marks(
    places: UInt32[Array, "height width"], view: Window
) -> UInt32[Array, "height width"]:
    """Marks of the walls and the lava in the lowest layer."""
    row, column = tiles.cell_at((places >> np.uint32(24)).astype(jnp.int32))
    cells = jnp.where(places == 0, np.uint8(SPACE), entries(view.cells, row, column))
    is_lava = cells == LAVA_MID
    mark = jnp.where(is_lava, np.uint32(1 << _LAVA), np.uint32(1 << _WALL))
    return jnp.where(cells == SPACE, np.uint32(0), mark)


def _words(texel: Words, kind: Int32[Array, ""]) -> Words:
    """The texel's alpha, and the mark of its kind in the place of its colour."""
    mark = jnp.uint32(1) << kind.astype(jnp.uint32)
    return jnp.where(blending.alpha(texel) == 0, np.uint32(0), (texel & ~blending.RGB) | mark)


def _over(word: Words, pixel: Words) -> Words:
    is_opaque = blending.alpha(word) == blending.OPAQUE
    return jnp.where(is_opaque, word, word | pixel)


_MARKS = Ink(_words, _over)
