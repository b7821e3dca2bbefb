import functools

import jax
import jax.numpy as jnp
import pytest

from rlvision_jax.attribution import completeness_residual, integrated_gradients, score_function


def test_residual_of_hand_worked_squares():
    def score(x):
        return jnp.sum(x**2) + 7

    activation, baseline = jnp.asarray([3.0]), jnp.asarray([1.0])
    # 9 - 1 is to be explained; the right rule with one step says 2 * 6.
    attribution = integrated_gradients(score, activation, baseline, num_steps=1)
    assert completeness_residual(score, activation, baseline, attribution) == 4.0


@pytest.mark.parametrize("rule", ["right", "midpoint", "gauss_legendre"])
def test_residual_of_a_policy_shrinks_with_steps(golden, golden_policy, rule):
    policy, params = golden_policy
    score = score_function(policy, params, "4a", "value")
    activations = policy.activations(params, golden("frames.npz")["frames"][:8], "4a")

    @functools.partial(jax.jit, static_argnums=0)
    def mean_residual(num_steps):
        def one_frame(activation):
            zeros = jnp.zeros_like(activation)
            # Nothing behind 4a is a convolution: a scan compiles fast and runs fast.
            attribution = integrated_gradients(
                score, activation, zeros, num_steps=num_steps, rule=rule, unroll=False
            )
            return completeness_residual(score, activation, zeros, attribution)

        return jnp.mean(jnp.abs(jax.vmap(one_frame)(activations)))

    few, some, many = (float(mean_residual(num_steps)) for num_steps in (2, 16, 128))
    # Every rule is at least of first order; the kinks of ReLU hide the higher orders.
    assert many < some / 2 < few / 2
    assert many < 0.01 * jnp.mean(jnp.abs(policy.head(params, activations, "4a")[1]))
