import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numbered_env import SHAPE, NumberedEnv, TablePolicy

from rlvision_jax import envs
from rlvision_jax.training.rollout import Collector

POLICY = TablePolicy("nature", 4, SHAPE)
# Row n of the tables belongs to environment n, which always takes action (n + 1) % 4.
CERTAIN = {
    "logits": jnp.asarray(1e4 * np.eye(4)[[1, 2, 3, 0]], jnp.float32),
    "values": jnp.asarray([0.0, 10.0, 20.0, 30.0]),
}
RANDOM = {"logits": jnp.asarray(np.random.default_rng(0).normal(size=(4, 4)), jnp.float32)} | {
    "values": CERTAIN["values"]
}


@pytest.fixture
def groups():
    return NumberedEnv([0, 1]), NumberedEnv([2, 3])


@pytest.fixture
def collector(groups):
    return Collector(groups)


def test_groups_get_their_own_actions_and_give_their_own_experience(collector, groups):
    rollout, _ = collector.collect(POLICY, CERTAIN, jax.random.key(0), 5)
    number, step = np.meshgrid(np.arange(4), np.arange(5))
    np.testing.assert_array_equal(rollout.actions, (number + 1) % 4)
    np.testing.assert_array_equal(np.stack(groups[0].actions), rollout.actions[:, :2])
    np.testing.assert_array_equal(np.stack(groups[1].actions), rollout.actions[:, 2:])
    np.testing.assert_array_equal(rollout.observations[..., 0, 0, 0], number)
    np.testing.assert_array_equal(rollout.observations[..., 0, 0, 1], step)
    np.testing.assert_array_equal(rollout.values, 10 * number)
    np.testing.assert_array_equal(rollout.bootstrap_values, [0, 10, 20, 30])
    rewards = 100 * number + step + 1 + rollout.actions / 100
    np.testing.assert_array_equal(rollout.rewards, rewards.astype(np.float32))
    np.testing.assert_array_equal(rollout.done, (step + 1) % (number + 2) == 0)
    np.testing.assert_array_equal(rollout.log_probs, np.zeros((5, 4)))
    np.testing.assert_array_equal(collector.observations[:, 0, 0, 1], [5] * 4)


def test_episodes_are_booked_whole_across_rollouts(collector):
    episodes = []
    for key in range(3):
        _, ended = collector.collect(POLICY, CERTAIN, jax.random.key(key), 2)
        episodes += ended
    # Environment 1 ends every 3 steps; its reward at step t is 100 + t + 0.02.
    of_one = [episode for episode in episodes if 10 <= episode.level_seed < 20]
    assert [episode.length for episode in of_one] == [3, 3]
    assert [episode.level_seed for episode in of_one] == [10, 11]
    assert [episode.level_complete for episode in of_one] == [True, False]
    returns = [episode.episode_return for episode in of_one]
    # float32 sums of three rewards of size 100.
    np.testing.assert_allclose(returns, [306.06, 315.06], rtol=1e-6)
    assert len(episodes) == 3 + 2 + 1 + 1


def test_log_probabilities_are_those_of_the_sampled_actions(collector):
    rollout, _ = collector.collect(POLICY, RANDOM, jax.random.key(0), 200)
    log_policy = jax.nn.log_softmax(RANDOM["logits"])
    expected = np.asarray(log_policy)[np.arange(4), rollout.actions]
    # The same function of the same logits, fused differently.
    np.testing.assert_allclose(rollout.log_probs, expected, atol=1e-6)
    frequencies = np.stack([(rollout.actions == action).mean(0) for action in range(4)], axis=1)
    # 200 draws: standard error at most 0.035.
    np.testing.assert_allclose(frequencies, np.exp(log_policy), atol=0.14)


def test_steps_and_groups_draw_with_keys_of_their_own(collector):
    even = {"logits": jnp.zeros((4, 4)), "values": CERTAIN["values"]}
    rollout, _ = collector.collect(POLICY, even, jax.random.key(0), 30)
    columns = {tuple(column) for column in rollout.actions.T}
    assert len(columns) == 4
    assert len({tuple(row) for row in rollout.actions}) > 15


def test_one_group_works_too(groups):
    collector = Collector(groups[1:])
    rollout, _ = collector.collect(POLICY, CERTAIN, jax.random.key(0), 3)
    np.testing.assert_array_equal(rollout.actions, [[3, 0]] * 3)


def test_restored_collector_continues_exactly(assert_same_tree):
    policy = TablePolicy("nature", 15, (64, 64, 3))
    logits = jax.random.normal(jax.random.key(0), (256, 15))
    params = {"logits": logits, "values": jnp.arange(256.0)}

    def make():
        options = {"num_envs": 1, "num_threads": 1, "distribution_mode": "easy", "copy": False}
        return Collector([envs.make("procgen:starpilot", seed=seed, **options) for seed in (1, 2)])

    collector, other = make(), make()
    collector.collect(policy, params, jax.random.key(1), 40)
    state = collector.state()
    expected = collector.collect(policy, params, jax.random.key(2), 120)
    other.restore(state)
    assert_same_tree(other.collect(policy, params, jax.random.key(2), 120), expected)
    assert_same_tree(other.state(), collector.state())
    assert expected[1], "an episode must end for the test to mean something"
    for env in (*collector.envs, *other.envs):
        env.close()
