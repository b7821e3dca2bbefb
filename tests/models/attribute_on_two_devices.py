"""Integrated gradients of four libraries' networks, transformed by JAX on two devices.

Run as a script by the tests, with XLA_FLAGS giving two devices. Writes to the file named: for
"plain" and each library, attributions jitted, vmapped and sharded, and the gradient of their
squares.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import own_networks

from rlvision_jax.attribution import integrated_gradients


def continuations():
    """For each library the value as a function of the activation of conv2."""
    weights = own_networks.draw_weights()

    def plain(x):
        x = own_networks.plain_layer(weights, "conv3", x[None])
        return own_networks.plain_heads(weights, x)[1][0]

    yield "plain", plain
    for library, make in own_networks.LIBRARIES.items():
        own = make(weights)
        conv3 = dict(own.layers)["conv3"]

        def value(x, own=own, conv3=conv3):
            return own.heads(own.params, conv3(own.params, x[None]))[1][0]

        yield library, value


def main(path):
    devices = jax.devices()
    assert len(devices) == 2
    mesh = jax.sharding.Mesh(np.asarray(devices), ("frame",))
    by_frame = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("frame"))
    activations = np.random.default_rng(1).uniform(size=(4, 8, 8, 6)).astype(np.float32)
    results = {}
    for library, value in continuations():

        def attribution(x, value=value):
            return integrated_gradients(value, x, jnp.zeros_like(x), num_steps=3)

        def squares(x, attribution=attribution):
            return jnp.sum(attribution(x) ** 2)

        for name, function in (("values", attribution), ("gradients", jax.grad(squares))):
            result = jax.jit(jax.vmap(function))(jax.device_put(activations, by_frame))
            # Spread as the frames are: no device had to see another one's.
            assert result.sharding.is_equivalent_to(by_frame, result.ndim), result.sharding
            results[f"{library} {name}"] = np.asarray(result)
        results[f"{library} alone"] = np.asarray(attribution(jnp.asarray(activations[3])))
    np.savez(path, **results)


if __name__ == "__main__":
    main(sys.argv[1])
