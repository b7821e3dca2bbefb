import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.attribution import RULES, attribute, integrated_gradients, score_function
from rlvision_jax.attribution.attribute import attribute_chunk
from rlvision_jax.attribution.scores import output_score

# TensorFlow and XLA add up the same float32 products in another order, and an activation within
# rounding of a ReLU's kink may fall on its other side, which shows in single entries. The original
# graph differs from itself by 2.7e-5 of the largest attribution, depending on how it is fed.
# Averaging over ten steps dilutes the kinks. On one machine the worst is 3.9e-5 and 1.8e-5.
TEN_STEPS = {"largest": 1e-4, "norm": 4e-5}
ONE_STEP = {"largest": 5e-4, "norm": 1e-4}


def assert_close_to_the_original(ours, expected, tolerance):
    difference = ours - expected
    assert np.abs(difference).max() <= tolerance["largest"] * np.abs(expected).max()
    assert np.linalg.norm(difference) <= tolerance["norm"] * np.linalg.norm(expected)


@pytest.fixture(scope="module")
def frames(golden):
    return golden("frames.npz")["frames"]


@pytest.fixture(scope="module")
def tiny():
    """A small network and frames, for what does not depend on size."""
    policy = models.make("nature", num_actions=3, observation_shape=(36, 36, 1))
    params = policy.init(jax.random.key(0))
    observations = np.random.default_rng(0).integers(0, 256, (7, 36, 36, 1), np.uint8)
    return policy, params, observations


@pytest.mark.parametrize(
    ("name", "array", "layer", "score", "num_steps"),
    [
        ("attr_value_2b_steps1", "attr", "2b", "value", 1),
        ("attr_value_2b_steps10", "attr", "2b", "value", 10),
        ("attr_logit7_2b_steps10", "attr", "2b", 7, 10),
        ("attr_logit8_2b_steps10", "attr", "2b", 8, 10),
        ("attr_value_1a_steps10", "attr", "1a", "value", 10),
        ("attr_value_3a_4a_steps10", "attr_3a", "3a", "value", 10),
        ("attr_value_3a_4a_steps10", "attr_4a", "4a", "value", 10),
        ("input_grad_value", "grad", None, "value", 1),
        ("input_grad_value", "grad_integrated10", None, "value", 10),
    ],
)
def test_equals_the_original(golden, golden_policy, frames, name, array, layer, score, num_steps):
    expected = golden(f"{name}.npz")[array]
    ours = attribute(*golden_policy, frames[: len(expected)], layer, score, num_steps=num_steps)
    assert_close_to_the_original(ours, expected, ONE_STEP if num_steps == 1 else TEN_STEPS)


@pytest.mark.parametrize("rule", RULES)
def test_equals_integrated_gradients_frame_by_frame(tiny, rule):
    policy, params, observations = tiny
    ours = attribute(policy, params, observations, "conv2", 1, num_steps=3, rule=rule)
    activations = policy.activations(params, observations, "conv2")
    score = score_function(policy, params, "conv2", 1)
    scale = np.abs(ours).max()
    for row, activation in zip(ours, activations, strict=True):
        zeros = jnp.zeros_like(activation)
        naive = integrated_gradients(score, activation, zeros, num_steps=3, rule=rule)
        # The same sums, for one frame at a time: rounding only.
        np.testing.assert_allclose(row / scale, naive / scale, atol=1e-5)


@pytest.mark.parametrize(("rule", "num_steps"), [*((rule, 1) for rule in RULES), ("midpoint", 5)])
def test_reads_behind_pooling_are_taken_out_of_the_steps_whatever_the_rule(rule, num_steps):
    policy = models.make("clear", num_actions=2, observation_shape=(16, 16, 1))
    params = policy.init(jax.random.key(0))
    observations = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 1), np.uint8)
    ours = attribute(policy, params, observations, "2b", "value", num_steps=num_steps, rule=rule)

    @jax.jit
    def at_every_node(activation):
        return integrated_gradients(
            lambda x: policy.head(params, x[None], "2b")[1][0],
            activation,
            jnp.zeros_like(activation),
            num_steps=num_steps,
            rule=rule,
        )

    expected = jax.vmap(at_every_node)(policy.activations(params, observations, "2b"))
    # What the guard of the pooling bends; see docs/attribution.md.
    difference = np.abs(ours - expected).max()
    assert difference < (1e-5 if num_steps == 1 else 1e-3) * np.abs(expected).max()


@pytest.mark.parametrize("layer", ["conv1", None])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_batch_size_does_not_matter(tiny, layer, batch_size):
    expected = attribute(*tiny, layer, "value", num_steps=3)
    ours = attribute(*tiny, layer, "value", num_steps=3, batch_size=batch_size)
    assert ours.shape == expected.shape
    assert ours.dtype == np.float32
    # A convolution of other batch size may be blocked otherwise: rounding only.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(ours / scale, expected / scale, atol=1e-5)


def test_neighbours_in_a_chunk_do_not_matter(tiny):
    policy, params, observations = tiny
    others = np.concatenate([observations[:1], 255 - observations[1:]])
    first, second = (
        attribute(policy, params, frames, "conv1", "value", num_steps=3)
        for frames in (observations, others)
    )
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.array_equal(first[1:], second[1:])


def test_sum_of_logits_is_the_sum_of_their_attributions(tiny):
    together = attribute(*tiny, "conv2", (np.int64(0), 2), num_steps=3)
    apart = attribute(*tiny, "conv2", 0, num_steps=3) + attribute(*tiny, "conv2", 2, num_steps=3)
    # Differentiation is linear; rounding only.
    scale = np.abs(together).max()
    np.testing.assert_allclose(together / scale, apart / scale, atol=1e-5)


def test_a_silent_layer_gets_no_attribution(tiny):
    policy, params, observations = tiny
    attribution = attribute(policy, params, observations, "conv1", "value", num_steps=2)
    activations = policy.activations(params, observations, "conv1")
    assert (attribution[np.asarray(activations) == 0] == 0).all()
    assert (attribution != 0).any()


def test_one_compilation_serves_all_chunks_and_calls(tiny):
    policy, params, observations = tiny
    options = {"num_steps": 5, "batch_size": 3}
    before = attribute_chunk._cache_size()
    attribute(policy, params, observations, "conv3", "value", **options)
    louder = jax.tree.map(lambda leaf: 2 * leaf, params)
    attribute(policy, louder, jnp.asarray(observations), "conv3", "value", **options)
    for score in (0, 2, (0, 1)):
        attribute(policy, params, observations, "conv3", score, **options)
    assert attribute_chunk._cache_size() == before + 1


def test_steps_scanned_on_an_accelerator_equal_steps_unrolled(tiny):
    policy, params, observations = tiny
    scanned, unrolled = (
        attribute_chunk(
            policy,
            params,
            observations,
            "conv2",
            (output_score(2, 3),),
            num_steps=4,
            rule="midpoint",
            unroll=unroll,
        )[0]
        for unroll in (False, True)
    )
    # The same sums in the same order, other convolution kernels: rounding only.
    scale = np.abs(unrolled).max()
    np.testing.assert_allclose(scanned / scale, unrolled / scale, atol=1e-5)


@pytest.mark.usefixtures("as_in_production")
def test_unknown_layers_scores_and_rules_are_errors(tiny):
    with pytest.raises(ValueError, match='unknown layer "2b"; model "nature" has "conv1"'):
        attribute(*tiny, "2b", "value")
    for score in (3, -1, (0, 3), (), (1, 1), True, [0, 1], "reward", (0, "value")):
        with pytest.raises(ValueError, match=r"unknown score .* an action from 0 to 2"):
            attribute(*tiny, "conv1", score)
    with pytest.raises(ValueError, match='unknown rule "left"'):
        attribute(*tiny, "conv1", "value", rule="left")


@pytest.mark.parametrize("option", ["num_steps", "batch_size"])
def test_numbers_below_one_are_errors(tiny, option):
    with pytest.raises(ValueError, match=f"{option} must be an integer of at least 1; got 0"):
        attribute(*tiny, "conv1", "value", **{option: 0})


@pytest.mark.usefixtures("as_in_production")
def test_observations_of_another_form_are_errors(tiny):
    policy, params, observations = tiny
    for wrong in (observations / np.float32(255), observations[:, :20], observations[0]):
        with pytest.raises(ValueError, match=r"must be uint8 \[batch,36,36,1\]; got"):
            attribute(policy, params, wrong, "conv1", "value")
    with pytest.raises(ValueError, match="observations must hold at least one frame"):
        attribute(policy, params, observations[:0], "conv1", "value")
