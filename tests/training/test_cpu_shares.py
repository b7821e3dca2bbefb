import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.training.cpu_shares import LayersInTurn, micro_batch_size, share_size


@pytest.mark.parametrize("num_frames", [1, 7, 64, 100, 2048])
@pytest.mark.parametrize("num_threads", [1, 2, 3, 16])
@pytest.mark.parametrize("largest", [8, 64])
def test_threads_take_equally_many_frames(num_frames, num_threads, largest):
    size = share_size(num_frames, num_threads, largest)
    assert 1 <= size <= largest
    starts = range(0, num_frames, size)
    most = sum(min(size, num_frames - start) for start in starts[::num_threads])
    # More than its part by less than a frame of each call.
    assert most < num_frames / num_threads + len(starts[::num_threads])


def test_micro_batches_of_a_network_that_is_mostly_dense_are_larger():
    sizes = {name: micro_batch_size(models.make(name), 2048, 2) for name in models.NETWORKS}
    assert sizes == {name: 64 if name == "nature" else 16 for name in models.NETWORKS}


@pytest.mark.parametrize("num_frames", [3, 8, 20])
def test_layers_in_turn_give_the_same_outputs_and_gradients(num_frames):
    policy = models.make("nature", num_actions=4)
    params = policy.init(jax.random.key(0))
    frames = np.random.default_rng(0).integers(0, 256, (num_frames, 64, 64, 3), dtype=np.uint8)

    def outputs(policy, params):
        logits, values = policy.apply(params, frames)
        return (logits**2).sum() + values.sum(), (logits, values)

    results = [
        jax.jit(jax.grad(lambda params, policy=policy: outputs(policy, params), has_aux=True))(
            params
        )
        for policy in (policy, LayersInTurn(policy))
    ]
    # Gradients are sums over up to 20 x 225 positions, in another order.
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-4 * np.abs(x).max()),
        *results,
    )
