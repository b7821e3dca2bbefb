import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models

# The forms of IMPALA that others publish have tests of their own.
NAMES = ("impala", "clear", "nature")
LAYERS = [(name, layer) for name in NAMES for layer in models.make(name).layer_names]


def frames(count, shape=(64, 64, 3)):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


@pytest.fixture(scope="module")
def make_policy():
    """A policy by name, with drawn parameters; one of each for the module."""
    made = {}

    def make(name):
        if name not in made:
            policy = models.make(name, num_actions=7)
            made[name] = policy, policy.init(jax.random.key(1))
        return made[name]

    return make


def relative(ours, expected):
    return np.max(np.abs(ours - expected)) / np.max(np.abs(expected))


@pytest.mark.parametrize("layer", ["1a", "2a", "2b", "3a", "4a"])
def test_activations_equal_the_original(golden, golden_policy, layer):
    policy, params = golden_policy
    activations = policy.activations(params, golden("frames.npz")["frames"][:1], layer)
    # Float32 sums of 75 to 800 products in another order; an independent implementation was
    # within 1e-6 of the largest. The issue asks for 1e-4.
    assert relative(activations, golden("acts.npz")[layer]) < 1e-5


def test_outputs_equal_the_original(golden, golden_policy):
    policy, params = golden_policy
    logits, values = jax.jit(policy.apply)(params, golden("frames.npz")["frames"])
    expected = golden("outputs.npz")
    # As above: rounding, through seven layers.
    assert relative(logits, expected["logits"]) < 1e-5
    assert relative(values, expected["values"]) < 1e-5


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_resuming_at_a_layer_equals_the_whole_network(make_policy, name, layer):
    policy, params = make_policy(name)
    observations = frames(3)
    activation = jax.jit(policy.activations, static_argnums=2)(params, observations, layer)
    assert activation.shape == (3, *policy.layer_shape(layer))
    assert (activation >= 0).all()
    # The same operations; XLA may fuse them otherwise, so rounding can differ.
    resume = jax.jit(policy.head, static_argnums=2)
    for resumed, whole in zip(
        resume(params, activation, layer), jax.jit(policy.apply)(params, observations), strict=True
    ):
        np.testing.assert_allclose(resumed, whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_means_the_pixels(make_policy, name):
    policy, params = make_policy(name)
    observations = frames(2)
    pixels = policy.activations(params, observations, None)
    np.testing.assert_allclose(pixels, observations / np.float32(255), rtol=1e-6)
    np.testing.assert_array_equal(
        policy.head(params, pixels, None)[1], policy.apply(params, observations)[1]
    )


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_consumer_names_the_kernel_that_reads_a_layer(make_policy, name, layer):
    policy, params = make_policy(name)
    kernel = params["params"]
    for key in (*policy.network.consumer(layer), "kernel"):
        kernel = kernel[key]
    num_channels = policy.layer_shape(layer)[-1]
    assert kernel.shape[-2] % num_channels == 0
    # Without that kernel the outputs no longer see the layer.
    silenced = jax.tree.map(lambda leaf: jnp.where(leaf is kernel, 0, leaf), params)
    _, values = policy.apply(silenced, frames(2))
    residual = name == "impala" and layer != "stack3"
    assert residual or values[0] == values[1]


@pytest.mark.parametrize("name", NAMES)
def test_frames_do_not_influence_each_other(make_policy, name):
    policy, params = make_policy(name)
    observations = frames(4)
    changed = np.concatenate([observations[:1], 255 - observations[1:]])
    apply = jax.jit(policy.apply)
    for before, after in zip(apply(params, observations), apply(params, changed), strict=True):
        np.testing.assert_array_equal(before[0], after[0])
        assert not np.array_equal(before[1:], after[1:])


def test_fresh_policies_are_near_uniform(make_policy):
    policy, params = make_policy("clear")
    logits, _ = policy.apply(params, frames(8))
    assert np.max(np.abs(jax.nn.softmax(logits) - 1 / 7)) < 0.02


def test_a_key_decides_the_parameters():
    policy = models.make("nature", num_actions=2, observation_shape=(36, 36, 1))
    first, again, other = (policy.init(jax.random.key(seed)) for seed in (3, 3, 4))
    assert jax.tree.all(jax.tree.map(jnp.array_equal, first, again))
    assert not jax.tree.all(jax.tree.map(jnp.array_equal, first, other))


def test_a_policy_is_compared_by_configuration_and_rebuilt_from_it():
    policy = models.make("impala", num_actions=9, observation_shape=(32, 48, 1))
    rebuilt = models.make(**policy.config)
    assert rebuilt == policy
    assert hash(rebuilt) == hash(policy)
    assert policy != dataclasses.replace(policy, num_actions=8)


def test_other_observation_shapes():
    policy = models.make("clear", num_actions=2, observation_shape=(32, 48, 1))
    params = policy.init(jax.random.key(0))
    logits, value = policy.apply(params, frames(2, (32, 48, 1)))
    assert logits.shape == (2, 2)
    assert value.shape == (2,)
    assert policy.layer_shape("4a") == (4, 6, 32)


def test_unknown_names_are_errors_that_list_the_known():
    with pytest.raises(ValueError, match='unknown model "resnet"; expected one of "impala"'):
        models.make("resnet")
    policy = models.make("clear")
    for call in (
        lambda: policy.activations({}, frames(1), "conv9"),
        lambda: policy.head({}, jnp.zeros((1, 2, 2, 2)), "conv9"),
    ):
        with pytest.raises(
            ValueError, match=r'unknown layer "conv9"; model "clear" has "1a", "2a"'
        ):
            call()


def test_a_policy_needs_an_action():
    with pytest.raises(ValueError, match="num_actions must be an integer of at least 1; got 0"):
        models.make("clear", num_actions=0)


@pytest.mark.parametrize(
    ("observations", "got"),
    [
        (np.zeros((2, 64, 64, 3), np.float32), r"got float32 \[2, 64, 64, 3\]"),
        (np.zeros((2, 32, 64, 3), np.uint8), r"got uint8 \[2, 32, 64, 3\]"),
        (np.zeros((64, 64, 3), np.uint8), r"got uint8 \[64, 64, 3\]"),
    ],
)
@pytest.mark.usefixtures("as_in_production")
def test_observations_of_another_form_are_errors(make_policy, observations, got):
    policy, params = make_policy("clear")
    for call in (policy.apply, lambda params, frames: policy.activations(params, frames, "2b")):
        with pytest.raises(ValueError, match=r"must be uint8 \[batch,64,64,3\]; " + got):
            call(params, observations)


@pytest.mark.parametrize(
    "name", [pytest.param("impala", marks=pytest.mark.slow), "clear", "nature"]
)
def test_bfloat16_activations_leave_parameters_and_outputs_in_float32(make_policy, name):
    policy, params = make_policy(name)
    rounded = dataclasses.replace(policy, activation_dtype="bfloat16")
    assert rounded.config == policy.config
    observations = frames(2)

    @functools.partial(jax.jit, static_argnums=0)
    def outputs_and_gradient(policy, params):
        def value(params):
            logits, values = policy.apply(params, observations)
            return values.sum(), (logits, values)

        return jax.grad(value, has_aux=True)(params)

    gradient, outputs = outputs_and_gradient(rounded, params)
    expected_gradient, _ = outputs_and_gradient(policy, params)
    assert {leaf.dtype for leaf in jax.tree.leaves((gradient, outputs))} == {jnp.dtype("float32")}
    layer = policy.layer_names[-1]
    activations = rounded.activations(params, observations, layer)
    assert activations.dtype == jnp.bfloat16
    # bfloat16 keeps 8 bits, so one rounding changes 0.4%; up to 15 layers add theirs up.
    expected_activations = policy.activations(params, observations, layer)
    assert 0 < relative(activations.astype(jnp.float32), expected_activations) < 0.06
    flat, expected_flat = (
        jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(tree)])
        for tree in (gradient, expected_gradient)
    )
    norms = jnp.linalg.norm(flat) * jnp.linalg.norm(expected_flat)
    assert jnp.vdot(flat, expected_flat) / norms > 0.99


def test_unknown_activation_dtype_is_named():
    with pytest.raises(ValueError, match='unknown activation_dtype "float16"; expected one of'):
        models.make("nature", activation_dtype="float16")
