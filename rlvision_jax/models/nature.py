"""The network of "Human-level control" (Mnih et al. 2015, doi 10.1038/nature14236)."""

from typing import ClassVar

from flax import linen as nn
from jaxtyping import Array

from rlvision_jax.models.convolution import StridedConv
from rlvision_jax.models.network import LayeredNetwork, Part

# layer -> (channels, kernel size, stride); no padding
_CONVOLUTIONS = {"conv1": (32, 8, 4), "conv2": (64, 4, 2), "conv3": (64, 3, 1)}


class NatureNetwork(LayeredNetwork):
    """Three strided convolutions, dense 512; layers are the convolutions after ReLU."""

    layer_names: ClassVar[tuple[str, ...]] = tuple(_CONVOLUTIONS)
    hidden_sizes: ClassVar[tuple[int, ...]] = (512,)
    smallest_side: ClassVar[int] = 36  # leaves 8, 3 and 1 positions

    @nn.nowrap
    def layer(self, name: str, x: Array, part: Part) -> Array:
        """One convolution with ReLU."""
        if part != "rest":
            channels, size, stride = _CONVOLUTIONS[name]
            x = StridedConv(channels, size, stride, name=name)(x)
        return x if part == "read" else nn.relu(x)

    @nn.nowrap
    def consumer(self, name: str) -> tuple[str, ...]:
        """The next convolution, or the first dense layer."""
        return ((*self.layer_names, "dense1")[self.layer_names.index(name) + 1],)
