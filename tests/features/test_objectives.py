import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.attribution import LogProbability
from rlvision_jax.features import (
    CaricatureObjective,
    ChannelObjective,
    DirectionObjective,
    L2Norm,
    OutputObjective,
)
from rlvision_jax.features.image_scores import pixel_range, score_image
from rlvision_jax.features.objectives import Reached


def _first(params, x):
    return jax.nn.relu(jnp.einsum("bhwi,io->bhwo", x, params["first"]))


def _second(params, x):
    return jax.nn.relu(jnp.einsum("bhwi,io->bhwo", x, params["second"]))


def _heads(params, x):
    pooled = x.mean((1, 2))
    return pooled @ params["policy"], pooled @ params["value"]


def _signed(observations):
    return observations.astype(jnp.float32) / 127.5 - 1


_POLICY = models.from_functions(
    [("first", _first), ("second", _second)],
    _heads,
    num_actions=2,
    observation_shape=(4, 5, 3),
    preprocess=_signed,
)


@pytest.fixture(scope="module")
def params():
    random = np.random.default_rng(0)
    shapes = {"first": (3, 4), "second": (4, 6), "policy": (6, 2), "value": (6,)}
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def activation():
    return np.random.default_rng(1).normal(size=(4, 5, 6)).astype(np.float32)


@pytest.fixture(scope="module")
def direction():
    return np.random.default_rng(2).normal(size=6).astype(np.float32)


@pytest.fixture
def reached(activation):
    return Reached(activations={"second": jnp.asarray(activation)})


def test_direction_is_the_mean_over_positions_of_dot_times_floored_cosine(
    activation, direction, reached
):
    expected = []
    for position in activation.reshape(-1, 6):
        dot = position @ direction
        cosine = dot / np.linalg.norm(position) / np.linalg.norm(direction)
        expected.append(dot * max(cosine, 0.1) ** 2)
    ours = DirectionObjective("second", direction, None, power=2)(reached)
    # The 1e-4 that norms of about 2 are padded by, twice, to the power of 2.
    np.testing.assert_allclose(ours, np.mean(expected), rtol=1e-3)


def test_position_chooses_a_neuron_and_center_is_half_the_sides(activation, direction, reached):
    at = DirectionObjective("second", direction, (3, 1))
    np.testing.assert_allclose(at(reached), activation[3, 1] @ direction, rtol=1e-5)
    center = DirectionObjective("second", direction)
    np.testing.assert_allclose(center(reached), activation[2, 2] @ direction, rtol=1e-5)


def test_channel_is_the_direction_of_one_channel(reached):
    for position in (None, "center", (0, 4)):
        channel = ChannelObjective("second", 3, position)
        one_hot = DirectionObjective("second", np.eye(6, dtype=np.float32)[3], position)
        np.testing.assert_allclose(channel(reached), one_hot(reached), rtol=1e-6)


def test_caricature_of_a_multiple_is_the_dot_product(activation, reached):
    # Cosine 1 at any power; 20 positions.
    expected = 3 * (activation**2).sum() / 20
    for power in (0, 1, 4):
        ours = CaricatureObjective("second", 3 * activation, power=power)(reached)
        np.testing.assert_allclose(ours, expected, rtol=1e-4)  # padded norms


def test_caricature_falls_with_the_cosine_to_the_power(activation, reached):
    target = activation + np.random.default_rng(3).normal(size=(4, 5, 6)).astype(np.float32)
    norms = np.linalg.norm(target) * np.linalg.norm(activation)
    cosine = (activation * target).sum() / norms
    plain = CaricatureObjective("second", target, power=0)(reached)
    squared = CaricatureObjective("second", target, power=2)(reached)
    np.testing.assert_allclose(squared / plain, cosine**2, rtol=1e-4)  # padded norms


def test_silence_has_a_finite_gradient(direction):
    objectives = [DirectionObjective("second", direction, None, power=power) for power in (0, 1)]
    objective = sum(objectives) - L2Norm("second")
    gradient = jax.jit(jax.grad(lambda x: objective(Reached(activations={"second": x}))))
    assert np.isfinite(gradient(jnp.zeros((4, 5, 6)))).all()


def test_objectives_add_subtract_and_scale(direction, reached):
    a, b = ChannelObjective("second", 0), DirectionObjective("second", direction)
    norm = L2Norm("second")
    combined = 2 * (a - 0.5 * norm) + -b * 3.0
    expected = 2 * a(reached) - norm(reached) - 3 * b(reached)
    # Float32 sums of three numbers of about 10.
    np.testing.assert_allclose(combined(reached), expected, rtol=1e-5)
    np.testing.assert_allclose(sum([a, b])(reached), a(reached) + b(reached), rtol=1e-6)
    assert combined.layers == {"second"}
    with pytest.raises(TypeError):
        a + 1
    with pytest.raises(TypeError):
        a * b


def test_scores_of_a_frame_are_those_of_the_policy(params, direction):
    frame = np.random.default_rng(4).integers(0, 256, (4, 5, 3), np.uint8)
    first, second = (
        np.asarray(_POLICY.activations(params, frame[None], layer)[0])
        for layer in _POLICY.layer_names
    )
    logits, value = (x[0] for x in _POLICY.apply(params, frame[None]))
    expected = [
        (DirectionObjective("second", direction, None), (second @ direction).mean()),
        (L2Norm("first"), np.linalg.norm(first)),
        (L2Norm(None), np.linalg.norm(frame / 127.5 - 1)),
        (OutputObjective("value"), value),
        (OutputObjective(1), logits[1]),
        (OutputObjective((0, 1)), logits.sum()),
        (OutputObjective(LogProbability(1)), jax.nn.log_softmax(logits)[1]),
    ]
    objectives = [objective for objective, _ in expected]
    for objective in objectives:
        objective.check(_POLICY, params)
    scale = pixel_range(_POLICY, params)

    @jax.jit
    def scores(image):
        each = [score_image(_POLICY, params, objective, image, scale) for objective in objectives]
        return each, score_image(_POLICY, params, sum(objectives), image, scale)

    each, together = scores(frame / np.float32(255))
    numbers = [number for _, number in expected]
    # Pixels of -1 to 1 out of float32 numbers of 0 to 1; a few roundings.
    np.testing.assert_allclose(each, numbers, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(together, sum(numbers), rtol=1e-5, atol=1e-5)


def test_a_policy_that_cannot_stop_shows_outputs_only(params):
    names = ("name", "num_actions", "observation_shape", "layer_names", "config")
    methods = ("apply", "activations", "head")
    plain = types.SimpleNamespace(**{name: getattr(_POLICY, name) for name in names + methods})
    OutputObjective("value").check(plain, params)
    image = np.full((4, 5, 3), 0.2)
    of_value = [
        score_image(policy, params, OutputObjective("value"), image, pixel_range(policy, params))
        for policy in (plain, _POLICY)
    ]
    assert of_value[0] == of_value[1]
    with pytest.raises(ValueError, match="cannot stop at a layer on the way from an image"):
        ChannelObjective("first", 0).check(plain, params)


def test_pixels_that_are_more_than_scaled_are_refused(params):
    squared = models.from_functions(
        _POLICY.layers,
        _heads,
        num_actions=2,
        observation_shape=(4, 5, 3),
        preprocess=lambda observations: _signed(observations) ** 2,
    )
    with pytest.raises(ValueError, match="must take pixels scaled and shifted, each for itself"):
        pixel_range(squared, params)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (ChannelObjective("third", 0), 'unknown layer "third"'),
        (L2Norm("third"), 'unknown layer "third"'),
        (ChannelObjective("first", 4), r'channel must be 0 to 3 in layer "first"; got 4'),
        (ChannelObjective("first", 0, (4, 0)), r"row of 0 to 3 .* got \(4, 0\)"),
        (DirectionObjective("first", np.ones(3)), r"each of the 4 channels .* got shape \[3\]"),
        (DirectionObjective("first", np.full(4, np.nan)), "finite entry .* some not finite"),
        (DirectionObjective("first", np.ones(4), power=-1), "power must be .* got -1"),
        (CaricatureObjective("first", np.ones((4, 5, 3))), r"\[4, 5, 4\]; got shape \[4, 5, 3\]"),
        (CaricatureObjective("first", np.zeros((4, 5, 4))), "zero everywhere"),
        (OutputObjective(2), "unknown score 2"),
        (L2Norm("first") * np.inf, "weights of objectives must be finite"),
        (L2Norm("second") + ChannelObjective("first", 9), "got 9"),
    ],
)
def test_what_does_not_fit_the_policy_is_refused(params, objective, message):
    with pytest.raises(ValueError, match=message):
        objective.check(_POLICY, params)
