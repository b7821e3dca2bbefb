"""Convolutions arranged as XLA on CPU computes them fastest.

It convolves three channels, or with strides, at a fraction of a core's speed, and 16 channels at
half of it. Each is equal to another convolution of the same pixels with more channels: neighbours
in space become channels of one position. Derivatives, too, have a faster form than the one that
XLA derives. More channels are convolved at a core's full speed; there fewer products help
(`winograd.py`). Parameters and values are those of a plain convolution, up to rounding. On
accelerators only strides are replaced.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rlvision_jax.models.winograd import is_in_use, winograd_convolution

hidden_init = nn.initializers.glorot_uniform()

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
    return jax.lax.platform_dependent(x, kernel, cpu=unpadded_convolution, default=_unpadded)


def same_convolution(
    x: Float[Array, "batch height width channel"], kernel: Float[Array, "k k channel out"]
) -> Float[Array, "batch height width out"]:
    """Convolution with SAME padding by a kernel of odd size."""
    size, _, channels, features = kernel.shape
    if max(channels, features) <= 16:
        on_cpu = paired_convolution
    elif size == 5 and x.shape[1] >= 8 and x.dtype == jnp.float32 and is_in_use():
        on_cpu = padded_winograd  # smaller ones gain little, rounder numbers lose too much
    else:
        return _padded(x, kernel)
    return jax.lax.platform_dependent(x, kernel, cpu=on_cpu, default=_padded)


@jax.custom_jvp
def paired_convolution(
    x: Float[Array, "batch height width channel"], kernel: Float[Array, "k k channel out"]
) -> Float[Array, "batch height width out"]:
    """Convolution with SAME padding, two columns of the result at a time.

    They see size + 1 columns, whose channels become those of one position. Of the products, one
    in size + 1 is with a zero.
    """
    size, _, channels, features = kernel.shape
    half, width = size // 2, x.shape[2]
    pairs = -(-width // 2)
    x = jnp.pad(x, ((0, 0), (0, 0), (half, half + width % 2), (0, 0)))
    x = x.reshape(*x.shape[:2], pairs + half, 2 * channels)
    x = jnp.concatenate([x[:, :, start : start + pairs] for start in range(half + 1)], axis=-1)
    columns = [jnp.pad(kernel, ((0, 0), (before, 1 - before), (0, 0), (0, 0))) for before in (0, 1)]
    wide = jnp.stack(columns, axis=3).reshape(size, 1, (size + 1) * channels, 2 * features)
    y = _convolution(x, wide, ((half, half), (0, 0)))
    return y.reshape(*y.shape[:2], 2 * pairs, features)[:, :, :width]


@paired_convolution.defjvp
def _paired_convolution_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (x, kernel), (x_tangent, kernel_tangent) = primals, tangents
    half = kernel.shape[0] // 2
    padded = jnp.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
    # Faster without pairs, and without padding inside the convolution, where XLA would put it
    # were there no barrier.
    by_kernel = _unpadded(jax.lax.optimization_barrier(padded), kernel_tangent)
    return paired_convolution(x, kernel), paired_convolution(x_tangent, kernel) + by_kernel


@jax.custom_jvp
def padded_winograd(
    x: Float[Array, "batch height width channel"], kernel: Float[Array, "k k channel out"]
) -> Float[Array, "batch height width out"]:
    """`winograd_convolution` whose derivative by the kernel is a plain convolution's."""
    return winograd_convolution(x, kernel)


@padded_winograd.defjvp
def _padded_winograd_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (x, kernel), (x_tangent, kernel_tangent) = primals, tangents
    by_x = winograd_convolution(x_tangent, kernel)
    return padded_winograd(x, kernel), by_x + _padded(x, kernel_tangent)


@jax.custom_jvp
def unpadded_convolution(
    x: Float[Array, "batch height width channel"], kernel: Float[Array, "k k channel out"]
) -> Float[Array, "batch h w out"]:
    """Convolution without padding whose derivatives suit small images."""
    return _unpadded(x, kernel)


@unpadded_convolution.defjvp
def _unpadded_convolution_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (x, kernel), (x_tangent, kernel_tangent) = primals, tangents
    size, _, _, features = kernel.shape
    height, width = (length - size + 1 for length in x.shape[1:3])
    # As a product of matrices: transposed, a convolution would compute mostly the padding.
    offsets = [(i, j) for i in range(size) for j in range(size)]
    patches = [x_tangent[:, i : i + height, j : j + width] for i, j in offsets]
    by_x = jnp.concatenate(patches, axis=-1) @ kernel.reshape(-1, features)
    # Transposed, a result higher than `x` becomes a kernel higher than `x`. XLA leaves such a
    # convolution to Eigen, which is faster here than YNNPACK if the rows added are few.
    added = size if 4 * (size + 1) < height else 0
    by_kernel = _convolution(x, kernel_tangent, ((0, added), (0, 0)))[:, :height]
    return unpadded_convolution(x, kernel), by_x + by_kernel


def _padded(x: Array, kernel: Array) -> Array:
    return _convolution(x, kernel, "SAME")


def _unpadded(x: Array, kernel: Array) -> Array:
    return _convolution(x, kernel, "VALID")


def _convolution(x: Array, kernel: Array, padding: str | tuple[tuple[int, int], ...]) -> Array:
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), padding, dimension_numbers=_LAYOUT)


class SameConv(nn.Module):
    """`nn.Conv` with SAME padding.

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
        return same_convolution(x, kernel) + bias[None, None, None]


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
