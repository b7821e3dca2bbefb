import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.training.forward import forward_pass


@pytest.mark.parametrize("num_frames", [1, 19, 40])
@pytest.mark.parametrize("network", ["nature", "impala"])  # in one call, and in shares
def test_calls_made_for_a_cpu_give_what_the_policy_gives(network, num_frames):
    policy = models.make(network, num_actions=15)
    params = policy.init(jax.random.key(0))
    frames = np.random.default_rng(0).integers(0, 256, (num_frames, 64, 64, 3), np.uint8)
    logits, values = policy.apply(params, frames)
    with forward_pass(policy) as forward:
        logits_of_calls, values_of_calls = forward(params, frames)
    # Float32 sums of up to 3,136 products (nature; impala 2,048), in another order.
    np.testing.assert_allclose(logits_of_calls, logits, atol=1e-5)
    np.testing.assert_allclose(values_of_calls, values, atol=1e-5)
