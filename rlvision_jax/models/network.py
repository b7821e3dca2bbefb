"""A vision network that can be cut at named layers.

A network is a chain: observation -> layer 1 -> ... -> layer n -> policy logits and value. Each
named layer is a bottleneck: everything behind it sees the observation only through its
activation. That is what makes attribution to it complete.
"""

from typing import ClassVar

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rlvision_jax.models.convolution import hidden_init
from rlvision_jax.models.heads import PolicyValueHeads


class LayeredNetwork(nn.Module):
    """Base of all networks: subclasses name their layers and compute them one from another.

    Attributes:
      num_actions: number of policy logits.
    """

    num_actions: int

    layer_names: ClassVar[tuple[str, ...]] = ()
    hidden_sizes: ClassVar[tuple[int, ...]] = ()
    # Height and width of observations: at least, and divisible by.
    smallest_side: ClassVar[int] = 1
    side_divisor: ClassVar[int] = 1

    @nn.nowrap
    def layer(self, name: str, x: Array) -> Array:
        """Activation of layer `name` (after ReLU), from that of the layer before it."""
        raise NotImplementedError

    @nn.nowrap
    def flatten(self, x: Array) -> Float[Array, "batch unit"]:
        """Last named layer -> input of the first dense layer; height, width, channel order."""
        return x.reshape(x.shape[0], -1)

    @nn.nowrap
    def consumer(self, name: str) -> tuple[str, ...]:
        """Path in the parameters of the module whose kernel reads layer `name`."""
        raise NotImplementedError

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch height width channel"],
        start: str | None = None,
        stop: str | None = None,
    ) -> Array | tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Runs from behind layer `start` (None: the pixels) to layer `stop` (None: the outputs).

        Args:
          x: activation of layer `start`, or pixels in [0, 1].
          start: layer that `x` belongs to. Static.
          stop: layer to return. Static.

        Returns:
          The activation of `stop`, or policy logits and value.
        """
        first = 0 if start is None else self.layer_names.index(start) + 1
        for name in self.layer_names[first:]:
            x = self.layer(name, x)
            if name == stop:
                return x
        x = self.flatten(x)
        for index, size in enumerate(self.hidden_sizes, start=1):
            x = nn.relu(nn.Dense(size, kernel_init=hidden_init, name=f"dense{index}")(x))
        return PolicyValueHeads(self.num_actions, name="heads")(jnp.asarray(x))
