"""CleanRL's Procgen agent, from its state dict."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cleanrl_agent import NUM_ACTIONS, drawn_state_dict, shapes, torch_outputs

from rlvision_jax.checkpoint import CheckpointError, CheckpointMismatchError, from_cleanrl
from rlvision_jax.features import attribution_maps, find_directions


@pytest.fixture(scope="module")
def state_dict():
    return drawn_state_dict()


@pytest.fixture(scope="module")
def frames(golden):
    return golden("frames.npz")["frames"][:16]


@pytest.fixture(scope="module")
def outputs(state_dict, frames):
    """Of the imported policy."""
    policy, params = from_cleanrl(state_dict)
    assert policy.name == "impala_cleanrl"
    assert policy.num_actions == NUM_ACTIONS
    return jax.jit(policy.apply)(params, frames)


def assert_close(outputs, expected):
    for ours, other in zip(outputs, expected, strict=True):
        # Float32 sums of up to 2048 products in another order, through 17 layers; measured 7e-7.
        np.testing.assert_allclose(ours, other, atol=1e-5 * np.abs(other).max())


def test_outputs_equal_those_recorded_from_torch(outputs, golden):
    expected = golden("cleanrl_outputs.npz")
    assert_close(outputs, (expected["logits"], expected["values"]))


def test_outputs_equal_those_of_torch(outputs, state_dict, frames):
    pytest.importorskip("torch", reason="the recorded outputs are compared without torch")
    assert_close(outputs, torch_outputs(state_dict, frames))


def test_tensors_of_torch_are_read(state_dict):
    torch = pytest.importorskip("torch", reason="NumPy's arrays are read without torch")
    tensors = {name: torch.as_tensor(value) for name, value in state_dict.items()}
    for ours, other in zip(
        jax.tree.leaves(from_cleanrl(tensors)),
        jax.tree.leaves(from_cleanrl(state_dict)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.slow
def test_an_imported_agent_is_explained_at_a_signed_layer(state_dict, golden):
    small = {**state_dict, "network.5.weight": state_dict["network.5.weight"][:, : 32 * 2 * 2]}
    policy, params = from_cleanrl(small, observation_shape=(16, 16, 3))
    frames = golden("frames.npz")["frames"][:4, ::4, ::4]

    @jax.jit
    def activation_and_values(params, frames):
        activation = policy.activations(params, frames, "stack2")
        silent = jnp.zeros_like(activation[:1])
        return activation, policy.head(params, jnp.concatenate([activation, silent]), "stack2")[1]

    activation, values = activation_and_values(params, frames)
    assert activation.min() < 0
    path = {"num_steps": 3, "rule": "gauss_legendre"}
    directions = find_directions(policy, params, frames, "stack2", num_features=3, **path)
    components = np.asarray(directions.nmf.components)
    assert (components >= 0).all()
    assert (components.sum(-1) > 0).all()
    maps, residual = attribution_maps(policy, params, frames, directions, "value", **path)
    difference = values[:-1] - values[-1]
    # Completeness from an activation of both signs, to the error of the quadrature with 3 steps.
    np.testing.assert_allclose(
        maps.sum((1, 2, 3)) + residual.sum((1, 2)), difference, atol=0.1 * abs(difference).max()
    )


def test_every_entry_that_does_not_fit_is_named(state_dict):
    wrong = {**state_dict, "network.6.weight": np.zeros(3, np.float32)}
    del wrong["network.1.res_block0.conv1.bias"]
    wrong["critic.weight"] = np.zeros((2, 256), np.float32)
    wrong["network.0.conv.weight"] = wrong["network.0.conv.weight"].transpose(2, 3, 1, 0)
    with pytest.raises(CheckpointMismatchError) as error_info:
        from_cleanrl(wrong)
    for complaint in (
        'the state dict does not fit model "impala_cleanrl" with 15 actions',
        "network.6.weight is unexpected",
        "network.1.res_block0.conv1.bias is missing",
        "critic.weight has shape [2, 256] instead of [1, 256]",
        "network.0.conv.weight has shape [3, 3, 3, 16] instead of [16, 3, 3, 3]",
    ):
        assert complaint in str(error_info.value)


def test_a_state_dict_of_something_else_names_what_is_missing():
    with pytest.raises(CheckpointMismatchError) as error_info:
        from_cleanrl({"conv.weight": np.zeros((1, 1, 1, 1), np.float32)})
    for name in (*shapes(), "conv.weight is unexpected"):
        assert name in str(error_info.value)


def test_other_frames_are_named(state_dict):
    with pytest.raises(CheckpointMismatchError, match=r"\[256, 2048\] instead of \[256, 3872\]"):
        from_cleanrl(state_dict, observation_shape=(84, 84, 3))


def test_what_numpy_cannot_read_is_named(state_dict):
    class OnAnotherDevice:
        def __array__(self, dtype=None, copy=None):
            raise TypeError("can't convert cuda:0 device type tensor to numpy")

    with pytest.raises(CheckpointError, match=r"actor.bias cannot be read as an array: .* cuda:0"):
        from_cleanrl({**state_dict, "actor.bias": OnAnotherDevice()})
