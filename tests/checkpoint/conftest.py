import pathlib
import sys

import jax
import numpy as np
import pytest

from rlvision_jax import models

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# Not imported but run, by a test.
collect_ignore = ["save_and_die.py"]


@pytest.fixture(scope="session")
def make_params():
    """Parameters of a policy that all have one value."""

    def make(policy, value):
        shapes = jax.eval_shape(policy.init, jax.random.key(0))
        return jax.tree.map(lambda shape: np.full(shape.shape, value, shape.dtype), shapes)

    return make


@pytest.fixture(scope="session")
def policy():
    """A small policy."""
    return models.make("nature", num_actions=2, observation_shape=(36, 36, 3))


@pytest.fixture(scope="session")
def assert_same():
    """Asserts that two pytrees hold the same arrays, byte for byte."""

    def check(tree, other):
        jax.tree.map(np.testing.assert_array_equal, tree, other)

    return check
