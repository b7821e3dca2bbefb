"""Convolutions of frames, arranged so that compilers find enough channels to work on.

XLA's convolution of three channels runs at a fraction of a core's speed, and a strided one hardly
better. Both are equal to another convolution of the same pixels with more channels: neighbours in
space become channels of one position. Parameters and values are those of a plain convolution, up
to the order of summation.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rlvision_jax.models.layers import hidden_init

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def space_to_depth(
    x: Float[Array, "batch height width channel"], block_height: int, block_width: int
) -> Float[Array, "batch h w c"]:
    """Turns each block of positions into one, its channels row by row of the block.

    Example:
      >>> print(space_to_depth(jnp.arange(8.0).reshape(1, 2, 4, 1), 2, 2)[0, 0])
      [[0. 1. 4. 5.]
       [2. 3. 6. 7.]]
    """
    n, h, w, c = x.shape
    x = x.reshape(n, h // block_height, block_height, w // block_width, block_width, c)
    x = x.transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(*x.shape[:3], block_height * block_width * c)


def strided_convolution(
    x: Float[Array, "batch height width channel"],
    kernel: Float[Array, "k k channel out"],
    stride: int,
) -> Float[Array, "batch h w out"]:
    """Convolution without padding; `stride` must divide the kernel's size.

    Blocks of stride x stride positions become channels, which leaves a stride of 1.
    """
    size, _, channels, features = kernel.shape
    blocks = size // stride
    used = [(length - size) // stride * stride + size for length in x.shape[1:3]]
    x = space_to_depth(x[:, : used[0], : used[1]], stride, stride)
    kernel = kernel.reshape(blocks, stride, blocks, stride, channels, features)
    kernel = kernel.transpose(0, 2, 1, 3, 4, 5)
    kernel = kernel.reshape(blocks, blocks, stride * stride * channels, features)
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=_LAYOUT)


def paired_convolution(
    x: Float[Array, "batch height width channel"], kernel: Float[Array, "k k channel out"]
) -> Float[Array, "batch height width out"]:
    """Convolution with SAME padding by a kernel of odd size, two columns at a time.

    Two neighbouring columns, with their channels, give two columns of
    the result: twice the products, of which half are with zeros.
    """
    size, _, channels, features = kernel.shape
    side = -(-(size // 2) // 2)
    pairs = 2 * side + 1
    first = 2 * side - size // 2
    columns = [
        jnp.pad(kernel, ((0, 0), (start, 2 * pairs - size - start), (0, 0), (0, 0)))
        for start in (first, first + 1)
    ]
    wide = jnp.stack(columns, axis=3).reshape(size, pairs, 2 * channels, 2 * features)
    width = x.shape[2]
    # A column of zeros is what the padding would be there.
    x = space_to_depth(jnp.pad(x, ((0, 0), (0, 0), (0, width % 2), (0, 0))), 1, 2)
    y = jax.lax.conv_general_dilated(x, wide, (1, 1), "SAME", dimension_numbers=_LAYOUT)
    return y.reshape(*y.shape[:2], 2 * y.shape[2], features)[:, :, :width]


class FrameConv(nn.Module):
    """The convolution next to the frames: `nn.Conv` with SAME padding for very few channels.

    Attributes:
      features: channels of the result.
      size: height and width of the kernel; odd.
    """

    features: int
    size: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channel"]
    ) -> Float[Array, "batch height width out"]:
        """Applies the convolution."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", hidden_init, shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), x.dtype)
        return paired_convolution(x, kernel) + bias[None, None, None]


class StridedConv(nn.Module):
    """`nn.Conv` without padding whose stride divides the kernel's size.

    Attributes:
      features: channels of the result.
      size: height and width of the kernel.
      stride: distance of two applications.
    """

    features: int
    size: int
    stride: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch height width channel"]
    ) -> Float[Array, "batch h w out"]:
        """Applies the convolution."""
        shape = (self.size, self.size, x.shape[-1], self.features)
        kernel = self.param("kernel", hidden_init, shape, x.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), x.dtype)
        return strided_convolution(x, kernel, self.stride) + bias[None, None, None]
