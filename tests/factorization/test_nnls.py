import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import nnls

from rlvision_jax.factorization.nnls import descend, solve_block, solve_rows


def problem(num_rows, num_features, num_channels, seed=0):
    random = np.random.default_rng(seed)
    components = random.gamma(0.5, size=(num_features, num_channels)).astype(np.float32)
    return random.normal(0.3, 1, (num_rows, num_channels)).astype(np.float32), components


@pytest.mark.parametrize(("num_features", "num_channels"), [(1, 3), (4, 9), (8, 32), (5, 5)])
def test_equals_the_exact_solution(num_features, num_channels):
    rows, components = problem(60, num_features, num_channels)
    ours = solve_rows(jnp.asarray(rows), jnp.asarray(components))
    exact = np.stack([nnls(components.T.astype(float), row.astype(float))[0] for row in rows])
    # Rows stop at a projected gradient of 1e-5 of the first; the curvature of the worst-conditioned
    # of these problems magnifies that in the solution.
    np.testing.assert_allclose(ours, exact, atol=1e-3 * exact.max())
    assert (ours >= 0).all()


def test_rows_do_not_influence_each_other():
    rows, components = problem(40, 6, 10)
    together = solve_rows(jnp.asarray(rows), jnp.asarray(components))
    slow = jnp.concatenate([jnp.asarray(rows[:3]), 100 * jnp.asarray(rows[3:])])
    apart = solve_rows(slow, jnp.asarray(components))
    np.testing.assert_array_equal(together[:3], apart[:3])


def test_a_planted_combination_is_recovered():
    _, components = problem(1, 4, 12)
    planted = np.asarray([[2.0, 0.0, 1.0, 0.5]], np.float32)
    found = solve_rows(jnp.asarray(planted @ components), jnp.asarray(components))
    np.testing.assert_allclose(found, planted, atol=1e-4)


def test_a_silent_component_is_not_used():
    rows, components = problem(10, 3, 8)
    components[1] = 0
    found = solve_rows(jnp.asarray(rows), jnp.asarray(components))
    np.testing.assert_array_equal(found[:, 1], 0)
    assert np.isfinite(found).all()


def test_a_sweep_never_raises_the_distance_and_ends_without_violation():
    rows, components = (jnp.asarray(x) for x in problem(30, 5, 9))
    gram, projections = components @ components.T, components @ rows.T
    w = jnp.ones((5, 30))

    def distance(w):
        return np.sum((np.asarray(rows, float) - np.asarray(w, float).T @ components) ** 2, 1)

    first = None
    for _ in range(200):
        new, violation = descend(w, projections, gram)
        first = violation if first is None else first
        # Equal up to float32 rounding of the step.
        assert (distance(new) <= distance(w) * (1 + 1e-5)).all()
        w = new
    assert (violation < 1e-4 * first).all()


def test_nearly_parallel_components_do_not_change_what_a_block_leaves():
    rows, components = problem(200, 4, 9)
    components = np.concatenate([components, components[:1] * 1.001 + 1e-4])
    w, statistics = solve_block(jnp.asarray(rows), jnp.asarray(components))
    exact = np.stack([nnls(components.T.astype(float), row.astype(float))[0] for row in rows])
    # The two may share what they explain differently; what is explained is the same.
    assert np.abs(np.asarray(w.T) - exact).max() > 1e-2
    left, left_exactly = (rows - each @ components for each in (np.asarray(w.T, float), exact))
    np.testing.assert_allclose(left, left_exactly, atol=1e-2)
    np.testing.assert_allclose(statistics.squares, (left_exactly**2).sum(), rtol=1e-5)
