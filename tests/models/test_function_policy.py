"""What `from_functions` and `check_policy` refuse, and what they say."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.attribution import attribute

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 2), np.uint8)
PARAMS = {"mix": np.eye(2, dtype=np.float32), "scale": np.ones((), np.float32)}


def mix(params, x):
    return jax.nn.relu(jnp.einsum("bhwi,io->bhwo", x, params["mix"]))


def scale(params, x):
    return x * params["scale"]


def heads(params, x):
    return x.mean((1, 2)), x.mean((1, 2, 3))


def make(layers=(("mix", mix), ("scale", scale)), heads=heads, **options):
    options = {"num_actions": 2, "observation_shape": (4, 4, 2)} | options
    return models.from_functions(layers, heads, **options)


def check(policy, params=PARAMS, frames=FRAMES, **options):
    models.check_policy(policy, params, frames, **options)


def test_layers_are_the_functions_in_order():
    policy = make()
    pixels = FRAMES / np.float32(255)
    params = {"mix": np.asarray([[1, -1], [0, 0]], np.float32), "scale": np.float32(3)}
    np.testing.assert_allclose(policy.activations(params, FRAMES, None), pixels, rtol=1e-6)
    mixed = np.stack([pixels[..., 0], 0 * pixels[..., 0]], -1)
    # One or two roundings to float32.
    np.testing.assert_allclose(policy.activations(params, FRAMES, "mix"), mixed, rtol=1e-6)
    np.testing.assert_allclose(policy.activations(params, FRAMES, "scale"), 3 * mixed, rtol=1e-6)
    for layer, activation in ((None, pixels), ("mix", mixed), ("scale", 3 * mixed)):
        logits, value = policy.head(params, activation, layer)
        np.testing.assert_allclose(logits, 3 * mixed.mean((1, 2)), rtol=1e-6)
        np.testing.assert_allclose(value, 3 * mixed.mean((1, 2, 3)), rtol=1e-6)


def test_policy_compiles_once_and_differs_from_one_with_other_functions():
    policy = make()
    assert policy == make()
    assert hash(policy) == hash(make())
    assert policy != make(heads=lambda params, x: heads(params, x))
    calls = []

    def counted(params, x):
        calls.append(x.shape)
        return mix(params, x)

    policy = make([("mix", counted)])
    for seed in range(3):
        attribute(policy, PARAMS, np.roll(FRAMES, seed), "mix", "value", num_steps=1)
    assert calls == [(3, 4, 4, 2)]


def test_own_class_is_accepted():
    @dataclasses.dataclass(frozen=True)
    class Brightness:
        """Value and both logits: the mean pixel. Nothing of it is from this package."""

        name: str = "brightness"
        num_actions: int = 2
        observation_shape: tuple = (4, 4, 2)
        layer_names: tuple = ("pixels",)
        config: ClassVar[dict] = {"kind": "brightness"}

        def apply(self, params, observations):
            return self.head(params, self.activations(params, observations, None), None)

        def activations(self, params, observations, layer):
            return jnp.asarray(observations, jnp.float32) * params

        def head(self, params, activation, layer):
            value = activation.mean((1, 2, 3))
            return jnp.stack([value, value], 1), value

    policy = Brightness()
    check(policy, np.float32(1))
    attribution = attribute(policy, np.float32(1), FRAMES, "pixels", 1)
    # Linear: each pixel's own share, up to the sum of ten float32 steps.
    np.testing.assert_allclose(attribution, FRAMES / 32.0, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": ()}, r"layers must be one or more pairs.*got the names of none"),
        ({"layers": [("a", mix), ("a", mix)]}, 'each name once; got the names "a", "a"'),
        ({"layers": [("", mix)]}, 'got the names ""'),
        ({"layers": [("a", "mix")]}, 'layer "a" must be a function; got str'),
        ({"num_actions": 0}, "num_actions must be an integer of at least 1; got 0"),
        ({"observation_shape": (4, 4)}, r"must be height, width, channel; got \[4, 4\]"),
        ({"observation_shape": (4, 0, 2)}, "width of observation_shape must be .* at least 1"),
    ],
)
def test_wrong_construction_is_refused(as_in_production, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_function_that_cannot_be_hashed_is_refused():
    class Layer:
        __hash__ = None

        def __call__(self, params, x):
            return x

    with pytest.raises(ValueError, match=r'layer "a" must be hashable.*takes the arrays as params'):
        make([("a", Layer())])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"heads": lambda params, x: (heads(params, x)[0], x.mean((1, 2)))},
            r"value must be float32 \[3\] for 3 frames; got float32 \[3, 2\]: one number per frame",
        ),
        (
            {"num_actions": 5},
            r"policy logits must be float32 \[3, 5\].*got float32 \[3, 2\]: num_actions",
        ),
        (
            {"heads": lambda params, x: heads(params, x.astype(jnp.bfloat16))},
            r"policy logits must be float32 \[3, 2\].*got bfloat16",
        ),
        ({"heads": lambda params, x: x}, "heads must return a tuple of two arrays.*got"),
        (
            {"layers": [("flat", lambda params, x: x.reshape(len(x), -1))]},
            r'layer "flat" must return .*got float32 \[3, 32\].*\[batch,1,1,channel\]',
        ),
        (
            {"layers": [("one", lambda params, x: x[:1])]},
            r'layer "one" .*batch of 3 that it was given; got float32 \[1, 4, 4, 2\].*jax.vmap',
        ),
        (
            {"preprocess": lambda frames: frames},
            r"preprocess must return floating-point .*; got uint8 \[3, 4, 4, 2\]",
        ),
    ],
)
def test_wrong_shapes_are_refused_wherever_they_appear(options, message):
    policy = make(**options)
    with pytest.raises(ValueError, match=message):
        check(policy)
    with pytest.raises(ValueError, match=message):
        policy.apply(PARAMS, FRAMES)


def normalized_over_the_batch(params, x):
    return x - x.mean(0, keepdims=True) + params["scale"]


def divided_by_zero(params, x):
    return x / (0 * params["scale"])


def without_params(params, x):
    return x


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (normalized_over_the_batch, "frame alone must equal .*must not depend on its batch"),
        (divided_by_zero, "policy logits must be finite; got"),
        (without_params, "outputs do not depend on params: the functions hold arrays"),
    ],
)
def test_wrong_numbers_are_refused(function, message):
    with pytest.raises(ValueError, match=message):
        check(make([("a", function)]))


def test_connection_that_passes_a_layer_by_is_refused():
    class Skipping(models.FunctionPolicy):
        """Its outputs add what the head resumed from a layer cannot know."""

        def apply(self, params, observations):
            logits, value = super().apply(params, observations)
            return logits, value + self.activations(params, observations, None).mean((1, 2, 3))

    policy = Skipping(
        layers=(("mix", mix),), heads=heads, num_actions=2, observation_shape=(4, 4, 2)
    )
    with pytest.raises(ValueError, match=r'"mix"\) must equal apply.*a connection passes by'):
        check(policy)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "params hold no array"),
        (
            {"mix": np.eye(2), "act": jax.nn.relu},
            r"arrays only; got .* at \['act'\]: split the module",
        ),
    ],
)
def test_params_that_are_no_arrays_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        check(make(), params)


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (FRAMES[:1], "two frames or more; got 1"),
        (FRAMES[..., :1], r"must be uint8 \[batch,4,4,2\]; got uint8 \[3, 4, 4, 1\]"),
        (FRAMES / 255, r"must be uint8 \[batch,4,4,2\]; got float64"),
    ],
)
def test_wrong_frames_are_refused(as_in_production, frames, message):
    with pytest.raises(ValueError, match=message):
        check(make(), frames=frames)


def test_expected_outputs_of_another_shape_are_refused():
    expected = np.zeros((3, 2)), np.zeros((3, 1))
    expected = make().apply(PARAMS, FRAMES)[0], expected[1]
    with pytest.raises(ValueError, match=r"expected must hold value of shape \[3\]; got \[3, 1\]"):
        check(make(), expected=expected)


def test_what_is_no_policy_is_refused(as_in_production):
    with pytest.raises(
        ValueError, match=r"lists; got function: make it with models.from_functions"
    ):
        check(mix)


def test_config_that_is_no_json_is_refused():
    class Configured(models.FunctionPolicy):
        config = {"array": np.zeros(2)}  # noqa: RUF012

    policy = Configured(
        layers=(("mix", mix),), heads=heads, num_actions=2, observation_shape=(4, 4, 2)
    )
    with pytest.raises(ValueError, match=r"policy.config must be JSON values"):
        check(policy)


def test_unknown_layer_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match='unknown layer "2b"; model "mine" has "mix", "scale"'):
        attribute(make(name="mine"), PARAMS, FRAMES, "2b", "value")
