import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax._loops import sum_over_rows

# node, weight
ROWS = np.asarray([[0.25, 1.0], [0.5, 2.0], [1.0, 3.0]], np.float32)


@pytest.mark.parametrize("unroll", [True, False, None])
def test_sum_equals_the_naive_loop(unroll):
    def step(row):
        node, weight = row
        return {"a": weight * jnp.full(2, node), "b": (node - weight,)}

    total = jax.jit(lambda: sum_over_rows(step, ROWS, unroll=unroll))()
    np.testing.assert_allclose(total["a"], [4.25, 4.25])
    np.testing.assert_allclose(total["b"][0], -4.25)


def test_steps_run_in_order():
    seen = []

    def step(row):
        node, weight = row
        jax.debug.callback(lambda node: seen.append(float(node)), node, ordered=True)
        return jnp.asarray(weight)

    for unroll in (True, False):
        seen.clear()
        jax.block_until_ready(sum_over_rows(step, ROWS, unroll=unroll))
        jax.effects_barrier()
        assert seen == [0.25, 0.5, 1.0]


def test_no_loop_is_left_where_convolutions_would_be_slow_in_one():
    def total(kernel):
        def step(row):
            node, weight = row
            image = jnp.full((1, 8, 8, 1), node)
            return weight * jax.lax.conv(image, kernel, (1, 1), "SAME")

        return sum_over_rows(step, ROWS)

    kernel = jnp.ones((1, 8, 3, 3))
    traced = jax.jit(total).trace(kernel)
    on_cpu = traced.lower(lowering_platforms=("cpu",)).compile().as_text()
    assert on_cpu is not None
    assert "convolution" in on_cpu
    assert " while(" not in on_cpu
    assert " conditional(" not in on_cpu
    assert "stablehlo.while" in traced.lower(lowering_platforms=("cuda",)).as_text()
