import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax._loops import sum_over_steps

NODES = jnp.asarray([0.25, 0.5, 1.0])
WEIGHTS = jnp.asarray([1.0, 2.0, 3.0])


@pytest.mark.parametrize("unroll", [True, False, None])
def test_sum_equals_the_naive_loop(unroll):
    def step(node, weight):
        return {"a": weight * jnp.full(2, node), "b": (node - weight,)}

    total = jax.jit(lambda: sum_over_steps(step, NODES, WEIGHTS, unroll=unroll))()
    np.testing.assert_allclose(total["a"], [4.25, 4.25])
    np.testing.assert_allclose(total["b"][0], -4.25)


def test_steps_run_in_order():
    seen = []

    def step(node, weight):
        jax.debug.callback(lambda node: seen.append(float(node)), node, ordered=True)
        return weight

    for unroll in (True, False):
        seen.clear()
        jax.block_until_ready(sum_over_steps(step, NODES, WEIGHTS, unroll=unroll))
        jax.effects_barrier()
        assert seen == [0.25, 0.5, 1.0]


def test_no_loop_is_left_where_convolutions_would_be_slow_in_one():
    def total(kernel):
        def step(node, weight):
            image = jnp.full((1, 8, 8, 1), node)
            return weight * jax.lax.conv(image, kernel, (1, 1), "SAME")

        return sum_over_steps(step, NODES, WEIGHTS)

    kernel = jnp.ones((1, 8, 3, 3))
    traced = jax.jit(total).trace(kernel)
    on_cpu = traced.lower(lowering_platforms=("cpu",)).compile().as_text()
    assert on_cpu is not None
    assert "convolution" in on_cpu
    assert " while(" not in on_cpu
    assert " conditional(" not in on_cpu
    assert "stablehlo.while" in traced.lower(lowering_platforms=("cuda",)).as_text()
