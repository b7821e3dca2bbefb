import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs import FORCE_RESET, HostEnv, TimeStep
from rlvision_jax.envs.coinrun.host_env import CoinRunBatch

# As many games of the same options as in test_env.py, which has compiled them then.
OPTIONS = {"distribution_mode": "hard", "paint_velocity": True}
NUM_ENVS = 32
BATCH = {"num_envs": NUM_ENVS, "seed": 5}


@pytest.fixture(scope="module")
def env():
    return envs.make("coinrun", **OPTIONS)


@pytest.fixture
def device(env):
    return CoinRunBatch(env, **BATCH)


@pytest.fixture
def procgen():
    env = envs.make("procgen:coinrun", num_threads=1, **BATCH, **OPTIONS)
    yield env
    env.close()


def assert_same(theirs, ours):
    for name, expected, got in zip(TimeStep._fields, theirs, ours, strict=True):
        np.testing.assert_array_equal(got, expected, name)


def actions_of(seed, count=40):
    rng = np.random.default_rng(seed)
    return np.where(
        rng.random((count, NUM_ENVS)) < 0.02,
        FORCE_RESET,
        rng.integers(0, 15, (count, NUM_ENVS)),
    ).astype(np.int32)


def test_batch_keeps_the_contract_of_host_environments(device):
    assert isinstance(device, HostEnv)


def test_resets_are_procgens(device, procgen):
    for _ in range(2):
        assert_same(procgen.reset(), device.reset())
        assert_same(procgen.observe(), device.observe())
    for actions in actions_of(0, 5):
        assert_same(procgen.step(actions), device.step(actions))
    assert_same(procgen.reset(), device.reset())


def test_each_world_continues_the_others_games(device, procgen):
    for actions in actions_of(1):
        procgen.step(actions)
        device.step(actions)
    in_procgen, on_device = procgen.get_state(), device.get_state()
    device.set_state(in_procgen)
    procgen.set_state(on_device)
    np.testing.assert_array_equal(procgen.observe().observation, device.observe().observation)
    for actions in actions_of(2):
        assert_same(procgen.step(actions), device.step(actions))


def test_a_restored_game_repeats_itself(device):
    for actions in actions_of(3, 10):
        there = device.step(actions)
    saved = device.get_state()
    first = [device.step(actions) for actions in actions_of(4)]
    device.set_state(saved)
    # As with Procgen, which level came before is not part of a game in the middle of an episode.
    unknown = np.where(there.first, there.prev_level_seed, 0)
    assert there.first.any()
    for expected, actions in zip(first, actions_of(4), strict=True):
        again = device.step(actions)
        unknown = np.where(again.first, again.prev_level_seed, unknown)
        assert_same(expected._replace(prev_level_seed=unknown), again)
    assert sum(int(step.first.sum()) for step in first) > 3


def test_wrong_order_of_calls_is_refused(device):
    with pytest.raises(RuntimeError, match="recv\\(\\) without a step under way"):
        device.recv()
    device.send(np.zeros(NUM_ENVS, np.int32))
    for call in (
        device.observe,
        device.get_state,
        lambda: device.send(np.zeros(NUM_ENVS, np.int32)),
    ):
        with pytest.raises(RuntimeError, match="a step is under way; call recv\\(\\) first"):
            call()


def test_bad_states_and_actions_are_refused(device, procgen):
    with pytest.raises(ValueError, match="one state for each environment, 32 in all; got 1"):
        device.set_state(device.get_state()[:1])
    easy = envs.make("procgen:coinrun", num_envs=NUM_ENVS, num_threads=1, distribution_mode="easy")
    with pytest.raises(ValueError, match="distribution_mode"):
        device.set_state(easy.get_state())
    easy.close()
    with pytest.raises(ValueError, match="not a state of coinrun"):
        device.set_state([b""] * NUM_ENVS)
    with pytest.raises(ValueError, match="actions must have shape \\(32,\\)"):
        device.step(np.zeros(3, np.int32))


def test_sizes_out_of_range_are_refused():
    with pytest.raises(ValueError, match="num_envs must be an integer from 1"):
        envs.make_host("coinrun", num_envs=0)
    with pytest.raises(ValueError, match="seed must be an integer from 0"):
        envs.make_host("coinrun", num_envs=1, seed=-1)
