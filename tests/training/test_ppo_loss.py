import jax.numpy as jnp
import numpy as np
import pytest
from numbered_env import SHAPE, TablePolicy, frames

from rlvision_jax.training import PPOConfig
from rlvision_jax.training.ppo_loss import Minibatch, normalize_advantages, ppo_loss

CONFIG = PPOConfig()
LOG_QUARTER = np.log(0.25)


def loss(params=None, **samples):
    """The loss of samples, each with a row of the policy's tables of its own."""
    count = len(next(iter(samples.values())))
    params = params or {"logits": np.zeros((count, 4)), "values": np.zeros(count)}
    samples = {
        "actions": np.zeros(count),
        "log_probs": np.full(count, LOG_QUARTER),
        "values": np.zeros(count),
        "advantages": np.zeros(count),
        "targets": np.zeros(count),
    } | samples
    samples = {name: jnp.asarray(values, jnp.float32) for name, values in samples.items()}
    samples["actions"] = samples["actions"].astype(jnp.int32)
    params = {name: jnp.asarray(table, jnp.float32) for name, table in params.items()}
    minibatch = Minibatch(observations=frames(range(count)), **samples)
    return ppo_loss(TablePolicy("nature", 4, SHAPE), params, minibatch, CONFIG)


def test_unchanged_policy_loses_the_mean_advantage():
    total, metrics = loss(advantages=[1.0, 2.0, -4.5])
    # float32 sums of three terms.
    np.testing.assert_allclose(metrics.policy_loss, 0.5, rtol=1e-6)
    np.testing.assert_allclose(metrics.entropy, np.log(4), rtol=1e-6)
    assert metrics.approximate_kl == 0.0
    assert metrics.clip_fraction == 0.0
    np.testing.assert_allclose(total, 0.5 - 0.01 * np.log(4), rtol=1e-6)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected"),
    [
        (1.5, 1.0, -1.2),  # too good: no gain beyond 1 + 0.2
        (1.5, -1.0, 1.5),  # wrong way: the full loss
        (0.5, 1.0, -0.5),  # wrong way: the full loss
        (0.5, -1.0, 0.8),  # too good: no gain beyond 1 - 0.2
        (1.1, 1.0, -1.1),  # within the range
    ],
)
def test_policy_loss_is_clipped_where_it_would_gain(ratio, advantage, expected):
    log_probs = [LOG_QUARTER - np.log(ratio)]
    _, metrics = loss(advantages=[advantage], log_probs=log_probs)
    # exp and log of float32.
    np.testing.assert_allclose(metrics.policy_loss, expected, rtol=1e-6)
    assert metrics.clip_fraction == (abs(ratio - 1) > 0.2)
    kl = (ratio - 1) - np.log(ratio)
    np.testing.assert_allclose(metrics.approximate_kl, kl, atol=1e-6)


@pytest.mark.parametrize(
    ("old", "new", "target", "expected"),
    [
        (0.0, 1.0, 1.0, 0.32),  # reached the target, but only 0.2 of the way counts
        (0.0, 0.1, 1.0, 0.405),  # moved within the range
        (0.0, -1.0, 1.0, 2.0),  # moved away: the full error
    ],
)
def test_value_loss_takes_the_worse_of_clipped_and_unclipped(old, new, target, expected):
    params = {"logits": np.zeros((1, 4)), "values": [new]}
    _, metrics = loss(params, values=[old], targets=[target])
    # Squares of float32 differences.
    np.testing.assert_allclose(metrics.value_loss, expected, rtol=1e-6)


def test_loss_adds_its_terms_with_their_coefficients():
    params = {"logits": [[0.0, np.log(3.0), -60.0, -60.0]], "values": [0.5]}
    total, metrics = loss(
        params, actions=[1], log_probs=[np.log(0.75)], advantages=[2.0], targets=[1.5]
    )
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    # Logits of -60 leave e-26 of probability; the rest is float32 rounding.
    np.testing.assert_allclose(metrics.entropy, entropy, rtol=1e-6)
    # The value moved from 0 to 0.5: clipped at 0.2, it misses by 1.3.
    expected = -2.0 + 0.5 * (0.5 * 1.3**2) - 0.01 * entropy
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def test_equal_parts_average_to_the_whole():
    rng = np.random.default_rng(0)
    samples = {
        "actions": rng.integers(0, 4, 6),
        "log_probs": rng.normal(-1.4, 0.3, 6),
        "values": rng.normal(size=6),
        "advantages": rng.normal(size=6),
        "targets": rng.normal(size=6),
    }
    params = {"logits": rng.normal(size=(6, 4)), "values": rng.normal(size=6)}

    def part(rows):
        tables = {name: table[rows] for name, table in params.items()}
        return loss(tables, **{name: values[rows] for name, values in samples.items()})[1]

    whole = part(slice(None))
    halves = part(slice(0, 3)), part(slice(3, 6))
    for name in whole._fields:
        mean = (getattr(halves[0], name) + getattr(halves[1], name)) / 2
        # Six float32 terms in another order.
        np.testing.assert_allclose(getattr(whole, name), mean, rtol=1e-5, err_msg=name)


def test_normalized_advantages_have_mean_0_and_deviation_1():
    result = normalize_advantages(jnp.asarray([1.0, 2.0, 3.0, 6.0]))
    # Mean 3, population deviation sqrt(14 / 4); float32.
    np.testing.assert_allclose(result, np.array([-2, -1, 0, 3]) / np.sqrt(3.5), rtol=1e-6)


def test_equal_advantages_become_zero():
    np.testing.assert_array_equal(normalize_advantages(jnp.full(3, 5.0)), np.zeros(3))
