"""Atari through ale-py: the contract, the options, and the frames against ale-py's own."""

import itertools

import numpy as np
import pytest
from ale_py.vector_env import AtariVectorEnv

from rlvision_jax import envs

NUM_STEPS = 60


@pytest.fixture
def make():
    made = []

    def one(game, **options):
        made.append(envs.make(f"atari:{game}", **{"num_envs": 2, "num_threads": 1, **options}))
        return made[-1]

    yield one
    for env in made:
        env.close()


def actions(env, num_steps=NUM_STEPS):
    shape = (num_steps, env.num_envs)
    return np.random.default_rng(5).integers(0, env.num_actions, shape).astype(np.int32)


def play(env, num_steps=NUM_STEPS):
    return [env.reset(), *(env.step(row) for row in actions(env, num_steps))]


def test_stacks_shift_until_an_episode_ends_and_open_with_one_frame(make):
    env = make("breakout", episodic_life=True, seed=2)
    assert env.observation_shape == (84, 84, 4)
    steps = play(env)
    ended = np.stack([step.first for step in steps[1:]])
    # Environments end one by one, and the others go on undisturbed.
    assert ended.any(0).all()
    assert (ended.sum(1) == 1).any()
    for before, after in itertools.pairwise(steps):
        np.testing.assert_array_equal(after.first, after.terminated)
        going = ~after.first
        np.testing.assert_array_equal(
            after.observation[going][..., :3], before.observation[going][..., 1:]
        )
        assert not after.observation[after.first][..., :3].any()
        assert after.observation[..., 3].any((1, 2)).all()
        assert after.observation.flags.c_contiguous


def test_frames_and_rewards_are_those_of_ale_py(make):
    env = make("ms_pacman", seed=4, full_action_set=False, max_noops=30)
    raw = AtariVectorEnv(
        "ms_pacman", 2, repeat_action_probability=0.25, reward_clipping=False, use_fire_reset=False
    )
    seed = int(np.random.default_rng(4).integers(2**31 - 3))  # as `GymnasiumBatch` draws it
    observation, _ = raw.reset(seed=seed)
    np.testing.assert_array_equal(env.reset().observation, observation.transpose(0, 2, 3, 1))
    for row in actions(env, 30):
        step, (observation, reward, *_) = env.step(row), raw.step(row)
        np.testing.assert_array_equal(step.observation, observation.transpose(0, 2, 3, 1))
        np.testing.assert_array_equal(step.reward, reward)


def test_episodes_are_truncated_after_so_many_frames(make):
    env = make("pong", max_frames=24)
    truncated = [step.truncated.all() for step in play(env, 13)[1:]]
    assert truncated == [t % 6 == 0 for t in range(1, 14)]


def test_sticky_actions_are_what_makes_games_differ(make):
    # The two environments have seeds of their own; here they are told the same.
    for sticky_actions, alike in ((0.0, True), (0.25, False)):
        env = make("pong", sticky_actions=sticky_actions)
        told = np.random.default_rng(0).integers(0, env.num_actions, 20)
        one, other = [env.step([action, action]) for action in told][-1].observation
        assert np.array_equal(one, other) is alike


def test_the_seed_decides_what_happens(make):
    shown = [play(make("pong", seed=seed), 20)[-1].observation for seed in (1, 1, 2)]
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown[0] != shown[2]).any()


def test_clipped_rewards_are_signs(make):
    whole, signs = (
        np.stack([step.reward for step in play(make("journey_escape", clip_rewards=clip), 30)])
        for clip in (False, True)
    )
    assert whole.min() == -300
    np.testing.assert_array_equal(signs, np.sign(whole))


def test_colour_stacks_show_their_newest_frame(make):
    env = make("pong", grayscale=False, frame_stack=2, height=96, width=64)
    assert env.observation_shape == (96, 64, 6)
    first, second, third = (step.observation for step in play(env, 2))
    assert env.description.channels == "rgb"
    np.testing.assert_array_equal(third[..., :3], second[..., 3:])
    np.testing.assert_array_equal(envs.to_rgb(third, "rgb"), third[..., 3:])
    assert (first[..., 3] != first[..., 4]).any()  # colours, not grey


def test_action_sets_and_their_names(make):
    every = make("pong", num_envs=1).description.action_names
    assert len(set(every)) == 18
    assert every[-1] == "down+left+fire"
    few = make("pong", full_action_set=False)
    assert few.description.action_names == (
        "none",
        "fire",
        "right",
        "left",
        "right+fire",
        "left+fire",
    )
    assert few.num_actions == 6


def test_games_have_no_states(make):
    with pytest.raises(envs.NoStatesError, match="atari:pong cannot save its games"):
        make("pong").get_state()


@pytest.mark.parametrize(
    ("game", "options", "text"),
    [
        ("pongg", {}, 'unknown Atari game "pongg"; did you mean pong'),
        ("Pong", {}, 'unknown Atari game "Pong"; did you mean pong'),
        ("pong", {"sticky_actions": 2}, "sticky_actions must be a probability, 0 to 1; got 2"),
        ("pong", {"frame_stack": 0}, "frame_stack must be an integer from 1 to 256; got 0"),
        ("pong", {"grayscale": 1}, "grayscale must be True or False; got 1"),
        ("pong", {"sticky": 1}, 'atari:pong has no option "sticky"; .*"sticky_actions"'),
    ],
)
def test_bad_options_are_refused(as_in_production, game, options, text):
    with pytest.raises(ValueError, match=text):
        envs.make(f"atari:{game}", num_envs=1, **options)


def test_the_number_of_environments_must_be_said():
    with pytest.raises(ValueError, match="atari:pong needs num_envs"):
        envs.make("atari:pong")
