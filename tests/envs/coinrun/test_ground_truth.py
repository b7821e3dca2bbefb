import dataclasses

import jax
import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs import ACTION_NAMES, OBJECT_NAMES
from rlvision_jax.envs.coinrun import CoinRun, from_procgen
from rlvision_jax.envs.procgen import decode_state


@pytest.fixture(scope="module")
def games():
    """Eight states of Procgen, with painted velocities, a few steps into hard levels."""
    env = envs.make("procgen:coinrun", num_envs=8, num_threads=1, paint_velocity=True)
    for _ in range(25):
        env.step(np.full(8, ACTION_NAMES.index("right+up"), np.int32))
    states = env.get_state()
    env.close()
    return states


def test_masks_are_the_same_from_bytes_record_and_device(games):
    env = envs.make("coinrun", paint_velocity=True, assets="small")
    on_device = jax.jit(CoinRun.object_masks)
    for state in games[:3]:
        record = decode_state(state)
        game = from_procgen(record, env.config)
        expected = envs.object_masks(state)
        assert expected.shape == (64, 64, len(OBJECT_NAMES))
        np.testing.assert_array_equal(envs.object_masks(record), expected)
        np.testing.assert_array_equal(on_device(env, game), expected)
        options = dataclasses.replace(env.config, use_backgrounds=True)
        np.testing.assert_array_equal(envs.object_masks(game, options), expected)


def test_agent_and_velocity_are_where_procgen_draws_them(games):
    for state in games:
        masks = dict(zip(OBJECT_NAMES, np.moveaxis(envs.object_masks(state), -1, 0), strict=True))
        rows, columns = np.nonzero(masks["agent"])
        # The camera follows the agent, whose picture is one tile wide and 1.7 high.
        assert abs(columns.mean() - 31.5) < 2
        assert 24 < rows.min() < rows.max() < 36
        assert masks["velocity"][:13, :26].all()
        assert not masks["velocity"][13:].any()
        assert not masks["velocity"][:, 26:].any()


def test_states_of_other_games_are_refused():
    env = envs.make("procgen:maze", num_envs=1, num_threads=1)
    with pytest.raises(ValueError, match="not a state of coinrun"):
        envs.object_masks(env.get_state()[0])
    env.close()
