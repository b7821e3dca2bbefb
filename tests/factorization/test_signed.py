import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.attribution import attribute
from rlvision_jax.factorization import NMF, fit_nmf, fit_signed, project_signed


def draw(*shape, seed=0):
    random = np.random.default_rng(seed)
    return (random.gamma(0.5, size=shape) * random.choice([-1, 1], shape)).astype(np.float32)


@pytest.fixture(scope="module")
def attributions(golden, golden_policy):
    """What the original factorized: the value's attributions to 2b, of all frames."""
    return attribute(*golden_policy, golden("frames.npz")["frames"], "2b", "value")


@pytest.fixture(scope="module")
def activations(golden, golden_policy):
    policy, params = golden_policy
    frames = golden("frames.npz")["frames"]
    return jax.jit(policy.activations, static_argnums=2)(params, frames, "2b").reshape(-1, 32)


def with_components(components):
    """A factorization with given components, as if fitted."""
    return NMF(
        components=jnp.asarray(components),
        reconstruction_error=jnp.float32(0),
        num_iterations=jnp.int32(1),
    )


def relative(ours, expected):
    return np.max(np.abs(np.asarray(ours) - expected)) / np.max(np.abs(expected))


@pytest.mark.parametrize("num_features", [4, 8])
def test_directions_equal_the_original(golden, attributions, num_features):
    expected = golden(f"nmf_attr_f{num_features}.npz")
    nmf = fit_signed(attributions, num_features)
    assert int(nmf.num_iterations) == expected["n_iter"]
    # scikit-learn starts from a randomized SVD: other seeds give directions up to 1e-4 away.
    assert relative(nmf.components, expected["channel_dirs"]) < 5e-4
    # scikit-learn's figure is a float32 sum over four million entries, 5e-5 below what float64
    # gives for its factors; ours is a sum of block sums.
    np.testing.assert_allclose(nmf.reconstruction_error, expected["reconstruction_err"], rtol=1e-4)


@pytest.mark.parametrize("num_features", [4, 8])
def test_directions_of_activations_equal_the_original(golden, activations, num_features):
    expected = golden(f"nmf_act_f{num_features}.npz")
    nmf = fit_nmf(activations, num_features)
    # Neither solver has converged after 200 iterations, so the differences of the randomized
    # SVD show: up to 7e-4 between seeds of scikit-learn.
    assert int(nmf.num_iterations) == expected["n_iter"] == 200
    assert relative(nmf.components, expected["channel_dirs"]) < 1e-3
    np.testing.assert_allclose(nmf.reconstruction_error, expected["reconstruction_err"], rtol=1e-4)


@pytest.mark.parametrize(
    ("kind", "num_features", "tolerance"),
    [
        # scikit-learn stops by the sum over all rows, ours when each row has converged.
        # Its distance from the exact solution, relative to the largest entry, is 2e-7, 5e-6,
        # 1e-4 and 1.2e-3 in these four cases.
        ("attr", 4, 1e-5),
        ("attr", 8, 5e-5),
        ("act", 4, 3e-4),
        ("act", 8, 3e-3),
    ],
)
def test_projection_equals_the_original(golden, kind, num_features, tolerance):
    expected = golden(f"nmf_{kind}_f{num_features}.npz")
    attribution = golden("attr_value_2b_steps10.npz")["attr"][:1]
    nmf = with_components(expected["channel_dirs"])
    np.testing.assert_allclose(nmf.norms, expected["nmf_norms"], rtol=1e-6)
    for sign, name in ((1, "transform_pos"), (-1, "transform_neg")):
        assert (
            relative(nmf.transform(np.maximum(sign * attribution, 0)), expected[name]) < tolerance
        )
    maps, residual = project_signed(nmf, attribution)
    assert relative(maps, expected["attr_trans_scaled"]) < tolerance
    assert relative(residual, expected["attr_residual"][..., 0]) < 3 * tolerance


def test_both_signs_find_the_same_features():
    attributions = draw(20, 5, 6, 8)
    nmf, mirrored = fit_signed(attributions, 3), fit_signed(-attributions, 3)
    # The same rows in another order: rounding only.
    np.testing.assert_allclose(nmf.components, mirrored.components, rtol=1e-3, atol=1e-5)


def test_positive_and_negative_parts_are_stacked():
    attributions = draw(50, 8)
    rows = np.concatenate([np.maximum(attributions, 0), np.maximum(-attributions, 0)])
    np.testing.assert_array_equal(
        fit_signed(attributions, 3).components, fit_nmf(rows, 3).components
    )


def test_features_and_residual_add_up_to_the_attribution():
    attributions = draw(3, 4, 5, 8)
    maps, residual = project_signed(fit_signed(attributions, 3), attributions)
    assert maps.shape == (3, 4, 5, 3)
    # Float32 sums of eleven numbers near 1.
    np.testing.assert_allclose(maps.sum(-1) + residual, attributions.sum(-1), atol=1e-5)


def test_a_feature_carries_what_lies_along_it():
    nmf = with_components(np.asarray([[1.0, 3.0, 0.0], [0.0, 0.0, 2.0]], np.float32))
    attributions = np.asarray([[1.0, 3.0, 0.0], [0.0, 0.0, -4.0], [-2.0, -6.0, 1.0]], np.float32)
    maps, residual = project_signed(nmf, attributions)
    np.testing.assert_allclose(maps, [[4.0, 0.0], [0.0, -4.0], [-8.0, 1.0]], atol=1e-5)
    np.testing.assert_allclose(residual, 0, atol=1e-5)


def test_projection_of_the_negative_is_the_negative():
    attributions = draw(6, 8)
    nmf = fit_signed(attributions, 3)
    for ours, mirrored in zip(
        project_signed(nmf, attributions), project_signed(nmf, -attributions), strict=True
    ):
        np.testing.assert_array_equal(ours, -mirrored)


def test_silent_attributions_are_an_error():
    with pytest.raises(ValueError, match=r"\[4, 8\] must not all be zero: no feature"):
        fit_signed(np.zeros((4, 8), np.float32), 3)


def test_attributions_that_are_not_finite_are_an_error():
    attributions = draw(4, 8)
    attributions[1, 2] = np.nan
    with pytest.raises(
        ValueError, match="matrix must be finite and at least 0; got entries from nan"
    ):
        fit_signed(attributions, 3)
