"""Masks against what changes in Procgen's picture when the object is taken away."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawings import drawn_by_procgen, played, scribbled

from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.object_masks import OBJECT_NAMES, masks_at_layer, object_masks
from rlvision_jax.envs.coinrun.types import Visible

CONFIG = CoinRunConfig(paint_velocity=True, use_backgrounds=False)
MONOCHROME = CoinRunConfig(use_monochrome_assets=True)
CELLS = {"coin": [1], "lava": [17, 18]}
SPACE = np.uint8(100)


@functools.partial(jax.jit, static_argnums=1)
def masks_of(assets, config, states):
    return jax.vmap(lambda state: object_masks(assets, config, state))(states)


def mask_of(name, assets, config, states):
    return np.asarray(masks_of(assets, config, states))[..., OBJECT_NAMES.index(name)]


def without(states, name):
    if name in Visible._fields:
        hidden = {name: np.zeros(len(states.time), np.bool_)}
        return states._replace(visible=states.visible._replace(**hidden))
    return states._replace(grid=np.where(np.isin(states.grid, CELLS[name]), SPACE, states.grid))


@pytest.fixture(scope="module")
def scenes():
    """States with all kinds of objects, played and scribbled, and Procgen's pictures of them."""
    _, calm = played(CONFIG, num_envs=48, num_steps=60, every=60, seed=9)
    states = jax.tree.map(lambda *fields: np.concatenate(fields), calm, scribbled(48, seed=9))
    return states, functools.cache(lambda config: drawn_by_procgen(config, states))


@pytest.mark.parametrize("config", [CONFIG, MONOCHROME], ids=["pictures", "monochrome"])
@pytest.mark.parametrize("name", [*Visible._fields, *CELLS])
def test_taking_an_object_away_changes_its_mask_only(load, scenes, config, name):
    states, frames = scenes
    mask = mask_of(name, load(config), config, states)
    changed = (frames(config) != drawn_by_procgen(config, without(states, name))).any(-1)
    assert not (changed & ~mask).any()
    assert mask.any()
    if config == CONFIG:
        # Before black every pixel changes, but for edges too faint to change a byte.
        assert (mask & ~changed).sum() <= 0.01 * mask.sum()


def test_another_ground_changes_the_walls_only(load, scenes):
    states, frames = scenes
    mask = mask_of("wall", load(CONFIG), CONFIG, states)
    changed = np.zeros_like(mask)
    for shift in range(1, 6):
        scenery = states.scenery
        others = scenery._replace(ground_theme=(scenery.ground_theme + np.int32(shift)) % 6)
        other_frames = drawn_by_procgen(CONFIG, states._replace(scenery=others))
        changed |= (other_frames != frames(CONFIG)).any(-1)
    np.testing.assert_array_equal(mask, changed)


def test_painting_velocity_changes_its_mask_only(load, scenes):
    states, frames = scenes
    mask = mask_of("velocity", load(CONFIG), CONFIG, states)
    unpainted = CoinRunConfig(use_backgrounds=False)
    changed = (frames(CONFIG) != drawn_by_procgen(unpainted, states)).any(-1)
    assert not (changed & ~mask).any()
    assert mask.sum() == len(mask) * 2 * 13 * 13
    others = np.asarray(masks_of(load(CONFIG), CONFIG, states))[..., :-1]
    assert not (others & mask[..., None]).any()
    assert not mask_of("velocity", load(unpainted), unpainted, states).any()


def test_shares_equal_a_count_of_pixels():
    masks = np.random.default_rng(0).random((64, 64, 3)) < 0.3
    for size in (64, 32, 16, 8):
        cells = masks.reshape(size, 64 // size, size, 64 // size, 3)
        # Sums of at most 64^2 powers of two are exact.
        np.testing.assert_array_equal(
            masks_at_layer(jnp.asarray(masks), size, size), cells.mean(axis=(1, 3))
        )


def test_shares_of_uneven_layers_keep_the_covered_area():
    masks = np.random.default_rng(1).random((64, 64, 2)) < 0.5
    shares = np.asarray(masks_at_layer(jnp.asarray(masks), 15, 6))
    assert shares.shape == (15, 6, 2)
    # float32 sums of 4096 numbers.
    np.testing.assert_allclose(shares.mean(axis=(0, 1)), masks.mean(axis=(0, 1)), rtol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(0, 8), (8, 65)])
def test_layers_larger_than_the_frame_are_refused(height, width):
    with pytest.raises(ValueError, match=r"of a layer must be from 1 to 64 positions; got (0|65)$"):
        masks_at_layer(jnp.zeros((64, 64, 1), jnp.bool_), height, width)
