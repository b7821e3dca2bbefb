import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.editing import project_out, scale_direction

# Where each kernel reads its layer: behind a convolution, inside a stack, behind the flattening.
PLACES = [("clear", "2b"), ("clear", "4a"), ("impala", "stack1"), ("nature", "conv3")]


@pytest.fixture(scope="module")
def make_policy():
    def make(name):
        policy = models.make(name, num_actions=3, observation_shape=(48, 48, 3))
        return policy, policy.init(jax.random.key(0))

    return make


def direction(num_channels):
    return np.random.default_rng(0).normal(size=num_channels)


@pytest.mark.parametrize("direction", ["rand", "nmf"])
def test_equals_the_original(golden, golden_policy, direction):
    policy, params = golden_policy
    expected = golden("projection_edit.npz")
    edited = project_out(policy, params, "2b", expected[f"{direction}_v"])
    if direction == "rand":
        # Computed in float64 by both and rounded to float32 once.
        np.testing.assert_allclose(
            edited["params"]["3a"]["kernel"], expected["rand_kernel"], rtol=1e-6, atol=1e-8
        )
    logits, values = jax.jit(policy.apply)(edited, golden("frames.npz")["frames"])
    # Float32 sums through seven layers; outputs near 1.
    np.testing.assert_allclose(logits, expected[f"{direction}_logits"], atol=2e-5)
    np.testing.assert_allclose(values, expected[f"{direction}_values"], atol=2e-5)


@pytest.mark.parametrize(("name", "layer"), PLACES)
def test_nothing_behind_the_layer_sees_the_direction(make_policy, name, layer):
    policy, params = make_policy(name)
    num_channels = policy.layer_shape(layer)[-1]
    v = direction(num_channels)
    module = project_out(policy, params, layer, v)["params"]
    for key in policy.network.consumer(layer):
        module = module[key]
    rows = np.asarray(module["kernel"]).reshape(-1, num_channels, module["kernel"].shape[-1])
    # Float32 rounding of a kernel of norm near 1.
    np.testing.assert_allclose(np.einsum("c,rco->ro", v, rows), 0, atol=1e-6 * np.linalg.norm(v))


def test_moving_along_the_direction_changes_nothing(make_policy):
    policy, params = make_policy("nature")
    v = direction(64).astype(np.float32)
    activation = jnp.asarray(
        np.random.default_rng(1).uniform(size=(2, *policy.layer_shape("conv3")))
    )
    moved = activation + 3 * jnp.broadcast_to(v, activation.shape)
    edited = project_out(policy, params, "conv3", v)
    before, after = (policy.head(edited, x, "conv3") for x in (activation, moved))
    unedited = policy.head(params, activation, "conv3"), policy.head(params, moved, "conv3")
    for index in (0, 1):
        # Differences of float32 sums over 64 channels and more.
        np.testing.assert_allclose(before[index], after[index], atol=1e-4)
        assert np.abs(unedited[0][index] - unedited[1][index]).max() > 1e-3


@pytest.mark.parametrize("factor", [2.0, -1.0, 0.5])
def test_scaling_is_stretching_the_layer_along_the_direction(make_policy, factor):
    policy, params = make_policy("nature")
    v = direction(64) / np.linalg.norm(direction(64))
    activation = np.random.default_rng(1).uniform(size=(2, *policy.layer_shape("conv3")))
    stretched = activation + (factor - 1) * (activation @ v)[..., None] * v
    scaled = scale_direction(policy, params, "conv3", v, factor)
    ours = policy.head(scaled, jnp.asarray(activation, jnp.float32), "conv3")
    expected = policy.head(params, jnp.asarray(stretched, jnp.float32), "conv3")
    for index in (0, 1):
        # Differences of float32 sums over 64 channels and more.
        np.testing.assert_allclose(ours[index], expected[index], atol=1e-4)


def test_scaling_twice_is_scaling_by_the_product(make_policy):
    policy, params = make_policy("nature")
    v = direction(64)
    twice = scale_direction(policy, params, "conv3", v, 3.0)
    back = scale_direction(policy, twice, "conv3", v, 1 / 3)
    for ours, expected in zip(jax.tree.leaves(back), jax.tree.leaves(params), strict=True):
        # Two roundings to float32 of entries below 1.
        np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize(("name", "layer"), PLACES)
def test_once_is_enough_and_length_does_not_matter(make_policy, name, layer):
    policy, params = make_policy(name)
    v = direction(policy.layer_shape(layer)[-1])
    once = project_out(policy, params, layer, v)
    for other in (
        project_out(policy, once, layer, v),
        project_out(policy, params, layer, -1e-3 * v),
    ):
        for ours, expected in zip(jax.tree.leaves(other), jax.tree.leaves(once), strict=True):
            # One more rounding to float32.
            np.testing.assert_allclose(ours, expected, atol=1e-7)


def test_only_one_kernel_changes_and_the_old_parameters_stay(make_policy):
    policy, params = make_policy("impala")
    copies = jax.tree.map(np.array, params)
    edited = project_out(policy, params, "stack2", direction(32))
    jax.tree.map(np.testing.assert_array_equal, params, copies)
    changed = [
        jax.tree_util.keystr(path, simple=True, separator="/")
        for (path, old), new in zip(
            jax.tree.leaves_with_path(params), jax.tree.leaves(edited), strict=True
        )
        if old is not new
    ]
    assert changed == ["params/stack3/conv/kernel"]
    kernel = edited["params"]["stack3"]["conv"]["kernel"]
    assert kernel.dtype == params["params"]["stack3"]["conv"]["kernel"].dtype


@pytest.mark.parametrize(
    ("v", "message"),
    [
        (np.zeros(64), "finite and not zero; got one of norm 0.0"),
        (np.full(64, np.nan), "finite and not zero; got one of norm nan"),
        (np.full(64, np.inf), "finite and not zero; got one of norm inf"),
        (np.ones(32), r'the 64 channels of layer "conv3"; got shape \[32\]'),
        (np.ones((1, 64)), r'the 64 channels of layer "conv3"; got shape \[1, 64\]'),
    ],
)
@pytest.mark.usefixtures("as_in_production")
def test_a_direction_that_is_none_is_an_error(make_policy, v, message):
    policy, params = make_policy("nature")
    with pytest.raises(ValueError, match=message):
        project_out(policy, params, "conv3", v)


def test_a_factor_that_is_no_number_is_an_error(make_policy):
    policy, params = make_policy("nature")
    with pytest.raises(ValueError, match="factor must be finite; got nan"):
        scale_direction(policy, params, "conv3", np.ones(64), float("nan"))


def test_an_unknown_layer_is_an_error(make_policy):
    policy, params = make_policy("nature")
    with pytest.raises(ValueError, match='unknown layer "2b"; model "nature" has "conv1"'):
        project_out(policy, params, "2b", np.ones(32))
