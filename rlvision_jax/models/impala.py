"""The IMPALA CNN with Procgen's widths.

Source: Espeholt et al. 2018, figure 3 right, https://arxiv.org/abs/1802.01561; widths as
Procgen's baselines, https://arxiv.org/abs/1912.01588. One deviation: a ReLU closes every stack,
not only the last, so that each stack's output is a bottleneck with non-negative activations, as
attribution needs.
"""

from typing import ClassVar

from flax import linen as nn
from jaxtyping import Array

from rlvision_jax.models.convolution import NarrowConv, hidden_init
from rlvision_jax.models.layers import ResidualBlock, max_pool
from rlvision_jax.models.network import LayeredNetwork

_CHANNELS = {"stack1": 16, "stack2": 32, "stack3": 32}


class _Stack(nn.Module):
    channels: int
    reads_frames: bool

    @nn.compact
    def __call__(self, x: Array) -> Array:
        if self.reads_frames:
            x = NarrowConv(self.channels, 3, name="conv")(x)
        else:
            x = nn.Conv(self.channels, (3, 3), kernel_init=hidden_init, name="conv")(x)
        x = max_pool(x)
        x = ResidualBlock(self.channels, name="block1")(x)
        return nn.relu(ResidualBlock(self.channels, name="block2")(x))


class ImpalaNetwork(LayeredNetwork):
    """Three stacks: convolution, max pooling, two residual blocks; layers are their outputs."""

    layer_names: ClassVar[tuple[str, ...]] = tuple(_CHANNELS)
    hidden_sizes: ClassVar[tuple[int, ...]] = (256,)

    @nn.nowrap
    def layer(self, name: str, x: Array) -> Array:
        """One stack."""
        return _Stack(_CHANNELS[name], name == self.layer_names[0], name=name)(x)

    @nn.nowrap
    def consumer(self, name: str) -> tuple[str, ...]:
        """The first convolution of the next stack, or the first dense layer."""
        index = self.layer_names.index(name) + 1
        return (self.layer_names[index], "conv") if index < len(self.layer_names) else ("dense1",)
