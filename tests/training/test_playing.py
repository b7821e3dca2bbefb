import jax
import numpy as np
import pytest
from scripted_env import ScriptedEnv

from rlvision_jax import models
from rlvision_jax.training import play, sample_observations


@pytest.fixture(scope="module")
def agent():
    policy = models.make("nature")
    return policy, policy.init(jax.random.key(0))


def test_played_rows_hold_the_frame_acted_on_and_what_the_action_led_to(agent):
    env = ScriptedEnv([2, 3])
    played = play(*agent, env, jax.random.key(0), 6)
    # The environment overwrites its arrays, so these hold only if frames were copied.
    assert played.observations[:, 0, 0, 0, 1].tolist() == [0, 1, 0, 1, 0, 1]
    assert played.observations[:, 1, 0, 0, 1].tolist() == [0, 1, 2, 0, 1, 2]
    assert played.level_seeds[:, 0].tolist() == [0, 0, 1, 1, 2, 2]
    assert played.terminated[:, 0].tolist() == [False, True] * 3
    assert played.level_complete[:, 0].tolist() == [False, True, False, False, False, True]
    assert np.array_equal(played.actions, env.actions)


def test_played_logits_and_values_are_the_policys(agent):
    policy, params = agent
    played = play(policy, params, ScriptedEnv([4, 7]), jax.random.key(0), 3)
    for t in range(3):
        logits, values = policy.apply(params, played.observations[t])
        # jit may fuse what apply computes operation by operation: last bits differ
        np.testing.assert_allclose(played.policy_logits[t], logits, atol=1e-6)
        np.testing.assert_allclose(played.values[t], values, atol=1e-6)


def test_same_key_plays_the_same_and_another_key_does_not(agent):
    actions = [
        play(*agent, ScriptedEnv([5, 5]), jax.random.key(seed), 20).actions for seed in (0, 0, 1)
    ]
    assert np.array_equal(actions[0], actions[1])
    assert not np.array_equal(actions[0], actions[2])


def test_one_frame_is_kept_in_each_interval(agent):
    frames = sample_observations(*agent, ScriptedEnv([100, 100]), jax.random.key(0), 5, interval=3)
    assert frames[:, 0, 0, :2].tolist() == [[0, 3], [1, 3], [0, 6], [1, 6], [0, 9]]


def test_counts_below_one_are_refused(agent):
    with pytest.raises(ValueError, match="num_steps must be an integer of at least 1; got 0"):
        play(*agent, ScriptedEnv([1]), jax.random.key(0), 0)
    with pytest.raises(ValueError, match="interval must be an integer of at least 1; got 0"):
        sample_observations(*agent, ScriptedEnv([1]), jax.random.key(0), 1, interval=0)
