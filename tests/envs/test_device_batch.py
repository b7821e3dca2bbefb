"""gymnax's form on the device, and any device environment stepped from the host."""

import types
from typing import NamedTuple

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import envs

BREAKOUT = "gymnax:Breakout-MinAtar"
TIME_LIMIT = 9


class Walk(NamedTuple):
    position: jax.Array


class Corridor:
    """An environment of gymnax's earlier form: the walk along 4 places ends at the last.

    Shows values from -1 to 3; `step` says only whether the episode ended.
    """

    default_params = types.SimpleNamespace

    def action_space(self, params):
        return types.SimpleNamespace(n=2)

    def observation_space(self, params):
        return types.SimpleNamespace(low=-1.0, high=3.0, shape=(4, 4))

    def reset(self, key, params):
        return self._frame(0), Walk(jnp.int32(0))

    def step(self, key, state, action, params):
        position = state.position + action
        done = position == 3
        position = jnp.where(done, 0, position)
        return self._frame(position), Walk(position), 2.0 * action, done, {}

    def _frame(self, position):
        return jnp.full((4, 4), -1.0).at[0, 0].set(position)


def make_corridor():
    return envs.from_gymnax(Corridor(), params=())


@pytest.fixture(scope="module")
def batch():
    return envs.make_host(BREAKOUT, num_envs=4, seed=3, max_steps_in_episode=TIME_LIMIT)


def actions(num_steps):
    return np.random.default_rng(1).integers(0, 3, (num_steps, 4)).astype(np.int32)


def test_breakout_is_that_of_gymnax():
    raw, params = gymnax.make("Breakout-MinAtar")
    params = params.replace(max_steps_in_episode=TIME_LIMIT)
    env = envs.make(BREAKOUT, max_steps_in_episode=TIME_LIMIT)
    assert env.observation_shape == (10, 10, 4)
    assert env.description.action_names == ("none", "left", "right")
    assert env.description.channels == "planes"
    key = jax.random.key(0)
    state, step = env.reset(key)
    observation, raw_state = raw.reset(key, params)
    step_env = jax.jit(type(env).step)
    outcomes = set()
    for t in range(2 * TIME_LIMIT):
        np.testing.assert_array_equal(step.observation, 255 * np.asarray(observation))
        key = jax.random.fold_in(key, t)
        action = jnp.int32(t % 3 if t < TIME_LIMIT else 0)
        state, step = step_env(env, key, state, action)
        observation, raw_state, reward, terminated, truncated, _ = raw.step(
            key, raw_state, action, params
        )
        assert float(step.reward) == float(reward)
        assert bool(step.terminated) == bool(terminated)
        assert bool(step.truncated) == bool(truncated & ~terminated)
        assert bool(step.first) == bool(terminated | truncated)
        outcomes.add((bool(terminated), bool(truncated)))
    assert len(outcomes) > 1  # an episode ended


def test_time_limits_truncate(batch):
    batch.reset()
    steps = [batch.step(np.zeros(4, np.int32)) for _ in range(TIME_LIMIT)]
    # Untouched, the ball is lost in the 6th step or hits a brick first.
    ended = np.stack([step.terminated | step.truncated for step in steps])
    assert ended.any(0).all()
    limited = envs.make_host(BREAKOUT, num_envs=4, seed=3, max_steps_in_episode=2)
    truncated = [limited.step(np.zeros(4, np.int32)).truncated.all() for _ in range(4)]
    assert truncated == [False, True, False, True]


def test_the_earlier_form_of_step_and_its_range_of_values():
    env = envs.DeviceBatch(make_corridor(), num_envs=2)
    assert env.description.channels == "gray"
    first = env.reset()
    assert first.observation.shape == (2, 4, 4, 1)
    assert first.observation[0, 0, 0, 0] == 64  # 0 on the scale from -1 to 3
    assert first.observation[0, 1, 1, 0] == 0
    steps = [env.step([1, 0]) for _ in range(3)]
    assert [step.observation[0, 0, 0, 0] for step in steps] == [128, 191, 64]
    assert [step.terminated.tolist() for step in steps] == [[False, False]] * 2 + [[True, False]]
    assert not any(step.truncated.any() for step in steps)
    assert steps[2].first.tolist() == [True, False]
    assert steps[2].reward.tolist() == [2.0, 0.0]


def test_games_continue_from_their_states_in_any_order_and_batch(batch):
    for row in actions(4):
        batch.step(row)
    states = batch.get_state()
    shown = batch.observe()
    going_on = [batch.step(row) for row in actions(12)]
    other = envs.make_host(BREAKOUT, num_envs=4, seed=99, max_steps_in_episode=TIME_LIMIT)
    other.set_state(states[::-1])
    np.testing.assert_array_equal(other.observe().observation, shown.observation[::-1])
    for row, step in zip(actions(12), going_on, strict=True):
        for array, expected in zip(other.step(row[::-1]), step, strict=True):
            np.testing.assert_array_equal(array, expected[::-1])


def test_restored_moments_have_no_outcome(batch):
    while not (step := batch.step(np.zeros(4, np.int32))).first.any():
        pass
    batch.set_state(batch.get_state())
    restored = batch.observe()
    np.testing.assert_array_equal(restored.first, step.first)
    assert not (restored.terminated | restored.truncated).any()
    assert not restored.reward.any()


def test_a_seed_decides_all_games_and_games_differ():
    frames = []
    for seed in (5, 5, 8):
        env = envs.make_host(BREAKOUT, num_envs=4, seed=seed)
        frames.append(env.reset().observation)
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()
    assert (frames[0][0] != frames[0][1:]).any()


def test_only_a_later_reset_abandons_running_games():
    env = envs.make_host(BREAKOUT, num_envs=4, seed=0)
    made = env.observe()
    assert env.reset() is made
    env.step(np.zeros(4, np.int32))
    again = env.reset()
    assert again.first.all()
    assert (again.observation != made.observation).any()  # other games


def test_misuse_is_named(batch):
    with pytest.raises(ValueError, match="must be from 0 to 2; got values from -1 to 0"):
        batch.step([-1, 0, 0, 0])
    with pytest.raises(ValueError, match="4 in all; got 1"):
        batch.set_state(batch.get_state()[:1])
    with pytest.raises(ValueError, match="has 854 bytes; got 3"):
        batch.set_state([b"abc"] * 4)
    with pytest.raises(RuntimeError, match="call send"):
        batch.recv()
    batch.send(np.zeros(4, np.int32))
    for misused in (batch.reset, batch.observe, batch.get_state):
        with pytest.raises(RuntimeError, match="a step is under way"):
            misused()
    batch.recv()


@pytest.mark.parametrize(
    ("name", "options", "text"),
    [
        ("gymnax:Nope", {}, 'unknown gymnax environment "Nope"; expected one of .*"Breakout-MinA'),
        ("gymnax:CartPole-v1", {}, "gymnax:CartPole-v1 observes .*the policies see images"),
        (BREAKOUT, {"bricks": 3}, "does not take the options {'bricks': 3}.*max_steps_in_episode"),
    ],
)
def test_environments_that_cannot_be_made_say_why(name, options, text):
    with pytest.raises(ValueError, match=text):
        envs.make(name, **options)


def test_unbounded_observations_and_continuous_actions_are_refused():
    class Unbounded(Corridor):
        def observation_space(self, params):
            return types.SimpleNamespace(low=0.0, high=np.inf, shape=(4, 4))

    class Continuous(Corridor):
        def action_space(self, params):
            return "Box"

    with pytest.raises(ValueError, match=r"from 0\.0 to inf; expected finite bounds"):
        envs.from_gymnax(Unbounded(), params=())
    with pytest.raises(ValueError, match="takes actions from Box; expected a Discrete space"):
        envs.from_gymnax(Continuous(), params=())
