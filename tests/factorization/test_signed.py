import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.factorization import NMF, fit_nmf, fit_signed, project_signed


def draw(*shape, seed=0):
    random = np.random.default_rng(seed)
    return (random.gamma(0.5, size=shape) * random.choice([-1, 1], shape)).astype(np.float32)


def with_components(components):
    """A factorization with given components, as if fitted."""
    return NMF(
        components=jnp.asarray(components),
        reconstruction_error=jnp.float32(0),
        num_iterations=jnp.int32(1),
    )


def test_both_signs_find_the_same_features():
    attributions = draw(20, 5, 6, 8)
    nmf, mirrored = fit_signed(attributions, 3), fit_signed(-attributions, 3)
    # The same rows in another order: rounding only.
    np.testing.assert_allclose(nmf.components, mirrored.components, rtol=1e-3, atol=1e-5)


def test_positive_and_negative_parts_are_stacked():
    attributions = draw(50, 8)
    rows = np.concatenate([np.maximum(attributions, 0), np.maximum(-attributions, 0)])
    # Blocks hold other rows: sums in another grouping.
    np.testing.assert_allclose(
        fit_signed(attributions, 3).components, fit_nmf(rows, 3).components, rtol=1e-3, atol=1e-5
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
        ValueError, match="attributions must be finite; got entries from nan to nan"
    ):
        fit_signed(attributions, 3)
