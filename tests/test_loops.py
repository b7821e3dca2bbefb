import re

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


@pytest.mark.parametrize("num_rows", [1, 9, 10, 11, 23])
def test_no_row_is_lost_however_many_are_taken_together(num_rows):
    rows = np.arange(1, num_rows + 1, dtype=np.float32)[:, None]
    total = sum_over_rows(lambda row: row[0] ** 2, rows, unroll=True)
    assert total == num_rows * (num_rows + 1) * (2 * num_rows + 1) / 6


def test_no_convolution_is_in_a_loop_where_it_would_be_slow():
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
    assert " conditional(" not in on_cpu
    for body in re.findall(r" while\(.*body=(%[\w.-]+)", on_cpu):
        start = on_cpu.index(f"{body} (")
        assert "convolution" not in on_cpu[start : on_cpu.index("\n}", start)]
    assert "stablehlo.while" in traced.lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("unroll", [True, False])
def test_a_long_sum_and_its_derivative_equal_the_closed_form(unroll):
    rows = np.arange(35, dtype=np.float32)[:, None]

    def total(x):
        return jnp.sum(sum_over_rows(lambda row: row[0] * x**2, rows, unroll=unroll))

    value, gradient = jax.jit(jax.value_and_grad(total))(jnp.asarray([1.0, 2.0]))
    assert value == 595 * 5
    np.testing.assert_array_equal(gradient, [595 * 2, 595 * 4])


def test_memory_does_not_grow_with_the_number_of_terms():
    kernel = np.random.default_rng(0).normal(size=(8, 8, 3, 3)).astype(np.float32)

    def temporaries(num_rows):
        rows = np.linspace(0.1, 1, num_rows, dtype=np.float32)[:, None]

        def total(image):
            def step(row):
                return jnp.tanh(jax.lax.conv(jax.nn.relu(row[0] * image), kernel, (1, 1), "SAME"))

            return sum_over_rows(step, rows)

        image = jnp.ones((1, 8, 32, 32))
        return jax.jit(total).lower(image).compile().memory_analysis().temp_size_in_bytes

    # From ten terms on, ten terms are kept; four times as many would be four times the memory.
    assert temporaries(40) < 1.3 * temporaries(10)
