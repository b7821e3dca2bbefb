"""The forms of IMPALA that others publish; their outputs are tested where they are imported."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.editing import project_out

LAYERS = ("stack1", "stack2", "stack3")
SIGNED = ("stack1", "stack2")


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 16, 24, 3), np.uint8)


@pytest.fixture(scope="module")
def direction():
    return np.random.default_rng(1).normal(size=16)


@pytest.fixture(scope="module")
def params(frames):
    """Parameters for each of the networks; biases too, which begin at 0."""
    shapes = jax.eval_shape(models.make("impala", 5, frames.shape[1:]).init, jax.random.key(0))
    random = np.random.default_rng(2)
    return jax.tree.map(
        lambda leaf: jnp.asarray(random.normal(size=leaf.shape) * 0.1, jnp.float32), shapes
    )


@pytest.fixture(scope="module")
def found(frames, direction, params):
    """Layers, outputs resumed, edited and moved, and the gradient, of CleanRL's form."""
    policy = models.make("impala_cleanrl", 5, frames.shape[1:])

    @jax.jit
    def compute(params, edited, frames, direction):
        layers = {layer: policy.activations(params, frames, layer) for layer in LAYERS}
        moved = layers["stack1"] + 3 * jnp.broadcast_to(direction, layers["stack1"].shape)

        def score(params):
            outputs = policy.apply(params, frames)
            return jnp.sum(outputs[0] ** 2) + jnp.sum(outputs[1] ** 2), outputs

        gradient, outputs = jax.grad(score, has_aux=True)(params)
        return {
            "layers": layers,
            "outputs": outputs,
            "resumed": {layer: policy.head(params, x, layer) for layer, x in layers.items()},
            "moved": policy.head(params, moved, "stack1"),
            "edited": policy.head(edited, layers["stack1"], "stack1"),
            "edited, moved": policy.head(edited, moved, "stack1"),
            "gradient": gradient,
        }

    edited = project_out(policy, params, "stack1", direction)
    return compute(params, edited, frames, jnp.asarray(direction, jnp.float32))


@pytest.mark.parametrize("name", ["impala_baselines", "impala_cleanrl"])
def test_all_stacks_are_layers_and_all_but_the_last_have_signs(name):
    policy = models.make(name)
    assert policy.layer_names == LAYERS
    assert policy.network.signed_layers == SIGNED


@pytest.mark.parametrize("layer", LAYERS)
def test_resuming_at_a_layer_with_or_without_signs_equals_the_whole_network(found, layer):
    assert (found["layers"][layer].min() < 0) == (layer in SIGNED)
    for resumed, whole in zip(found["resumed"][layer], found["outputs"], strict=True):
        # The same operations; XLA may fuse them otherwise, so rounding can differ.
        np.testing.assert_allclose(resumed, whole, rtol=1e-4, atol=1e-4)


def test_an_edit_hides_a_direction_of_a_signed_layer(found):
    scale = np.abs(found["edited"][0]).max()
    for index in (0, 1):
        # Differences of float32 sums over 16 channels and more, relative to outputs of this size.
        np.testing.assert_allclose(
            found["edited, moved"][index], found["edited"][index], atol=1e-4 * scale
        )
    assert np.abs(found["moved"][0] - found["resumed"]["stack1"][0]).max() > 1e-2 * scale


def test_every_parameter_learns(found):
    for path, leaf in jax.tree.leaves_with_path(found["gradient"]):
        assert np.isfinite(leaf).all(), path
        assert np.abs(leaf).max() > 0, path


def test_stacks_of_ours_are_those_of_baselines_behind_a_relu(frames, params):
    ours, published = (
        jax.jit(models.make(name, 5, frames.shape[1:]).activations, static_argnums=2)(
            params, frames, "stack1"
        )
        for name in ("impala", "impala_baselines")
    )
    assert published.min() < 0
    # The same operations; XLA may fuse them otherwise.
    np.testing.assert_allclose(ours, np.maximum(published, 0), atol=1e-5)
