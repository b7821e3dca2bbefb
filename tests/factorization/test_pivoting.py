import jax
import numpy as np
import pytest
from scipy.optimize import nnls

from rlvision_jax.factorization.pivoting import pivot_row


def unit(directions):
    return directions / np.linalg.norm(directions, axis=1, keepdims=True)


def problem(kind, num_features=32, num_channels=32, num_rows=100):
    """Rows that the directions explain up to some noise, and the directions."""
    random = np.random.default_rng(0)
    directions = unit(random.gamma(0.5, size=(num_features, num_channels)))
    if kind == "two within a degree":
        across = random.uniform(size=num_channels) * (directions[0] > 0.1)
        across = unit((across - (across @ directions[0]) * directions[0])[None])[0]
        directions[1] = np.maximum(directions[0] + np.radians(1) * across, 0)
    if kind == "half in a bundle":
        directions[1::2] = directions[:1] + 0.03 * directions[1::2]
    if kind == "every other repeated":
        directions[1::2] = directions[::2]
    directions = unit(directions)
    w = random.gamma(1, size=(num_rows, num_features))
    w *= random.uniform(size=w.shape) < 0.4
    rows = w @ directions + 0.1 * random.normal(size=(num_rows, num_channels))
    return rows.astype(np.float32), directions.astype(np.float32)


def solve(rows, directions):
    return np.asarray(jax.jit(jax.vmap(pivot_row, (0, None)))(rows, directions), float)


def exact(rows, directions):
    return np.stack([nnls(directions.T.astype(float), row.astype(float))[0] for row in rows])


@pytest.mark.parametrize("num_features", [1, 4, 32])
def test_equals_the_exact_solution(num_features):
    rows, directions = problem("unlike", num_features)
    # Float32, and a condition number of up to 200.
    np.testing.assert_allclose(solve(rows, directions), exact(rows, directions), atol=3e-6)


@pytest.mark.parametrize(
    "kind", ["two within a degree", "half in a bundle", "every other repeated"]
)
def test_what_is_explained_is_exact_however_alike_directions_are(kind):
    rows, directions = problem(kind)
    ours, theirs = (
        each @ directions for each in (solve(rows, directions), exact(rows, directions))
    )
    # Condition numbers of up to 5,000 on float32, of rows of length 5: which of two features that
    # are nearly the same is used can differ, not what they leave.
    np.testing.assert_allclose(ours, theirs, atol=2e-3)
    left, least = (np.sum((rows - each) ** 2, 1) for each in (ours, theirs))
    assert (left <= least * (1 + 1e-5)).all()


@pytest.mark.parametrize("kind", ["unlike", "two within a degree", "half in a bundle"])
def test_optimality_conditions_hold(kind):
    rows, directions = problem(kind)
    w = solve(rows, directions)
    gradient = (w @ directions - rows) @ directions.T
    violation = np.where(w > 0, np.abs(gradient), np.maximum(-gradient, 0)).sum(1)
    # Coordinate descent stops at 1e-5 of the same.
    assert (violation < 1e-6 * np.maximum(rows @ directions.T, 0).sum(1)).all()


def test_silent_directions_and_rows_have_no_activation():
    rows, directions = problem("unlike", 4)
    directions[1], rows[0] = 0, 0
    w = solve(np.concatenate([rows, -rows[:1] - directions[:1]]), directions)
    np.testing.assert_array_equal(w[:, 1], 0)
    np.testing.assert_array_equal(w[[0, -1]], 0)
