"""Factorizations against those of the original code (see tests/golden/README.md)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.attribution import attribute
from rlvision_jax.factorization import NMF, fit_nmf, fit_signed, project_signed
from rlvision_jax.factorization.nmf_init import (
    DoubleSVD,
    nndsvd,
    part_squares,
    right_vectors,
)


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


@pytest.mark.parametrize(
    ("kind", "num_features", "tolerance"),
    [
        # scikit-learn's transform against the exact solution: 8e-7 and 1e-5 of the largest entry.
        ("attr", 4, 1e-5),
        ("attr", 8, 5e-5),
        # The W of a fit stopped after 200 iterations, before it converged: 4e-4 and 1.2e-2.
        ("act", 4, 1e-3),
        ("act", 8, 2e-2),
    ],
)
def test_features_of_a_frame_equal_the_original(golden, activations, kind, num_features, tolerance):
    expected = golden(f"nmf_{kind}_f{num_features}.npz")
    nmf = with_components(expected["channel_dirs"])
    reduced = nmf.transform(activations[:1024].reshape(1, 32, 32, 32))
    assert relative(reduced, expected["acts_reduced"]) < tolerance
    # A product of eight numbers in float32.
    restored = nmf.inverse_transform(expected["transform_pos"])
    assert relative(restored, expected["inverse_transform"]) < 1e-5
    maps, _ = project_signed(nmf, golden("attr_value_2b_steps10.npz")["attr"][:1])
    unscaled = np.asarray(maps) / np.asarray(nmf.norms)
    # As in `test_projection_equals_the_original`, for the least converged of its cases.
    assert relative(unscaled, expected["attr_trans"]) < 3e-3


@pytest.mark.parametrize("kind", ["attr", "act"])
@pytest.mark.parametrize("num_features", [4, 8])
def test_later_scikit_learn_gives_the_same(golden, attributions, activations, kind, num_features):
    expected = golden("nmf_sklearn102.npz")
    directions = expected[f"{kind}_f{num_features}_channel_dirs"]
    # The same calls as above, so nothing is compiled again; the same tolerances.
    if kind == "attr":
        nmf, tolerance = fit_signed(attributions, num_features), 5e-4
    else:
        nmf, tolerance = fit_nmf(activations, num_features), 1e-3
    assert relative(nmf.components, directions) < tolerance
    positive = np.maximum(golden("attr_value_2b_steps10.npz")["attr"][:1], 0)
    transformed = with_components(directions).transform(positive)
    assert relative(transformed, expected[f"{kind}_f{num_features}_transform_pos"]) < 3e-3


@pytest.mark.parametrize("kind", ["attr", "act"])
def test_the_start_equals_the_original(golden, attributions, activations, kind):
    if kind == "attr":
        rows = jnp.asarray(attributions).reshape(-1, 32)
        rows = jnp.concatenate([jnp.maximum(rows, 0), jnp.maximum(-rows, 0)])
    else:
        rows = activations
    right = right_vectors(rows.T @ rows, 8)
    _, h = nndsvd(DoubleSVD(right, part_squares(right, rows)), rows)
    # The original's singular vectors come from a randomized SVD: 2e-3 off in the worst case.
    assert relative(h, golden(f"nmf_{kind}_f8.npz")["H_init"]) < 5e-3
