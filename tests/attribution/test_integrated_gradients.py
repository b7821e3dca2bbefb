import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.attribution import RULES, integrated_gradients, path_gradient

ACTIVATION = jnp.asarray([[[1.0, -2.0], [0.5, 3.0]]])
BASELINE = jnp.asarray([[[0.0, 1.0], [-1.0, 2.0]]])


def squares(x):
    return jnp.sum(x**2)


@pytest.mark.parametrize("rule", RULES)
def test_a_linear_score_is_attributed_by_its_weights(rule):
    weights = jnp.asarray([[[3.0, -1.0], [2.0, 0.5]]])
    attribution = integrated_gradients(
        lambda x: jnp.sum(weights * x), ACTIVATION, BASELINE, num_steps=1, rule=rule
    )
    np.testing.assert_allclose(attribution, weights * (ACTIVATION - BASELINE), rtol=1e-6)


@pytest.mark.parametrize("num_steps", [1, 4, 10])
def test_the_right_rule_overshoots_squares_by_one_step(num_steps):
    attribution = integrated_gradients(
        squares, ACTIVATION, jnp.zeros_like(ACTIVATION), num_steps=num_steps
    )
    # The mean of the nodes is (n + 1) / 2n rather than 1/2. Float32 sum of at most 10 terms.
    expected = ACTIVATION**2 * (num_steps + 1) / num_steps
    np.testing.assert_allclose(attribution, expected, rtol=1e-5)


@pytest.mark.parametrize("rule", ["midpoint", "gauss_legendre"])
def test_squares_are_exact_from_any_baseline(rule):
    attribution = integrated_gradients(squares, ACTIVATION, BASELINE, num_steps=3, rule=rule)
    # Per entry (a - b)(a + b); float32 rounding.
    np.testing.assert_allclose(attribution, ACTIVATION**2 - BASELINE**2, rtol=1e-5, atol=1e-6)


def test_gauss_legendre_is_exact_for_polynomials():
    def score(x):
        return jnp.prod(x) + jnp.sum(x**5)

    attribution = integrated_gradients(
        score, ACTIVATION, BASELINE, num_steps=3, rule="gauss_legendre"
    )
    # Degree 4 along the line, within the degree 5 of three nodes; terms near 240 in float32.
    np.testing.assert_allclose(
        attribution.sum(), score(ACTIVATION) - score(BASELINE), rtol=1e-5, atol=1e-3
    )


def test_softplus_against_its_integral():
    x = jnp.asarray([2.0, -3.0])
    attribution = integrated_gradients(
        lambda x: jnp.sum(jax.nn.softplus(x)), x, jnp.zeros(2), num_steps=16, rule="gauss_legendre"
    )
    # One variable at a time, so completeness holds entry by entry.
    np.testing.assert_allclose(attribution, jax.nn.softplus(x) - np.log(2), rtol=1e-5)


def test_one_step_of_the_right_rule_is_gradient_times_activation():
    def score(x):
        return jnp.sum(jnp.sin(x))

    zeros = jnp.zeros_like(ACTIVATION)
    gradient = path_gradient(score, ACTIVATION, zeros, num_steps=1)
    np.testing.assert_array_equal(gradient, jax.grad(score)(ACTIVATION))
    attribution = integrated_gradients(score, ACTIVATION, zeros, num_steps=1)
    np.testing.assert_array_equal(attribution, ACTIVATION * gradient)


@pytest.mark.parametrize("unroll", [True, False])
@pytest.mark.parametrize("rule", RULES)
def test_the_score_is_evaluated_on_the_line_in_order(rule, unroll):
    from rlvision_jax.attribution import nodes_and_weights

    points = []

    def probe(x):
        jax.debug.callback(lambda x: points.append(np.array(x)), x, ordered=True)
        return squares(x)

    integrated_gradients(probe, ACTIVATION, BASELINE, num_steps=4, rule=rule, unroll=unroll)
    jax.effects_barrier()
    nodes, _ = nodes_and_weights(rule, 4)
    assert len(points) == 4
    for point, node in zip(points, nodes, strict=True):
        # Two float32 products and a sum.
        np.testing.assert_allclose(
            point, BASELINE + node * (ACTIVATION - BASELINE), rtol=1e-5, atol=1e-6
        )


def test_the_path_ends_at_the_activation_itself():
    points = []

    def probe(x):
        jax.debug.callback(lambda x: points.append(np.array(x)), x, ordered=True)
        return squares(x)

    activation = jnp.asarray([0.1, 1e-3, 7.3])
    integrated_gradients(probe, activation, jnp.full(3, 1e4), num_steps=3)
    jax.effects_barrier()
    np.testing.assert_array_equal(points[-1], activation)


def convolutional_score(x):
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2, 4)), jnp.float32)
    y = jax.lax.conv_general_dilated(
        x[None], kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jnp.sum(jax.nn.relu(y) ** 1.5)


def test_scanned_steps_equal_unrolled_steps():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(6, 5, 2)), jnp.float32)
    scanned, unrolled, chosen = (
        jax.jit(
            lambda x, unroll=unroll: integrated_gradients(
                convolutional_score, x, jnp.zeros_like(x), num_steps=7, unroll=unroll
            )
        )(x)
        for unroll in (False, True, None)
    )
    # The same sums in the same order; XLA may pick other convolution kernels inside a loop.
    np.testing.assert_allclose(scanned, unrolled, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(chosen, unrolled)


@pytest.mark.parametrize("unroll", [True, False, None])
def test_works_under_jit_vmap_and_grad(unroll):
    def attribute(x):
        return integrated_gradients(
            squares, x, jnp.zeros_like(x), num_steps=2, rule="midpoint", unroll=unroll
        )

    frames = jnp.stack([ACTIVATION, 2 * ACTIVATION, -ACTIVATION])
    np.testing.assert_allclose(jax.jit(jax.vmap(attribute))(frames), frames**2, rtol=1e-6)
    gradient = jax.grad(lambda x: jnp.sum(attribute(x)))(ACTIVATION)
    np.testing.assert_allclose(gradient, 2 * ACTIVATION, rtol=1e-6)


def test_the_dtype_of_the_activation_is_kept():
    x = ACTIVATION.astype(jnp.bfloat16)
    assert integrated_gradients(squares, x, x * 0, num_steps=3).dtype == jnp.bfloat16


def test_numpy_arrays_are_taken_as_jax_takes_them():
    x = np.asarray([1.0, 2.0])
    attribution = integrated_gradients(squares, x, np.zeros(2), num_steps=2, rule="midpoint")
    assert isinstance(attribution, jax.Array)
    np.testing.assert_allclose(attribution, [1.0, 4.0], rtol=1e-6)


def test_a_direction_of_a_later_layer_equals_the_original(golden, golden_policy):
    policy, params = golden_policy
    expected = golden("attr_3a_to_2b_actdir_poses.npz")
    frames = golden("frames.npz")["frames"][:4]
    activations = jax.jit(policy.activations, static_argnums=2)(params, frames, "2b")

    def attribute(activation, position, num_steps):
        def score(x):
            later = policy.network.apply(params, x[None], start="2b", stop="3a")[0]
            return jnp.sum(expected["act_dir"] * later[position[0], position[1]])

        zeros = jnp.zeros_like(activation)
        return integrated_gradients(score, activation, zeros, num_steps=num_steps)

    for name, num_steps in (("attr", 1), ("attr10", 10)):
        ours = jax.jit(jax.vmap(lambda *frame, n=num_steps: attribute(*frame, n)))(
            activations, expected["act_poses"]
        )
        # Float32 sums over 800 inputs in another order, relative to the largest attribution.
        scale = np.abs(expected[name]).max()
        np.testing.assert_allclose(ours / scale, expected[name] / scale, atol=2e-5)


def test_bad_arguments_are_errors_before_tracing():
    def score(x):
        raise AssertionError("traced")

    with pytest.raises(ValueError, match="num_steps must be an integer of at least 1; got 0"):
        integrated_gradients(score, ACTIVATION, BASELINE, num_steps=0)
    with pytest.raises(ValueError, match='unknown rule "simpson"'):
        integrated_gradients(score, ACTIVATION, BASELINE, num_steps=2, rule="simpson")


@pytest.mark.usefixtures("as_in_production")
def test_a_score_that_is_not_a_scalar_is_an_error():
    with pytest.raises(
        ValueError, match=r"score_fn must return one number, of shape \[\]; got \[1, 2, 2\]"
    ):
        integrated_gradients(lambda x: x, ACTIVATION, BASELINE, num_steps=2)
