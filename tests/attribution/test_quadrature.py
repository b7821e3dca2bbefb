import numpy as np
import pytest

from rlvision_jax.attribution import RULES, nodes_and_weights


def integrate(function, rule, num_steps):
    nodes, weights = nodes_and_weights(rule, num_steps)
    return float(np.sum(weights * function(nodes)))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("num_steps", [1, 2, 10, 51])
def test_nodes_ascend_within_the_interval_and_weights_sum_to_one(rule, num_steps):
    nodes, weights = nodes_and_weights(rule, num_steps)
    assert len(nodes) == len(weights) == num_steps
    assert ((nodes > 0) & (nodes <= 1)).all()
    assert (np.diff(nodes) > 0).all()
    assert (weights > 0).all()
    # A sum of at most 51 float64 numbers.
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-14)


def test_the_papers_rule_evaluates_at_tenths():
    nodes, weights = nodes_and_weights("right", 10)
    np.testing.assert_allclose(nodes, np.linspace(0, 1, 11)[1:], rtol=1e-15)
    np.testing.assert_array_equal(weights, 0.1)


@pytest.mark.parametrize("num_steps", [1, 2, 3, 8])
def test_gauss_legendre_is_exact_up_to_its_degree_and_not_beyond(num_steps):
    for degree in range(2 * num_steps):
        exact = integrate(lambda x, n=degree: x**n, "gauss_legendre", num_steps)
        # float64 rounding of sums of powers.
        np.testing.assert_allclose(exact, 1 / (degree + 1), rtol=1e-13)
    degree = 2 * num_steps
    beyond = integrate(lambda x: x**degree, "gauss_legendre", num_steps)
    assert abs(beyond - 1 / (degree + 1)) > 1e-12


@pytest.mark.parametrize(("rule", "order"), [("right", 1), ("midpoint", 2)])
def test_errors_shrink_with_the_order_of_the_rule(rule, order):
    errors = [abs(integrate(np.exp, rule, num_steps) - (np.e - 1)) for num_steps in (16, 32)]
    # Doubling the steps divides the error by 2**order, up to terms of the next order.
    np.testing.assert_allclose(errors[0] / errors[1], 2**order, rtol=0.05)


@pytest.mark.usefixtures("as_in_production")
def test_unknown_rules_and_too_few_steps_are_errors():
    with pytest.raises(ValueError, match='unknown rule "left"; expected one of "right"'):
        nodes_and_weights("left", 3)
    for num_steps in (0, -1, 2.0, True):
        with pytest.raises(ValueError, match=f"integer of at least 1; got {num_steps}"):
            nodes_and_weights("right", num_steps)
