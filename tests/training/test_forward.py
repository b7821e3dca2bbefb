import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.training.forward import forward_pass


@pytest.mark.parametrize("num_frames", [1, 8, 19, 40])
def test_shares_of_a_batch_give_what_the_whole_gives(num_frames):
    policy = models.make("nature", num_actions=15)
    params = policy.init(jax.random.key(0))
    frames = np.random.default_rng(0).integers(0, 256, (num_frames, 64, 64, 3), np.uint8)
    logits, values = policy.apply(params, frames)
    with forward_pass(policy) as forward:
        shared_logits, shared_values = forward(params, frames)
    # Float32 sums of up to 3,136 products, in another order.
    np.testing.assert_allclose(shared_logits, logits, atol=1e-5)
    np.testing.assert_allclose(shared_values, values, atol=1e-5)
