import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.studies.levels import OUTCOMES, Levels

VALUE = 2.0
"""What the blind runner expects everywhere."""


@pytest.fixture(scope="session")
def blind_runner():
    """An agent that sees nothing: it runs and jumps to the right most of the time."""
    policy = models.make("nature")
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    logits = np.full(15, -3.0, np.float32)
    logits[[7, 8]] = 1.0, 1.4  # right, right+up
    params["params"]["heads"]["policy"]["bias"] = jnp.asarray(logits)
    params["params"]["heads"]["value"]["bias"] = jnp.full(1, VALUE)
    config = {"env": "procgen:coinrun", "env_options": {"distribution_mode": "hard"}}
    return policy, params, config


@pytest.fixture
def make_levels():
    """Levels that ended as told, with made-up advantages: level i's worst is -i at step i."""

    def make(outcomes, *, first_seed=100):
        numbers = np.arange(len(outcomes), dtype=np.int32)
        indices = [OUTCOMES.index(outcome) for outcome in outcomes]
        failed = [number for number in numbers.tolist() if indices[number]]
        return Levels(
            seeds=first_seed + numbers,
            outcomes=np.asarray(indices, np.int8),
            lengths=numbers + 3,
            returns=np.where(indices, 0, 10).astype(np.float32),
            worst_advantages=-numbers.astype(np.float32),
            worst_steps=numbers,
            actions={number: [7] * (number + 3) for number in failed},
        )

    return make
