"""Policies that are not from this package: equal networks give equal explanations."""

import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import own_networks
import pytest

from rlvision_jax import checkpoint, envs, interface, models, training
from rlvision_jax.attribution import attribute, integrated_gradients
from rlvision_jax.editing import project_out, project_out_of_kernel
from rlvision_jax.factorization import fit_signed
from rlvision_jax.features import find_directions

LIBRARIES = tuple(own_networks.LIBRARIES)
LAYER = "conv2"
_AGENT = {"env": "procgen:coinrun", "env_options": {"distribution_mode": "easy"}}
# As many frames as steps: the attributions of both compile once.
_REPORT = interface.ReportConfig(
    layers=(LAYER,),
    num_features=2,
    num_trajectories=1,
    num_steps=8,
    num_frames=8,
    frame_interval=2,
    num_envs=2,
    num_examples=2,
    num_integration_steps=3,
)


@pytest.fixture(scope="module")
def on_two_devices(tmp_path_factory):
    """What `attribute_on_two_devices.py` computes."""
    path = tmp_path_factory.mktemp("devices") / "results.npz"
    script = pathlib.Path(own_networks.__file__).parent / "attribute_on_two_devices.py"
    done = subprocess.run(
        [sys.executable, script, path],
        env=os.environ
        | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
        | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(np.load(path))


@pytest.mark.parametrize("library", LIBRARIES)
def test_attribution_is_transformed_by_jax_whatever_the_library(on_two_devices, library):
    for name in ("values", "gradients"):
        expected, found = (on_two_devices[f"{which} {name}"] for which in ("plain", library))
        assert np.abs(expected).max() > 0
        # Float32 sums over a layer and 80 units, in another order where channels come first.
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())
    alone, among_others = on_two_devices[f"{library} alone"], on_two_devices[f"{library} values"][3]
    np.testing.assert_allclose(alone, among_others, atol=1e-5 * np.abs(alone).max())


@pytest.fixture(scope="module")
def weights():
    return own_networks.draw_weights()


@pytest.fixture(scope="module")
def own(weights):
    """What a user of each library brings."""
    return {library: make(weights) for library, make in own_networks.LIBRARIES.items()}


@pytest.fixture(scope="module")
def policies(own):
    return {
        library: models.from_functions(
            brought.layers,
            brought.heads,
            num_actions=own_networks.NUM_ACTIONS,
            observation_shape=(64, 64, 3),
            preprocess=own_networks.preprocess,
            name=f"my {library} agent",
        )
        for library, brought in own.items()
    }


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), np.uint8)


@pytest.fixture(scope="module")
def reports(own, policies):
    return {
        library: interface.build_report(
            policy, own[library].params, _AGENT, _REPORT, title="my agent"
        )
        for library, policy in policies.items()
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_chain_is_the_network_itself(own, policies, frames, library):
    params, forward = own[library].params, own[library].forward
    expected = jax.jit(forward)(params, frames[:3])
    models.check_policy(policies[library], params, frames[:3], expected=expected)
    other = expected[0], expected[1] + 0.1
    with pytest.raises(ValueError, match=r"value: apply\(x\) must equal your network's outputs"):
        models.check_policy(policies[library], params, frames[:3], expected=other)


def test_attributions_equal_integrated_gradients_of_a_bare_function(own, policies, weights, frames):
    def value(activation):
        x = own_networks.plain_layer(weights, "conv3", activation[None])
        return own_networks.plain_heads(weights, x)[1][0]

    def one_frame(activation):
        baseline = jnp.zeros_like(activation)
        return integrated_gradients(value, activation, baseline, num_steps=3)

    @jax.jit
    def all_frames(frames):
        x = own_networks.preprocess(frames)
        for name in ("conv1", LAYER):
            x = own_networks.plain_layer(weights, name, x)
        return jax.vmap(one_frame)(x)

    expected = all_frames(frames)
    nmf = fit_signed(expected, 2)
    for library, policy in policies.items():
        params = own[library].params
        found = attribute(policy, params, frames, LAYER, "value", num_steps=3)
        # Float32 sums over a layer and 80 units, in another order where channels come first.
        largest = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=1e-5 * largest, err_msg=library)
        directions = find_directions(
            policy, params, frames, LAYER, num_features=2, num_steps=3
        ).nmf.components
        # The factorization's stopping rule lets such differences grow.
        largest = np.abs(nmf.components).max()
        np.testing.assert_allclose(directions, nmf.components, atol=1e-3 * largest, err_msg=library)


def test_reports_hold_equal_data(reports):
    first, *others = (reports[library] for library in LIBRARIES)
    trajectory = first.trajectories[0]
    for other in others:
        theirs = other.trajectories[0]
        np.testing.assert_array_equal(theirs.observations, trajectory.observations)
        np.testing.assert_array_equal(theirs.actions, trajectory.actions)
        # Float32 rounding in another order, as above; outputs and advantages are near 1.
        for name in ("values", "policy_logits", "advantages"):
            np.testing.assert_allclose(
                getattr(theirs, name), getattr(trajectory, name), atol=1e-5, err_msg=name
            )
        ours = trajectory.attributions[0]
        largest = np.abs(ours.maps).max()
        np.testing.assert_allclose(theirs.attributions[0].maps, ours.maps, atol=1e-3 * largest)
        for mine, feature in zip(other.layers[0].features, first.layers[0].features, strict=True):
            np.testing.assert_allclose(mine.direction, feature.direction, atol=1e-3)
            np.testing.assert_array_equal(mine.thumbnails, feature.thumbnails)


def test_a_report_is_written_and_says_whose_policy_it_explains(own, policies, reports, tmp_path):
    interface.write_report(reports["nnx"], tmp_path / "report")
    report = interface.read_report(tmp_path / "report")
    interface.validate(report)
    assert report.provenance["policy"] == {
        "name": "my nnx agent",
        "num_actions": 15,
        "observation_shape": [64, 64, 3],
        "layer_names": ["conv1", "conv2", "conv3"],
        "source": "models.from_functions",
    }
    assert report.provenance["parameters"] == checkpoint.fingerprint(own["nnx"].params)
    np.testing.assert_array_equal(
        report.trajectories[0].observations, reports["nnx"].trajectories[0].observations
    )


def test_own_policy_is_evaluated(own, policies):
    env = envs.make_host("procgen:bossfight", num_envs=2, distribution_mode="easy")
    try:
        evaluation = training.evaluate(
            policies["linen"], own["linen"].params, env, jax.random.key(0), 2
        )
    finally:
        env.close()
    assert evaluation.num_levels == 2
    assert evaluation.mean_length > 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_fingerprint_names_the_parameters_of_every_library(own, library):
    params = own[library].params
    moved = jax.tree.map(lambda leaf: np.asarray(leaf) + 1, params)
    same = jax.tree.map(np.array, params)
    assert checkpoint.fingerprint(same) == checkpoint.fingerprint(params)
    assert checkpoint.fingerprint(moved) != checkpoint.fingerprint(params)


def test_fingerprint_takes_random_keys_scalars_and_bfloat16():
    params = {
        "key": jax.random.key(1),
        "scale": np.float32(2),
        "rounded": jnp.ones(3, jnp.bfloat16),
    }
    fingerprint = checkpoint.fingerprint(params)
    assert fingerprint == checkpoint.fingerprint(params)
    assert fingerprint != checkpoint.fingerprint(params | {"key": jax.random.key(2)})


def test_fingerprint_of_what_is_no_array_is_refused():
    with pytest.raises(ValueError, match=r'must be a pytree of arrays.*got function as "a/f"'):
        checkpoint.fingerprint({"a": {"f": lambda x: x}})


def test_saving_tells_what_to_do_instead(own, policies, tmp_path):
    with pytest.raises(
        checkpoint.CheckpointError, match=r'"my equinox agent", a FunctionPolicy.*Orbax'
    ):
        checkpoint.save(tmp_path / "agent", policies["equinox"], own["equinox"].params, {})
    assert not (tmp_path / "agent").exists()


def test_editing_tells_what_to_do_instead(own, policies):
    with pytest.raises(ValueError, match=r'project_out_of_kernel.*that reads "conv2"'):
        project_out(policies["nnx"], own["nnx"].params, LAYER, np.ones(6))


def test_kernels_of_every_layout_lose_the_same_direction(weights):
    direction = np.random.default_rng(2).normal(size=6)
    kernel = weights["conv3"][0]
    flax = project_out_of_kernel(kernel, direction)
    equinox = project_out_of_kernel(kernel.transpose(3, 2, 0, 1), direction, channel_axis=1)
    # Equal arithmetic in float64, rounded once.
    np.testing.assert_allclose(equinox, np.transpose(flax, (3, 2, 0, 1)), atol=1e-7)

    direction = np.random.default_rng(3).normal(size=own_networks.LAST[-1])
    dense = weights["value"][0]
    height, width, channels = own_networks.LAST
    positions = height * width
    flax = project_out_of_kernel(dense, direction)
    first = dense.reshape(positions, channels, 1).transpose(2, 1, 0)  # output, channel, position
    equinox = project_out_of_kernel(first, direction, channel_axis=1)
    np.testing.assert_allclose(
        np.transpose(equinox, (2, 1, 0)).reshape(dense.shape), flax, atol=1e-7
    )


def test_edited_own_policy_does_not_see_the_direction(own, policies):
    direction = np.random.default_rng(2).normal(size=6).astype(np.float32)
    params = own["equinox"].params
    edited = jax.tree.map(
        # The kernel of the third convolution: 5 outputs from 6 channels.
        lambda leaf: (
            project_out_of_kernel(leaf, direction, channel_axis=1)
            if leaf.shape == (5, 6, 3, 3)
            else leaf
        ),
        params,
    )
    activation = jnp.ones((1, 8, 8, 6))
    moved = activation + jnp.broadcast_to(direction, activation.shape)
    policy = policies["equinox"]
    value = jax.jit(lambda params, x: policy.head(params, x, LAYER)[1])
    before, after = value(edited, activation), value(edited, moved)
    unedited = value(params, activation), value(params, moved)
    # Float32 sums over 54 inputs and 80 units; the padding at the edge sees zeros either way.
    np.testing.assert_allclose(before, after, atol=1e-5)
    assert np.abs(np.subtract(*unedited)) > 1e-2
