"""A vision network that can be cut at named layers.

A network is a chain: observation -> layer 1 -> ... -> layer n -> policy logits and value. Each
named layer is a bottleneck: everything behind it sees the observation only through its
activation. That is what makes attribution to it complete.

Every link of the chain has two parts: its *read*, a convolution or product with the pooling before
it, and the *rest*, from the first nonlinearity on.
"""

import abc
from typing import ClassVar, Literal, TypeAlias

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rlvision_jax.models.convolution import hidden_init
from rlvision_jax.models.heads import PolicyValueHeads

Part: TypeAlias = Literal["read", "rest"] | None
"""Which part of a link to compute; None: both."""


class LayeredNetwork(nn.Module, abc.ABC):
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

    # Layers that are pooled before they are read, which is no affine map.
    pooled_layers: ClassVar[tuple[str, ...]] = ()

    @nn.nowrap
    @abc.abstractmethod
    def layer(self, name: str, x: Array, part: Part) -> Array:
        """Activation of layer `name`, from that of the layer before it; or a part of the way.

        Args:
          name: layer to compute.
          x: activation of the layer before; for the part "rest" what the part "read" returned.
          part: "read", "rest" or None. Static.
        """

    @nn.nowrap
    def flatten(self, x: Array) -> Float[Array, "batch unit"]:
        """Last named layer -> input of the first dense layer; height, width, channel order."""
        return x.reshape(x.shape[0], -1)

    @nn.nowrap
    @abc.abstractmethod
    def consumer(self, name: str) -> tuple[str, ...]:
        """Path in the parameters of the module whose kernel reads layer `name`."""

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "batch ..."],
        start: str | None = None,
        stop: str | None = None,
        part: Part = None,
    ) -> Array | tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Runs from behind layer `start` (None: the pixels) to layer `stop` (None: the outputs).

        Args:
          x: activation of layer `start`, or pixels in [0, 1]; for the part "rest" the read of
            either.
          start: layer that `x` belongs to. Static.
          stop: layer to return. Static.
          part: "read" returns the read of `start` and goes no further; "rest" begins there; None
            computes everything. Static.

        Returns:
          The read of `start`, the activation of `stop`, or policy logits and value.
        """
        first = 0 if start is None else self.layer_names.index(start) + 1
        for name in self.layer_names[first:]:
            x = self.layer(name, x, part)
            if part == "read" or name == stop:
                return x
            part = None
        if part != "rest":
            x = self._dense(1)(self.flatten(x))
        if part == "read":
            return x
        x = nn.relu(x)
        for index in range(2, len(self.hidden_sizes) + 1):
            x = nn.relu(self._dense(index)(x))
        return PolicyValueHeads(self.num_actions, name="heads")(jnp.asarray(x))

    @nn.nowrap
    def _dense(self, index: int) -> nn.Dense:
        size = self.hidden_sizes[index - 1]
        return nn.Dense(size, kernel_init=hidden_init, name=f"dense{index}")
