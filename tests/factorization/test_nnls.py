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


def nearly_parallel():
    """Rows, and directions two of which lie within 2 degrees of each other."""
    rows, components = problem(600, 4, 9)
    return rows, np.concatenate([components, components[:1] * 1.02 + 0.01]).astype(np.float32)


@pytest.mark.parametrize("lengths", [1, 2.0 ** np.arange(-20, 30, 10)])
def test_nearly_parallel_components_are_told_apart(lengths):
    rows, components = nearly_parallel()
    unit = components / np.linalg.norm(components, axis=1, keepdims=True)
    assert 0 < np.degrees(np.arccos(unit[0] @ unit[-1])) < 2
    exact = np.stack([nnls(components.T.astype(float), row.astype(float))[0] for row in rows])
    lengths = np.broadcast_to(np.float32(lengths), 5)
    scaled = jnp.asarray(components * lengths[:, None])
    for w in (solve_rows(jnp.asarray(rows), scaled), solve_block(jnp.asarray(rows), scaled)[0].T):
        # A projected gradient of 1e-5, over the curvature between the two, 1e-3.
        np.testing.assert_allclose(np.asarray(w) * lengths, exact, atol=5e-3 * exact.max())


def test_sums_of_a_block_are_those_of_its_exact_solution():
    rows, components = nearly_parallel()
    exact = np.stack([nnls(components.T.astype(float), row.astype(float))[0] for row in rows])
    _, statistics = solve_block(jnp.asarray(rows), jnp.asarray(components))
    squares = np.sum((rows - exact @ components) ** 2)
    np.testing.assert_allclose(statistics.squares, squares, rtol=1e-6)
    np.testing.assert_allclose(statistics.products, exact.T @ rows, rtol=2e-3, atol=1e-2)


def test_pivoted_rows_do_not_influence_each_other():
    rows, components = (jnp.asarray(x) for x in nearly_parallel())
    together = solve_rows(rows, components)
    # Others before them, or none that needs pivoting: other chunks, other places in them.
    later = solve_rows(jnp.concatenate([rows[300:], rows[:300]]), components)
    np.testing.assert_array_equal(later[:300], together[300:])
    alone = solve_rows(jnp.where(jnp.arange(600)[:, None] < 300, 0, rows), components)
    np.testing.assert_array_equal(alone[300:], together[300:])
