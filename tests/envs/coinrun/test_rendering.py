"""Frames of the device against Procgen's, byte for byte."""

import functools

import jax
import numpy as np
import pytest
from drawings import drawn_by_procgen, played, scribbled

from rlvision_jax.envs.coinrun import compositing, screen, stamps, tiles
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.patches import COLORS
from rlvision_jax.envs.coinrun.rendering import render
from rlvision_jax.envs.coinrun.types import Visible

HARD = CoinRunConfig(paint_velocity=True)


BATCH = 32


@functools.partial(jax.jit, static_argnums=1)
def batch_rendered(assets, config, states):
    return jax.vmap(lambda state: render(assets, config, state))(states)


def rendered(assets, config, states):
    """Frames in batches of one size, so that they compile once."""
    count = len(states.time)
    frames = []
    for start in range(0, count, BATCH):
        index = np.minimum(np.arange(start, start + BATCH), count - 1)
        batch = jax.tree.map(lambda field, index=index: np.asarray(field)[index], states)
        frames.append(np.asarray(batch_rendered(assets, config, batch)))
    return np.concatenate(frames)[:count]


@functools.partial(jax.jit, static_argnums=1)
def rendered_by_pixel(assets, config, states):
    """The way of accelerators, without the squares of velocity."""

    def one(state):
        camera = screen.camera(state)
        view = tiles.window(state, camera)
        pixels = tiles.draw(assets, state, camera, view)
        scene = stamps.scene(state, camera, view)
        pixels = compositing.by_pixel(assets.texels, scene, pixels, ink=COLORS, config=config)
        return jax.lax.bitcast_convert_type(pixels, np.uint8)[..., :3]

    return jax.vmap(one)(states)


@pytest.mark.parametrize(
    "config",
    [
        HARD,
        CoinRunConfig(distribution_mode="easy"),
        CoinRunConfig(restrict_themes=True, use_backgrounds=False),
        CoinRunConfig(use_monochrome_assets=True, paint_velocity=True),
    ],
    ids=["hard", "easy", "plain", "monochrome"],
)
def test_frames_equal_procgens(load, config):
    frames, states = played(config, num_envs=32, num_steps=160, every=20)
    assert len(frames) == 288
    np.testing.assert_array_equal(rendered(load(config), config, states), frames)
    if config.distribution_mode == "hard":
        states = scribbled(BATCH)
        frames = drawn_by_procgen(config, states)
        np.testing.assert_array_equal(rendered(load(config), config, states), frames)


def test_drawing_by_pixel_equals_procgen(load):
    config = CoinRunConfig()
    states = scribbled(BATCH, seed=1)
    frames = drawn_by_procgen(config, states)
    np.testing.assert_array_equal(rendered_by_pixel(load(config), config, states), frames)


@pytest.mark.parametrize("kind", Visible._fields)
def test_kinds_that_are_not_visible_are_left_out(load, kind):
    states = scribbled(8, seed=2)
    hidden = states.visible._replace(**{kind: np.zeros(8, np.bool_)})
    states_without = states._replace(visible=hidden)
    frames = rendered(load(HARD), HARD, states_without)
    np.testing.assert_array_equal(frames, drawn_by_procgen(HARD, states_without))
    assert (frames != rendered(load(HARD), HARD, states)).any()


def test_shades_of_velocity_equal_procgens_at_every_edge(load):
    """Velocities on either side of each change of shade, which float32 would put elsewhere."""
    edges = np.arange(256) / 255 - 0.5
    vx = np.float32(edges)
    vy = np.float32(3 * edges)
    below, above = np.float32(-9), np.float32(9)
    vx, vy = (np.concatenate([np.nextafter(v, below), v, np.nextafter(v, above)]) for v in (vx, vy))
    states = jax.tree.map(lambda field: np.repeat(field[:1], len(vx), axis=0), scribbled(1))
    states = states._replace(player=states.player._replace(vx=vx, vy=vy))
    frames = drawn_by_procgen(HARD, states)
    np.testing.assert_array_equal(rendered(load(HARD), HARD, states), frames)
    assert len(np.unique(frames[:, 0, 0, 0])) == len(np.unique(frames[:, 0, 13, 0])) == 256


def test_edges_on_the_screen_are_rounded_after_every_operation():
    """Of two constants XLA makes one; a texel is then another one in a frame of some thousand."""
    state = jax.tree.map(lambda field: field[0], scribbled(1))
    # A camera at the world's lower edge: what else is added would hide most of it.
    state = state._replace(player=state.player._replace(y=screen.VIEW / np.float32(2)))
    y = np.arange(-8, 73, dtype=np.int32)

    @jax.jit
    def tops(state, y):
        return screen.top(screen.camera(state), y.astype(np.float32), tiles.MARGIN)

    expected = (screen.VIEW - y.astype(np.float32) - tiles.MARGIN) * screen.UNIT
    np.testing.assert_array_equal(tops(state, y), expected)


def test_neighbours_in_the_batch_do_not_matter(load):
    states = scribbled(BATCH, seed=4)
    game = jax.tree.map(lambda field: field[3], states)
    alone = jax.jit(render, static_argnums=1)(load(HARD), HARD, game)
    np.testing.assert_array_equal(rendered(load(HARD), HARD, states)[3], alone)


@pytest.mark.slow
def test_batches_of_batches_are_drawn_alike(load):
    states = scribbled(BATCH, seed=4)
    nested = jax.tree.map(lambda field: field.reshape(4, 8, *field.shape[1:]), states)
    draw = jax.vmap(jax.vmap(lambda state: render(load(HARD), HARD, state)))
    frames = jax.jit(draw)(nested)
    np.testing.assert_array_equal(
        frames.reshape(BATCH, 64, 64, 3), rendered(load(HARD), HARD, states)
    )


def test_rendering_compiles_once(load):
    rendered(load(HARD), HARD, scribbled(BATCH))
    compiled = batch_rendered._cache_size()
    rendered(load(HARD), HARD, scribbled(BATCH, seed=1))
    assert batch_rendered._cache_size() == compiled
