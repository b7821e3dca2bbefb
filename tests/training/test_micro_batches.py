import jax
import numpy as np
import pytest

from rlvision_jax import models
from rlvision_jax.training.micro_batches import LayersInTurn, micro_batch_size


@pytest.mark.parametrize("name", models.NETWORKS)
@pytest.mark.parametrize("minibatch_size", [1, 7, 64, 100, 2048])
@pytest.mark.parametrize("num_threads", [1, 2, 3, 16])
def test_threads_take_equally_many_frames(name, minibatch_size, num_threads):
    size = micro_batch_size(models.make(name), minibatch_size, num_threads)
    assert 1 <= size <= (64 if name == "nature" else 8)
    starts = range(0, minibatch_size, size)
    most = sum(min(size, minibatch_size - start) for start in starts[::num_threads])
    # More than its share by less than a frame of each micro-batch.
    assert most < minibatch_size / num_threads + len(starts[::num_threads])


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
