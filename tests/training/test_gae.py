import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.training import generalized_advantages


def naive(rewards, values, done, bootstrap, discount, gae_lambda):
    """Equation 16 as a double sum, in float64."""
    next_values = np.append(values[1:], bootstrap)
    advantages = np.zeros(len(rewards))
    for start in range(len(rewards)):
        weight = 1.0
        for t in range(start, len(rewards)):
            future = 0.0 if done[t] else discount * next_values[t]
            advantages[start] += weight * (rewards[t] + future - values[t])
            if done[t]:
                break
            weight *= discount * gae_lambda
    return advantages


def trajectory(seed, length=40):
    rng = np.random.default_rng(seed)
    rewards, values = rng.normal(size=(2, length)).astype(np.float32)
    return rewards, values, rng.random(length) < 0.15, np.float32(rng.normal())


def advantages(rewards, values, done, bootstrap, **options):
    arrays = map(jnp.asarray, (rewards, values, done, bootstrap))
    return np.asarray(generalized_advantages(*arrays, **options))


def test_two_steps_by_hand():
    # Errors: 2 + 0.5 * 2 - 0.25 = 2.75 and 1 + 0.5 * 0.25 - 0.5 = 0.625; 0.625 + 0.25 * 2.75.
    result = advantages(
        np.float32([1, 2]),
        np.float32([0.5, 0.25]),
        np.array([False, False]),
        np.float32(2),
        discount=0.5,
        gae_lambda=0.5,
    )
    np.testing.assert_array_equal(result, [1.3125, 2.75])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("discount", "gae_lambda"), [(0.999, 0.95), (0.9, 0.5)])
def test_equals_the_double_sum(seed, discount, gae_lambda):
    arrays = trajectory(seed)
    result = advantages(*arrays, discount=discount, gae_lambda=gae_lambda)
    # 40 float32 terms of size 1.
    expected = naive(*arrays, discount, gae_lambda)
    np.testing.assert_allclose(result, expected, atol=2e-5)


def test_lambda_zero_gives_one_step_errors():
    rewards, values, done, bootstrap = trajectory(1)
    result = advantages(rewards, values, done, bootstrap, discount=0.9, gae_lambda=0.0)
    next_values = np.append(values[1:], bootstrap)
    expected = rewards + np.float32(0.9) * np.where(done, np.float32(0), next_values) - values
    # Only the order of the float32 additions may differ.
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_lambda_one_gives_discounted_returns_minus_values():
    rewards, values, done, bootstrap = trajectory(2)
    returns = np.zeros(len(rewards))
    following = float(bootstrap)
    for t in reversed(range(len(rewards))):
        following = rewards[t] + 0.9 * (0.0 if done[t] else following)
        returns[t] = following
    result = advantages(rewards, values, done, bootstrap, discount=0.9, gae_lambda=1.0)
    # The sum telescopes in exact arithmetic; 40 float32 terms of size 1 do so nearly.
    np.testing.assert_allclose(result, returns - values, atol=2e-5)


def test_an_episode_does_not_see_the_next():
    rewards, values, done, bootstrap = trajectory(3)
    done[:] = False
    done[19] = True
    first = advantages(rewards, values, done, bootstrap, discount=0.99, gae_lambda=0.9)
    other = rewards.copy(), values.copy()
    for array in other:
        array[20:] += 7
    second = advantages(*other, done, bootstrap + 7, discount=0.99, gae_lambda=0.9)
    np.testing.assert_array_equal(first[:20], second[:20])
    assert (first[20:] != second[20:]).all()


def test_bootstrap_value_is_unused_after_an_end():
    rewards, values, done, _ = trajectory(4)
    done[-1] = True
    results = [
        advantages(rewards, values, done, np.float32(value), discount=0.99, gae_lambda=0.9)
        for value in (0.0, 1e6)
    ]
    np.testing.assert_array_equal(*results)


def test_jit_changes_nothing_but_rounding():
    arrays = [*map(jnp.asarray, trajectory(5))]
    options = {"discount": 0.999, "gae_lambda": 0.95}
    compiled = jax.jit(lambda *arrays: generalized_advantages(*arrays, **options))(*arrays)
    # XLA may fuse a product and a sum into one rounding.
    np.testing.assert_allclose(compiled, generalized_advantages(*arrays, **options), atol=2e-6)
