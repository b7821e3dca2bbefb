"""The IMPALA CNN with Procgen's widths, and the forms in which others publish it.

Source: Espeholt et al. 2018, figure 3 right, https://arxiv.org/abs/1802.01561; widths as
Procgen's baselines, https://arxiv.org/abs/1912.01588. Published networks have a ReLU behind the
last stack only. Ours has one behind every stack, so that each output is at least 0.
"""

from typing import ClassVar

from flax import linen as nn
from jaxtyping import Array

from rlvision_jax.models.convolution import SameConv
from rlvision_jax.models.layers import ResidualBlock, max_pool
from rlvision_jax.models.network import LayeredNetwork, Part

_CHANNELS = {"stack1": 16, "stack2": 32, "stack3": 32}


class _Stack(nn.Module):
    channels: int
    centred: bool
    closes: bool

    @nn.compact
    def __call__(self, x: Array, part: Part) -> Array:
        if part != "rest":
            x = SameConv(self.channels, 3, name="conv")(x)
        if part == "read":
            return x
        x = max_pool(x, centred=self.centred)
        x = ResidualBlock(self.channels, name="block1")(x)
        x = ResidualBlock(self.channels, name="block2")(x)
        return nn.relu(x) if self.closes else x


class ImpalaNetwork(LayeredNetwork):
    """Three stacks: convolution, max pooling, two residual blocks; layers are their outputs.

    Attributes:
      signed_layers: stacks without a ReLU behind them, whose activations may be below 0.
      centred_pooling: where windows lie, as in `layers.max_pool`.
    """

    layer_names: ClassVar[tuple[str, ...]] = tuple(_CHANNELS)
    hidden_sizes: ClassVar[tuple[int, ...]] = (256,)
    signed_layers: ClassVar[tuple[str, ...]] = ()
    centred_pooling: ClassVar[bool] = False

    @nn.nowrap
    def layer(self, name: str, x: Array, part: Part) -> Array:
        """One stack."""
        return _Stack(
            _CHANNELS[name],
            centred=self.centred_pooling,
            closes=name not in self.signed_layers,
            name=name,
        )(x, part)

    @nn.nowrap
    def consumer(self, name: str) -> tuple[str, ...]:
        """The first convolution of the next stack, or the first dense layer."""
        index = self.layer_names.index(name) + 1
        return (self.layer_names[index], "conv") if index < len(self.layer_names) else ("dense1",)


class BaselinesImpalaNetwork(ImpalaNetwork):
    """As OpenAI Baselines, Procgen's baselines and "Understanding RL Vision" have it.

    Source: `build_impala_cnn` of baselines/common/models.py in openai/baselines at ea25b9e.
    """

    signed_layers: ClassVar[tuple[str, ...]] = ("stack1", "stack2")


class CleanRLImpalaNetwork(BaselinesImpalaNetwork):
    """As CleanRL has it, in torch: windows of the pooling begin one pixel earlier.

    Source: `Agent` of cleanrl/ppo_procgen.py in vwxyzjn/cleanrl at fe8d8a0.
    """

    centred_pooling: ClassVar[bool] = True
