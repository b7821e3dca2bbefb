import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.training.normalization import initial_scale, scale_rewards


class NaiveVecNormalize:
    """What Baselines' VecNormalize does with rewards, from all returns ever seen, in float64."""

    def __init__(self, num_envs, discount):
        self.discount = discount
        self.returns = np.zeros(num_envs)
        self.seen = []

    def step(self, rewards, done):
        self.returns = self.discount * self.returns + rewards
        self.seen.extend(self.returns)
        # The prior counts as 1e-4 returns of mean 0 and variance 1.
        weight = 1e-4 + len(self.seen)
        mean = np.sum(self.seen) / weight
        variance = (1e-4 * 1.0 + np.sum(np.square(self.seen))) / weight - mean**2
        self.returns[done] = 0.0
        return np.clip(rewards / np.sqrt(variance + 1e-8), -10.0, 10.0), variance


def experience(seed, num_steps=60, num_envs=5):
    rng = np.random.default_rng(seed)
    rewards = rng.normal(1.0, 3.0, (num_steps, num_envs)).astype(np.float32)
    return rewards, rng.random((num_steps, num_envs)) < 0.1


@pytest.mark.parametrize("discount", [0.99, 0.5])
def test_equals_vec_normalize_across_rollouts(discount):
    rewards, done = experience(0)
    naive = NaiveVecNormalize(rewards.shape[1], discount)
    expected, variances = zip(*map(naive.step, rewards, done), strict=True)
    scale = initial_scale(rewards.shape[1])
    results = []
    for part in (slice(0, 25), slice(25, 60)):
        scale, scaled = scale_rewards(
            scale, jnp.asarray(rewards[part]), jnp.asarray(done[part]), discount=discount
        )
        results.append(scaled)
    # float32 against float64 over 300 returns.
    np.testing.assert_allclose(np.concatenate(results), expected, rtol=2e-5)
    np.testing.assert_allclose(scale.variance, variances[-1], rtol=2e-5)
    np.testing.assert_allclose(scale.returns, naive.returns, rtol=2e-5, atol=1e-6)


def test_scaled_rewards_are_clipped():
    rewards = np.zeros((400, 2), np.float32)
    rewards[-1] = [30.0, -30.0]
    # Two of 800 returns are not 0: their deviation is 1.5, so 30 is 20 deviations.
    _, scaled = scale_rewards(
        initial_scale(2), jnp.asarray(rewards), jnp.zeros((400, 2), bool), discount=0.99
    )
    np.testing.assert_array_equal(scaled[-1], np.float32([10.0, -10.0]))


def test_an_episode_starts_with_no_return():
    rewards = jnp.ones((3, 1))
    done = jnp.asarray([[False], [True], [False]])
    scale, _ = scale_rewards(initial_scale(1), rewards, done, discount=0.5)
    np.testing.assert_array_equal(scale.returns, [1.0])


def test_scale_settles_after_many_rewards():
    # 16.8 million returns counted: a sum of 4 more would vanish in float32, an increment must not.
    scale = initial_scale(4)._replace(count=jnp.float32(2**24), variance=jnp.float32(4.0))
    later, _ = scale_rewards(scale, jnp.full((1, 4), 2e4), jnp.ones((1, 4), bool), discount=0.9)
    # mean of squares grows by 4 * 2e4**2 / 2**24 = 95.4
    np.testing.assert_allclose(later.variance, 4.0 + 4 * 2e4**2 / 2**24, rtol=1e-4)
