"""Which pixels show which object, for a game of either world (host only)."""

import dataclasses
import functools

import jax
import numpy as np
from jaxtyping import Array, Bool

from rlvision_jax.envs.coinrun import host_state
from rlvision_jax.envs.coinrun import object_masks as masks
from rlvision_jax.envs.coinrun.assets import Assets, load_assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.types import State
from rlvision_jax.envs.procgen_coinrun import CoinRunState, decode_state

# Sets of sprites, of 5 MB each, that are kept for the next call.
_KEPT = 4


def object_masks(
    state: CoinRunState | bytes | State, config: CoinRunConfig | None = None
) -> Bool[np.ndarray, "height width object"]:
    """Marks the pixels of a game's frame in which each kind of object is seen.

    For many games on the device, `CoinRun.object_masks` does the same and can be mapped.

    Args:
      state: of one game: as `get_state` or `decode_state` returns it, or of the device.
      config: the options that a device's state is played with; None means the default ones. A
        state of Procgen brings its own.

    Returns:
      A mask of 64 x 64 pixels for each of `OBJECT_NAMES`: where the object's sprite is not fully
      transparent and nothing opaque is drawn over it.

    Raises:
      ValueError: if the state is none of CoinRun's or holds what the device version lacks.
      MissingProcgenError: if Procgen's art is not installed.

    Example:
      >>> from rlvision_jax import envs
      >>> env = envs.make("procgen:coinrun", num_envs=1)
      >>> seen = object_masks(env.get_state()[0]).any(axis=(0, 1))
      >>> [name for name, is_seen in zip(envs.OBJECT_NAMES, seen) if is_seen][:1]
      ['agent']
      >>> env.close()
    """
    if isinstance(state, State):
        game = state
    else:
        record = decode_state(state) if isinstance(state, bytes) else state
        config = host_state.config_of(record)
        game = host_state.from_procgen(record)
    # Neither the background nor the level set changes a mask.
    drawn = dataclasses.replace(
        CoinRunConfig() if config is None else config,
        use_backgrounds=False,
        num_levels=0,
        start_level=0,
        invisible=(),
    )
    return np.asarray(_masks(_assets(drawn), drawn, game))


@functools.lru_cache(maxsize=_KEPT)
def _assets(config: CoinRunConfig) -> Assets:
    return load_assets(config, size="small")


@functools.partial(jax.jit, static_argnums=1)
def _masks(
    assets: Assets, config: CoinRunConfig, game: State
) -> Bool[Array, "height width object"]:
    return masks.object_masks(assets, config, game)
