import pathlib
import sys

import jax
import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# Not imported while tests are collected, but run by one of them.
collect_ignore = ["train_and_die.py"]


@pytest.fixture(scope="session")
def assert_same_tree():
    """Asserts that two pytrees hold the same arrays, byte for byte."""

    def check(tree, other):
        assert jax.tree.structure(tree) == jax.tree.structure(other)
        for leaf, other_leaf in zip(jax.tree.leaves(tree), jax.tree.leaves(other), strict=True):
            np.testing.assert_array_equal(leaf, other_leaf)

    return check
