import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.features import (
    CaricatureObjective,
    ChannelObjective,
    DirectionObjective,
    FourierImage,
    L2Norm,
    OutputObjective,
    PixelImage,
    maximize,
    optimize,
    visualize,
)

_PIXELS = PixelImage(decorrelate=False)
_KEY = jax.random.key(0)


def _linear(params, x):
    return jnp.einsum("bhwi,hwio->bo", x, params["linear"])[:, None, None, :]


def _conv(params, x):
    dimensions = ("NHWC", "HWIO", "NHWC")
    return jax.nn.relu(
        jax.lax.conv_general_dilated(
            x, params["conv"], (1, 1), "SAME", dimension_numbers=dimensions
        )
    )


def _threshold(params, x):
    """How far the first pixel's colours are above some levels, in one position."""
    return jax.nn.relu(x[:, :1, :1] - jnp.broadcast_to(params["levels"], (len(x), 1, 1, 3)))


def _heads(params, x):
    pooled = x.mean((1, 2))
    return pooled[:, :2], pooled[:, 2]


def _policy(name, function):
    return models.from_functions(
        [(name, function)], _heads, num_actions=2, observation_shape=(6, 6, 3)
    )


_LINEAR = _policy("linear", _linear)
_CONV = _policy("conv", _conv)
_THRESHOLD = _policy("threshold", _threshold)


@pytest.fixture(scope="module")
def linear_params():
    return {"linear": np.random.default_rng(0).normal(size=(6, 6, 3, 3)).astype(np.float32)}


@pytest.fixture(scope="module")
def conv_params():
    return {"conv": np.random.default_rng(1).normal(size=(3, 3, 3, 4)).astype(np.float32)}


def _see_conv(params, directions, **options):
    settings = {"key": _KEY, "parameterization": _PIXELS, "num_steps": 20, "learning_rate": 0.2}
    return visualize(_CONV, params, "conv", directions, **settings | options)


def test_image_of_a_linear_layer_is_the_sign_of_its_kernel(linear_params):
    directions = np.array([[1, 0, 0], [0, -1, 0], [0.5, 0, 2]], np.float32)
    images = visualize(
        _LINEAR,
        linear_params,
        "linear",
        directions,
        key=_KEY,
        parameterization=_PIXELS,
        jitter=0,
        num_steps=60,
        learning_rate=0.5,
    )
    kernels = np.einsum("hwio,fo->fhwi", linear_params["linear"], directions)
    np.testing.assert_array_equal(images, np.where(kernels > 0, 255, 0))


def test_images_of_outputs_raise_them(linear_params):
    made = maximize(
        _LINEAR,
        linear_params,
        [sign * OutputObjective("value") for sign in (1, -1)],
        key=_KEY,
        parameterization=_PIXELS,
        jitter=0,
        num_steps=60,
        learning_rate=0.5,
    )
    kernel = linear_params["linear"][..., 2]
    np.testing.assert_array_equal(made.images[0] > 0.5, kernel > 0)
    np.testing.assert_array_equal(made.images[1] > 0.5, kernel < 0)
    # All pixels are within 1/255 of black or white, as the test above has it.
    bound = np.array([kernel[kernel > 0].sum(), -kernel[kernel < 0].sum()])
    np.testing.assert_allclose(made.scores, bound, atol=np.abs(kernel).sum() / 255)


def test_jitter_spreads_what_one_pixel_asks_for():
    # The only pixel that counts falls on nine places of the larger image; the middle cuts off the
    # first row and the first column of them.
    images = visualize(
        _THRESHOLD,
        {"levels": np.zeros(3, np.float32)},
        "threshold",
        np.ones((1, 3), np.float32),
        key=_KEY,
        parameterization=_PIXELS,
        num_steps=150,
        learning_rate=0.5,
    )
    seen = np.zeros((6, 6), bool)
    seen[:2, :2] = True
    assert (images[0][seen] > 240).all()
    # Noise of 0.01 before a sigmoid moves pixels by 255 * 0.01 / 4, and this four times over.
    assert np.abs(images[0][~seen].astype(int) - 127).max() <= 3


def test_penalty_keeps_the_layer_down(conv_params):
    directions = np.eye(4, dtype=np.float32)[:2]
    norms = []
    for penalty in (1e-6, 0.5):
        images = _see_conv(conv_params, directions, l2_layer="conv", l2_penalty=penalty)
        activations = _CONV.activations(conv_params, images, "conv")
        norms.append(np.linalg.norm(activations.reshape(2, -1), axis=1))
    assert (norms[1] < 0.9 * norms[0]).all()


def test_caricature_resembles_its_image_more_than_noise_does(conv_params):
    frames = np.random.default_rng(2).integers(0, 256, (12, 6, 6, 3), np.uint8)
    targets = np.asarray(_CONV.activations(conv_params, frames, "conv"))
    made = maximize(
        _CONV,
        conv_params,
        [CaricatureObjective("conv", target, power=2) for target in targets[:2]],
        key=_KEY,
        jitter=0,
        num_steps=40,
        learning_rate=0.2,
    )
    images = np.round(255 * made.images).astype(np.uint8)
    units = [
        x.reshape(len(x), -1) for x in (_CONV.activations(conv_params, images, "conv"), targets)
    ]
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in units]
    similarity = np.asarray(units[0]) @ units[1].T
    for index in range(2):
        assert similarity[index, index] > similarity[index, 2:].max()


def test_same_key_same_images_whatever_is_asked_beside(conv_params):
    directions = np.random.default_rng(3).uniform(size=(3, 4)).astype(np.float32)
    images = _see_conv(conv_params, directions)
    np.testing.assert_array_equal(images, _see_conv(conv_params, directions))
    assert not np.array_equal(images, _see_conv(conv_params, directions, key=jax.random.key(1)))
    # Other batches may be summed in another order, which can tip the rounding of a pixel.
    alone = _see_conv(conv_params, directions[2:])
    assert np.abs(alone[0].astype(int) - images[2]).max() <= 1


def test_the_loop_on_accelerators_takes_the_same_steps(conv_params, monkeypatch):
    directions = np.random.default_rng(3).uniform(size=(3, 4)).astype(np.float32)
    images = _see_conv(conv_params, directions)
    monkeypatch.setattr(optimize, "_step_by_step", optimize._in_one_program)
    # As above: one program may sum in another order than twenty.
    assert np.abs(_see_conv(conv_params, directions).astype(int) - images).max() <= 1


def test_one_program_serves_all_directions_weights_and_step_counts(conv_params):
    directions = np.random.default_rng(4).uniform(size=(2, 4)).astype(np.float32)
    options = {"l2_layer": "conv", "l2_penalty": 0.5}
    _see_conv(conv_params, directions, **options, num_steps=1)
    compiled = optimize._compiled_step._cache_size()
    options |= {"l2_penalty": 1.0, "key": jax.random.key(1)}
    _see_conv(conv_params, 2 * directions, **options, num_steps=3, learning_rate=0.1)
    assert optimize._compiled_step._cache_size() == compiled


def test_what_faint_noise_does_not_excite_starts_from_stronger():
    params = {"levels": np.float32([0.8, 0.3, 0.8])}
    objectives = [ChannelObjective("threshold", c) - 0.01 * L2Norm(None) for c in range(3)]
    settings = {"key": _KEY, "parameterization": _PIXELS, "jitter": 0, "learning_rate": 0.5}
    made = maximize(_THRESHOLD, params, objectives, num_steps=60, **settings)
    assert not made.silent.any()
    excited = [made.images[channel, 0, 0, channel] for channel in range(3)]
    assert min(excited) > 0.99  # from grey, 0.5, the first and the third have no gradient
    assert made.images[1, 0, 0, 0] < 0.5  # the second starts from grey: the penalty pulls down


def test_features_that_nothing_excites_are_named():
    params = {"levels": np.float32([0.3, 1.5, 0.3])}
    settings = {"key": _KEY, "parameterization": _PIXELS, "jitter": 0, "num_steps": 1}
    with pytest.raises(ValueError, match=r"no noise tried excites objectives \[1\]"):
        visualize(_THRESHOLD, params, "threshold", np.eye(3, dtype=np.float32), **settings)
    objectives = [DirectionObjective("threshold", row) for row in np.eye(3, dtype=np.float32)]
    made = maximize(_THRESHOLD, params, objectives, **settings, allow_silent=True)
    assert made.silent.tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_steps": 0}, "num_steps must be an integer of at least 1; got 0"),
        ({"jitter": -1}, "jitter must be an integer of at least 0; got -1"),
        ({"learning_rate": 0.0}, "learning_rate must be finite and above 0; got 0.0"),
        ({"l2_penalty": 0.1}, "l2_layer and l2_penalty belong together; got l2_layer=None"),
        ({"l2_layer": "conv"}, "belong together; .* l2_penalty=0"),
        ({"l2_layer": "1a", "l2_penalty": 0.1}, 'unknown layer "1a"'),
        ({"position": (6, 0)}, r"got \(6, 0\)"),
        ({"directions": np.ones((1, 3), np.float32)}, r"4 channels .* got shape \[3\]"),
        ({"directions": np.ones((0, 4), np.float32)}, "got 0 of 0 kinds"),
    ],
)
def test_bad_input_is_refused(conv_params, options, message):
    with pytest.raises(ValueError, match=message):
        _see_conv(conv_params, **{"directions": np.ones((1, 4), np.float32)} | options)


def test_objectives_of_several_kinds_are_refused(conv_params):
    kinds = [ChannelObjective("conv", 0), ChannelObjective("conv", 0, "center")]
    with pytest.raises(ValueError, match="got 2 of 2 kinds: call once for each kind"):
        maximize(_CONV, conv_params, kinds, key=_KEY, parameterization=FourierImage())
