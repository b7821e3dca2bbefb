import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.attribution import (
    LayerScore,
    LogProbability,
    attribute,
    attribute_multi_path,
    attribute_scores,
    integrated_gradients,
    multi_path,
    score_function,
)
from rlvision_jax.attribution.scores import output_score

SCORES = ("value", 0, 2, (0, 2), LogProbability(1), LogProbability((0, 2)))


@pytest.fixture(scope="module")
def tiny():
    policy = models.make("nature", num_actions=3, observation_shape=(36, 36, 1))
    params = policy.init(jax.random.key(0))
    # Probabilities that differ, and biases, without which the network is linear along every line.
    random = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: 3 * leaf + (0.3 * random.normal(size=leaf.shape) if leaf.ndim == 1 else 0),
        params,
    )
    observations = np.random.default_rng(0).integers(0, 256, (5, 36, 36, 1), np.uint8)
    return policy, params, observations


@pytest.fixture(scope="module")
def together(tiny):
    return attribute_scores(*tiny, "conv1", SCORES, num_steps=3, batch_size=2)


@pytest.mark.parametrize("index", range(len(SCORES)))
def test_scores_attributed_together_equal_each_alone(tiny, together, index):
    alone = attribute(*tiny, "conv1", SCORES[index], num_steps=3)
    # The same sums, blocked otherwise: rounding only.
    scale = np.abs(alone).max()
    np.testing.assert_allclose(together.values[:, index] / scale, alone / scale, atol=1e-5)


def test_scores_are_those_of_the_policy(tiny, together):
    policy, params, observations = tiny
    logits, value = policy.apply(params, observations)
    log_probabilities = jax.nn.log_softmax(logits)
    either = jnp.log(jnp.exp(log_probabilities[:, 0]) + jnp.exp(log_probabilities[:, 2]))
    expected = [
        value,
        logits[:, 0],
        logits[:, 2],
        logits[:, 0] + logits[:, 2],
        log_probabilities[:, 1],
        either,
    ]
    # Rounding of float32 sums in another order.
    np.testing.assert_allclose(together.scores, np.stack(expected, 1), rtol=1e-4, atol=1e-5)


def test_residuals_are_what_attributions_miss(tiny):
    policy, params, _ = tiny
    layer_shape = policy.layer_shape("conv1")
    logits, value = policy.head(params, jnp.zeros((1, *layer_shape)), "conv1")
    few, many = (
        attribute_scores(*tiny, "conv1", ("value", 1), num_steps=num_steps, rule="midpoint")
        for num_steps in (1, 24)
    )
    np.testing.assert_allclose(few.baseline_scores[:, 0], value[0], rtol=1e-5)
    np.testing.assert_allclose(few.baseline_scores[:, 1], logits[0, 1], rtol=1e-5)
    sums = few.values.sum((2, 3, 4))
    np.testing.assert_array_equal(few.residuals, sums - (few.scores - few.baseline_scores))
    assert np.abs(many.residuals).mean() < np.abs(few.residuals).mean() / 4


def test_a_function_of_the_outputs_is_a_score(tiny):
    def entropy(logits, value):
        log_probabilities = jax.nn.log_softmax(logits)
        return -jnp.sum(jnp.exp(log_probabilities) * log_probabilities)

    policy, params, observations = tiny
    ours = attribute_scores(*tiny, "conv2", (entropy,), num_steps=2)
    logits, _ = policy.apply(params, observations)
    expected = jax.vmap(entropy)(logits, jnp.zeros(len(logits)))
    np.testing.assert_allclose(ours.scores[:, 0], expected, rtol=1e-4)
    assert (ours.values != 0).any()


def test_attribution_to_a_later_layer_equals_the_original(golden, golden_policy):
    expected = golden("attr_3a_to_2b_actdir_poses.npz")
    frames = golden("frames.npz")["frames"][: len(expected["attr10"])]
    score = LayerScore(
        layer="3a",
        direction=expected["act_dir"],
        position=expected["act_poses"].astype(np.int32),
    )
    ours = attribute(*golden_policy, frames, "2b", score, num_steps=10)
    difference = ours - expected["attr10"]
    # As in test_attribute, TEN_STEPS.
    assert np.abs(difference).max() <= 5e-5 * np.abs(expected["attr10"]).max()
    assert np.linalg.norm(difference) <= 2e-5 * np.linalg.norm(expected["attr10"])


def test_a_layer_score_sums_what_it_does_not_name(tiny):
    policy, params, observations = tiny
    whole, one_channel, one_place = attribute_scores(
        *tiny,
        "conv1",
        (
            LayerScore(layer="conv3"),
            LayerScore(layer="conv2", direction=np.eye(64, dtype=np.float32)[5]),
            LayerScore(layer="conv2", position=np.asarray([[1, 0]] * 5, np.int32)),
        ),
        num_steps=1,
    ).scores.T
    conv2, conv3 = (policy.activations(params, observations, layer) for layer in ("conv2", "conv3"))
    for ours, expected in (
        (whole, conv3.sum((1, 2, 3))),
        (one_channel, conv2[..., 5].sum((1, 2))),
        (one_place, conv2[:, 1, 0].sum(-1)),
    ):
        np.testing.assert_allclose(ours, expected, rtol=1e-4)


@pytest.mark.parametrize("layer", ["conv1", None])
def test_a_baseline_is_where_the_path_begins(tiny, layer):
    policy, params, observations = tiny
    activations = policy.activations(params, observations, layer)
    baseline = np.asarray(activations[0])
    ours = attribute_scores(*tiny, layer, ("value",), num_steps=3, baseline=baseline)
    score = score_function(policy, params, layer, "value")
    expected = integrated_gradients(score, activations[1], baseline, num_steps=3)
    found = ours.values[1, 0] if layer else (activations[1] - baseline) * ours.values[1, 0]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)
    np.testing.assert_allclose(ours.baseline_scores[:, 0], score(activations[0]), rtol=1e-4)


def test_many_frames_on_many_paths_equal_each_alone(tiny):
    policy, params, observations = tiny
    components = np.random.default_rng(0).uniform(0, 1, (2, 64)).astype(np.float32)
    key = jax.random.key(3)
    options = {"num_steps": 2, "max_paths": 1, "key": key}
    ours = attribute_multi_path(*tiny, "conv2", "value", components, batch_size=2, **options)
    activations = policy.activations(params, observations, "conv2")
    score = score_function(policy, params, "conv2", "value")
    alone = jax.jit(lambda a: multi_path(score, a, jnp.asarray(components), **options))
    scale = np.abs(ours).max()
    for row, activation in zip(ours, activations, strict=True):
        # The same sums, blocked otherwise: rounding only.
        np.testing.assert_allclose(row / scale, alone(activation) / scale, atol=1e-5)


@pytest.mark.usefixtures("as_in_production")
def test_scores_that_cannot_be_attributed_are_errors(tiny):
    far = np.full((5, 2), 3, np.int32)
    for score, message in (
        (lambda logits, value: logits, r"must return one number, of shape \(\).*got \(3,\)"),
        (LogProbability(3), r"unknown score LogProbability\(actions=3\)"),
        (LogProbability(()), r"unknown score LogProbability"),
        (LayerScore(layer="conv1"), 'layers before it only; got layer "conv2"'),
        (LayerScore(layer="2b"), 'unknown layer "2b"'),
        (LayerScore(layer="conv3", direction=np.ones(3)), "each of the 64 channels.*shape"),
        (
            LayerScore(layer="conv3", position=far),
            r"rows 0 to 0 and columns 0 to 0.*entries 0 to 3",
        ),
        (LayerScore(layer="conv3", position=far[:2] * 0), r"position must be \[5, 2\]"),
    ):
        with pytest.raises(ValueError, match=message):
            attribute(*tiny, "conv2", score)
    with pytest.raises(ValueError, match="at least one score"):
        attribute_scores(*tiny, "conv2", ())
    with pytest.raises(ValueError, match="baseline must have the shape of layer conv2"):
        attribute(*tiny, "conv2", "value", baseline=np.zeros((1, 1, 3), np.float32))


def test_outputs_of_no_weight_may_be_infinite():
    """An agent of one's own may forbid an action by a logit of minus infinity."""
    logits, value = jnp.array([1.0, -jnp.inf, 2.0]), jnp.asarray(3.0)
    for score, expected, slope in (
        ("value", 3, [0, 0, 0]),
        (2, 2, [0, 0, 1]),
        ((0, 2), 3, [1, 0, 1]),
    ):
        number, gradient = jax.value_and_grad(output_score(score, 3))(logits, value)
        assert number == expected
        np.testing.assert_array_equal(gradient, slope)
