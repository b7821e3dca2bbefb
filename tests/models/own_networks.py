"""One small policy in plain JAX and, with equal weights, in Flax Linen, Flax NNX and Equinox.

Frames in [-1, 1], three convolutions with ReLU, and the heads. Nothing here is of rlvision_jax.
"""

from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx

NUM_ACTIONS = 15
# name, kernel size, stride, channels in, channels out; SAME padding
CONVOLUTIONS = (("conv1", 8, 8, 3, 4), ("conv2", 3, 1, 4, 6), ("conv3", 3, 2, 6, 5))
LAST = (4, 4, 5)
"""Height, width and channels of the last layer, for frames of 64 x 64."""


class Own(NamedTuple):
    """What a user brings, and the network's own forward pass.

    Attributes:
      layers: as `models.from_functions` takes them.
      heads: likewise.
      params: the parameters.
      forward: parameters and frames -> policy logits and value.
    """

    layers: list
    heads: object
    params: object
    forward: object


def preprocess(frames):
    return frames.astype(jnp.float32) / 127.5 - 1.0


def draw_weights():
    """Kernels as Flax lays them out (HWIO; dense behind height, width, channel), and biases."""
    rng = np.random.default_rng(0)
    weights = {}
    for name, size, _, channels, features in CONVOLUTIONS:
        weights[name] = (
            rng.normal(size=(size, size, channels, features)) / np.sqrt(size * size * channels / 2),
            rng.normal(size=features) * 0.1,
        )
    units = int(np.prod(LAST))
    weights["policy"] = rng.normal(size=(units, NUM_ACTIONS)) * 0.1, np.zeros(NUM_ACTIONS)
    weights["value"] = rng.normal(size=(units, 1)) * 0.1, np.ones(1)
    return jax.tree.map(lambda array: np.asarray(array, np.float32), weights)


def plain_layer(weights, name, x):
    kernel, bias = weights[name]
    stride = {name: stride for name, _, stride, _, _ in CONVOLUTIONS}[name]
    x = jax.lax.conv_general_dilated(
        x, kernel, (stride, stride), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    return jax.nn.relu(x + bias[None, None, None])


def plain_heads(weights, x):
    x = x.reshape(len(x), -1)
    logits, value = (
        x @ kernel + bias[None] for kernel, bias in map(weights.get, ("policy", "value"))
    )
    return logits, value[:, 0]


def of_linen(weights):
    class Network(linen.Module):
        def setup(self):
            self.convolutions = [
                linen.Conv(features, (size, size), stride, name=name)
                for name, size, stride, _, features in CONVOLUTIONS
            ]
            self.policy, self.value = linen.Dense(NUM_ACTIONS), linen.Dense(1)

        def layer(self, x, index):
            return linen.relu(self.convolutions[index](x))

        def heads(self, x):
            x = x.reshape(len(x), -1)
            return self.policy(x), self.value(x)[:, 0]

        def __call__(self, frames):
            x = frames.astype(jnp.float32) / 127.5 - 1.0
            for index in range(len(CONVOLUTIONS)):
                x = self.layer(x, index)
            return self.heads(x)

    network = Network()
    modules = {
        name: {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
        for name, (kernel, bias) in weights.items()
    }

    def run_layer(index, params, x):
        return network.apply(params, x, index, method="layer")

    return Own(
        layers=[(row[0], partial(run_layer, index)) for index, row in enumerate(CONVOLUTIONS)],
        heads=partial(network.apply, method="heads"),
        params={"params": modules},
        forward=network.apply,
    )


def of_nnx(weights):
    class Network(nnx.Module):
        def __init__(self, rngs):
            for name, size, stride, channels, features in CONVOLUTIONS:
                convolution = nnx.Conv(channels, features, (size, size), stride, rngs=rngs)
                setattr(self, name, convolution)
            units = int(np.prod(LAST))
            self.policy = nnx.Linear(units, NUM_ACTIONS, rngs=rngs)
            self.value = nnx.Linear(units, 1, rngs=rngs)

        def heads(self, x):
            x = x.reshape(len(x), -1)
            return self.policy(x), self.value(x)[:, 0]

        def __call__(self, frames):
            x = frames.astype(jnp.float32) / 127.5 - 1.0
            for convolution in (self.conv1, self.conv2, self.conv3):
                x = nnx.relu(convolution(x))
            return self.heads(x)

    network = nnx.eval_shape(lambda: Network(nnx.Rngs(0)))
    for name, (kernel, bias) in weights.items():
        getattr(network, name).kernel = nnx.Param(jnp.asarray(kernel))
        getattr(network, name).bias = nnx.Param(jnp.asarray(bias))
    graph, params = nnx.split(network)

    def run_layer(name, params, x):
        return nnx.relu(getattr(nnx.merge(graph, params), name)(x))

    return Own(
        layers=[(row[0], partial(run_layer, row[0])) for row in CONVOLUTIONS],
        heads=lambda params, x: nnx.merge(graph, params).heads(x),
        params=params,
        forward=lambda params, frames: nnx.merge(graph, params)(frames),
    )


def of_equinox(weights):
    """One example at a time, channels first; its dense layers read channel, height, width."""

    class Network(eqx.Module):
        convolutions: list
        policy: eqx.nn.Linear
        value: eqx.nn.Linear

        def __init__(self, key):
            self.convolutions = [
                eqx.nn.Conv2d(channels, features, size, stride, padding="SAME", key=key)
                for _, size, stride, channels, features in CONVOLUTIONS
            ]
            units = int(np.prod(LAST))
            self.policy = eqx.nn.Linear(units, NUM_ACTIONS, key=key)
            self.value = eqx.nn.Linear(units, "scalar", key=key)

        def heads(self, x):
            return self.policy(x.ravel()), self.value(x.ravel())

        def __call__(self, frame):
            x = jnp.moveaxis(frame.astype(jnp.float32) / 127.5 - 1.0, -1, 0)
            for convolution in self.convolutions:
                x = jax.nn.relu(convolution(x))
            return self.heads(x)

    def channels_first(kernel):
        """Rows of a dense kernel from height, width, channel to channel, height, width."""
        rows = kernel.reshape(*LAST, -1).transpose(2, 0, 1, 3)
        return rows.reshape(kernel.shape).T

    network = eqx.filter_eval_shape(Network, jax.random.key(0))
    for index, (name, *_) in enumerate(CONVOLUTIONS):
        kernel, bias = weights[name]
        arrays = jnp.asarray(kernel.transpose(3, 2, 0, 1)), jnp.asarray(bias[:, None, None])
        network = eqx.tree_at(
            lambda n, i=index: (n.convolutions[i].weight, n.convolutions[i].bias), network, arrays
        )
    for name in ("policy", "value"):
        kernel, bias = weights[name]
        arrays = jnp.asarray(channels_first(kernel)), jnp.asarray(bias)
        network = eqx.tree_at(
            lambda n, name=name: (getattr(n, name).weight, getattr(n, name).bias), network, arrays
        )
    params, static = eqx.partition(network, lambda leaf: isinstance(leaf, jax.Array))

    def run_layer(index, params, x):
        convolution = eqx.combine(params, static).convolutions[index]
        x = jax.vmap(convolution)(jnp.moveaxis(x, -1, 1))
        return jnp.moveaxis(jax.nn.relu(x), 1, -1)

    def heads(params, x):
        return jax.vmap(eqx.combine(params, static).heads)(jnp.moveaxis(x, -1, 1))

    return Own(
        layers=[(row[0], partial(run_layer, index)) for index, row in enumerate(CONVOLUTIONS)],
        heads=heads,
        params=params,
        forward=lambda params, frames: jax.vmap(eqx.combine(params, static))(frames),
    )


LIBRARIES = {"linen": of_linen, "nnx": of_nnx, "equinox": of_equinox}
