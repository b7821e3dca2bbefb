"""The paper's interpretable network: five convolutions, L2 pooling, no residuals, no striding.

Source: appendix C of Hilton et al. 2020, doi 10.23915/distill.00029.
"""

from typing import ClassVar

from flax import linen as nn
from jaxtyping import Array, Float

from rlvision_jax.models.convolution import SameConv
from rlvision_jax.models.layers import l2_pool
from rlvision_jax.models.network import LayeredNetwork, Part

# layer -> (channels, kernel size, whether the layer before is pooled first)
_CONVOLUTIONS = {
    "1a": (16, 7, False),
    "2a": (32, 5, True),
    "2b": (32, 5, False),
    "3a": (32, 5, True),
    "4a": (32, 5, True),
}


class ClearNetwork(LayeredNetwork):
    """conv 7x7x16, then 5x5x32 four times; layers are the convolutions after ReLU, unpooled."""

    layer_names: ClassVar[tuple[str, ...]] = tuple(_CONVOLUTIONS)
    hidden_sizes: ClassVar[tuple[int, ...]] = (256, 512)
    pooled_layers: ClassVar[tuple[str, ...]] = ("1a", "2b", "3a", "4a")
    side_divisor: ClassVar[int] = 16  # four poolings by 2

    @nn.nowrap
    def layer(self, name: str, x: Array, part: Part) -> Array:
        """One convolution with ReLU, behind the pooling of the layer before where there is one."""
        if part != "rest":
            channels, size, pooled = _CONVOLUTIONS[name]
            x = l2_pool(x) if pooled else x
            x = SameConv(channels, size, name=name)(x)
        return x if part == "read" else nn.relu(x)

    @nn.nowrap
    def flatten(self, x: Array) -> Float[Array, "batch unit"]:
        """The last layer, pooled, in rows."""
        return super().flatten(l2_pool(x))

    @nn.nowrap
    def consumer(self, name: str) -> tuple[str, ...]:
        """The next convolution, or the first dense layer."""
        return ((*self.layer_names, "dense1")[self.layer_names.index(name) + 1],)
