import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.attribution import integrated_gradients, multi_path, score_function
from rlvision_jax.attribution.multi_path import early_halves

COMPONENTS = jnp.asarray([[1.0, 0.5, 0.0], [0.0, 1.0, 1.0], [1.0, 0.0, 2.0], [0.2, 0.0, 0.1]])
ACTIVATION = jnp.asarray(np.random.default_rng(0).uniform(0, 2, (2, 3, 3)), jnp.float32)


def cubes(a):
    return jnp.sum(a**3) + jnp.prod(jnp.sum(a, (0, 1)))


def by_the_definition(score, activation, components, splits, num_steps):
    """The original's loops, in float64 for the path and with our transform."""
    from rlvision_jax.factorization import NMF

    nmf = NMF(
        components=components,
        reconstruction_error=jnp.zeros(()),
        num_iterations=jnp.zeros((), int),
    )
    reduced = np.asarray(nmf.transform(activation), np.float64)
    matrix = np.asarray(components, np.float64)
    residual = np.asarray(activation, np.float64) - reduced @ matrix
    attributions = []
    for split in splits:
        late = np.isin(np.arange(len(components)), split)
        before, total = 0.0, 0.0
        for alpha in np.linspace(0, 1, num_steps + 1)[1:]:
            coordinates = np.where(late, alpha**2, 1 - (1 - alpha) ** 2)
            point = (reduced * coordinates) @ matrix + residual * alpha
            gradient = np.asarray(jax.grad(score)(jnp.asarray(point, jnp.float32)))
            total, before = total + (point - before) * gradient, point
        attributions.append(total)
    return np.mean(attributions, 0)


@pytest.mark.parametrize(
    ("num_features", "splits"),
    [(2, [(0,), (1,)]), (3, [(0,), (1, 2), (1,), (0, 2), (2,), (0, 1)])],
)
def test_equals_the_definition(num_features, splits):
    components = COMPONENTS[:num_features]
    ours = jax.jit(lambda a: multi_path(cubes, a, components, num_steps=4))(ACTIVATION)
    expected = by_the_definition(cubes, ACTIVATION, components, splits, 4)
    # Points in float32 rather than float64.
    np.testing.assert_allclose(ours, expected, rtol=2e-4, atol=1e-4 * np.abs(expected).max())


def test_the_paths_of_an_even_number_of_features_begin_with_those_that_leave_the_first_late():
    early = np.asarray(early_halves(4, None, None))
    late = [tuple(np.flatnonzero(~row)) for row in early]
    assert late == [(0, 1), (2, 3), (0, 2), (1, 3), (0, 3), (1, 2)]


@pytest.mark.parametrize(
    ("name", "array", "layer", "tolerance"),
    [
        # Float32 sums in another order; 1.0e-5 was measured.
        ("multipath_f4", "attr_attrnmf", "2b", 5e-5),
        # scikit-learn's transform stops near the solution that ours finds, so that the
        # paths differ; 2.4e-3 was measured.
        ("multipath_4a_f3", "attr", "4a", 5e-3),
    ],
)
def test_equals_the_original(golden, golden_policy, name, array, layer, tolerance):
    files = golden(f"{name}.npz")
    components = (files if layer == "4a" else golden("nmf_attr_f4.npz"))["channel_dirs"]
    policy, params = golden_policy
    activation = policy.activations(params, golden("frames.npz")["frames"][:1], layer)[0]
    score = score_function(policy, params, layer, "value")
    ours = jax.jit(lambda a: multi_path(score, a, components, num_steps=10))(activation)
    expected = files[array][0]
    assert np.abs(ours - expected).max() < tolerance * np.abs(expected).max()
    assert np.linalg.norm(ours - expected) < tolerance * np.linalg.norm(expected)


def test_many_steps_are_complete():
    attribution = multi_path(cubes, ACTIVATION, COMPONENTS, num_steps=400, unroll=False)
    difference = float(cubes(ACTIVATION) - cubes(jnp.zeros_like(ACTIVATION)))
    # Right ends of 400 steps: an error of the order of 1/400.
    assert abs(float(jnp.sum(attribution)) - difference) < 0.01 * abs(difference)


def test_a_linear_score_is_attributed_as_on_the_straight_line():
    weights = jnp.asarray(np.random.default_rng(1).normal(size=ACTIVATION.shape), jnp.float32)

    def score(a):
        return jnp.sum(weights * a)

    ours = multi_path(score, ACTIVATION, COMPONENTS, num_steps=3)
    straight = integrated_gradients(score, ACTIVATION, jnp.zeros_like(ACTIVATION), num_steps=3)
    # What the features leave is a difference: rounding of the parts.
    np.testing.assert_allclose(ours, straight, atol=1e-5)


def test_drawn_paths_are_some_of_all_paths():
    every = {tuple(row) for row in np.asarray(early_halves(6, None, None)).tolist()}
    assert len(every) == 20
    drawn = np.asarray(early_halves(6, 7, jax.random.key(0)))
    assert drawn.shape == (7, 6)
    rows = [tuple(row) for row in drawn.tolist()]
    assert len(set(rows)) == 7
    assert set(rows) <= every
    # Pairs of complements, but for the odd one.
    np.testing.assert_array_equal(drawn[0:6:2], ~drawn[1:6:2])
    assert not np.array_equal(drawn, early_halves(6, 7, jax.random.key(1)))
    assert len(early_halves(6, 100, jax.random.key(0))) == 20


def test_halves_of_many_features_are_drawn_without_listing_them():
    drawn = np.asarray(early_halves(32, 5, jax.random.key(0)))
    assert drawn.shape == (5, 32)
    np.testing.assert_array_equal(drawn.sum(1), 16)


def test_works_under_jit_vmap_and_grad():
    def attribute(a, key):
        return multi_path(cubes, a, COMPONENTS, num_steps=2, max_paths=3, key=key)

    frames = jnp.stack([ACTIVATION, 2 * ACTIVATION])
    keys = jax.random.split(jax.random.key(0), 2)
    together = jax.jit(jax.vmap(attribute))(frames, keys)
    alone = jax.jit(attribute)
    for row, frame, key in zip(together, frames, keys, strict=True):
        # The same sums, blocked otherwise: rounding only.
        np.testing.assert_allclose(row, alone(frame, key), rtol=1e-4, atol=1e-4)
    gradient = jax.jit(jax.grad(lambda a: jnp.sum(attribute(a, keys[0]))))(ACTIVATION)
    assert np.isfinite(gradient).all()
    assert (gradient != 0).any()


@pytest.mark.usefixtures("as_in_production")
def test_bad_arguments_are_errors():
    key = jax.random.key(0)
    for message, options in {
        "num_steps must be an integer of at least 1; got 0": {"num_steps": 0},
        "max_paths must be an integer of at least 1; got 0": {"max_paths": 0, "key": key},
        "max_paths and key go together.*got max_paths = 3 and no key": {"max_paths": 3},
        "max_paths and key go together.*got max_paths = None and a key": {"key": key},
        "number of features must be an integer of at least 2; got 1": {"components": jnp.eye(1)},
        "24 features have 2704156 paths.*max_paths and key": {"components": jnp.ones((24, 3))},
    }.items():
        arguments = {"components": COMPONENTS, "num_steps": 2, **options}
        with pytest.raises(ValueError, match=message):
            multi_path(cubes, ACTIVATION, arguments.pop("components"), **arguments)
    with pytest.raises(ValueError, match=r"one number, of shape \[\]; got \[3\]"):
        multi_path(lambda a: a[0, 0], ACTIVATION, COMPONENTS, num_steps=1)
