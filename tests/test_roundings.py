"""What `benchmarks.roundings` compares."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.roundings import digest


@pytest.mark.parametrize("bit", [0, 7, 31])
def test_a_digest_changes_with_any_bit_of_any_number(bit):
    numbers = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    whole = digest(jnp.asarray(numbers))
    for index in np.ndindex(numbers.shape):
        changed = numbers.view(np.uint32).copy()
        changed[index] ^= np.uint32(1 << bit)
        assert digest(jnp.asarray(changed.view(np.float32))) != whole


def test_a_digest_tells_which_number_is_which():
    assert digest(jnp.asarray([True, False])) != digest(jnp.asarray([False, True]))
    assert digest(jnp.asarray([1, 2], jnp.uint8)) != digest(jnp.asarray([2, 1], jnp.uint8))
