"""Building blocks: pooling with cheap derivatives, and the IMPALA residual block.

XLA differentiates a windowed maximum by select-and-scatter and a windowed mean through several
reshapes; both are slow, on CPU above all. The forms below have the same values.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from rlvision_jax.models.convolution import SameConv


def _window_mean(
    x: Float[Array, "*batch height width channel"],
) -> Float[Array, "*batch h w channel"]:
    *batch, height, width, channel = x.shape
    return x.reshape(*batch, height // 2, 2, width // 2, 2, channel).mean((-4, -2))


@jax.custom_jvp
def l2_pool(
    x: Float[Array, "*batch height width channel"],
) -> Float[Array, "*batch height/2 width/2 channel"]:
    """Square root of the mean square over 2x2 windows, plus 1e-8 under the root.

    Height and width must be even. The derivative is x / (4 pooled), written out because it is
    cheaper than what differentiating the reshapes gives.

    Source: appendix C of Hilton et al. 2020, doi 10.23915/distill.00029.

    Example:
      >>> print(l2_pool(jnp.asarray([[1.0, 1.0], [1.0, 5.0]])[..., None])[..., 0])
      [[2.6457512]]
    """
    return jnp.sqrt(_window_mean(x * x) + 1e-8)


@l2_pool.defjvp
def _l2_pool_jvp(primals: tuple, tangents: tuple) -> tuple:
    (x,), (tangent,) = primals, tangents
    pooled = l2_pool(x)
    return pooled, _window_mean(x * tangent) / pooled


def max_pool(
    x: Float[Array, "*batch height width channel"], *, centred: bool = False
) -> Float[Array, "*batch h w channel"]:
    """Maximum over 3x3 windows at stride 2; the result is half as high and wide, rounded up.

    Taken along rows, then columns: equal values, a much cheaper gradient. A gradient goes to the
    first of the entries that are largest.

    Args:
      x: any leading axes.
      centred: whether windows lie around entries 0, 2, 4 ..., as torch's
        `max_pool2d(x, 3, 2, padding=1)`; else SAME padding as TensorFlow and Flax pad, where
        windows begin at these entries if the length is even. Static.

    Example:
      >>> x = jnp.arange(16.0).reshape(4, 4, 1)
      >>> print(max_pool(x)[..., 0])
      [[10. 11.]
       [14. 15.]]
      >>> print(max_pool(x, centred=True)[..., 0])
      [[ 5.  7.]
       [13. 15.]]
    """
    return _max_of_three(_max_of_three(x, x.ndim - 3, centred), x.ndim - 2, centred)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _max_of_three(x: Array, axis: int, centred: bool) -> Array:
    """Maximum over windows of 3 at stride 2 along one axis."""
    first, second, third = _windows(x, axis, centred, -jnp.inf)
    return jnp.maximum(jnp.maximum(first, second), third)


@_max_of_three.defjvp
def _max_of_three_jvp(axis: int, centred: bool, primals: tuple, tangents: tuple) -> tuple:
    (x,), (tangent,) = primals, tangents
    first, second, third = _windows(x, axis, centred, -jnp.inf)
    is_first, is_second = (first >= second) & (first >= third), second >= third
    a, b, c = _windows(tangent, axis, centred, 0.0)
    return _max_of_three(x, axis, centred), jnp.where(is_first, a, jnp.where(is_second, b, c))


def _windows(x: Array, axis: int, centred: bool, fill: float) -> tuple[Array, Array, Array]:
    """First, second and third entries of the windows; `fill` outside."""

    def shifted(part: Array, before: int, after: int) -> Array:
        padding = [(0, 0, 0)] * x.ndim
        padding[axis] = (before, after, 0)
        return jax.lax.pad(part, jnp.asarray(fill, x.dtype), padding)

    size = x.shape[axis]
    even = jax.lax.slice_in_dim(x, 0, size, 2, axis)
    odd = jax.lax.slice_in_dim(x, 1, size, 2, axis)
    if centred or size % 2:
        after = size % 2
        return shifted(odd, 1, after - 1), even, shifted(odd, 0, after)
    return even, odd, shifted(even, -1, 1)


class ResidualBlock(nn.Module):
    """x + conv(relu(conv(relu(x)))), 3x3 kernels (Espeholt et al. 2018, figure 3)."""

    channels: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "*batch height width channel"]
    ) -> Float[Array, "*batch height width channel"]:
        """Applies the block; the shape is kept."""
        y = SameConv(self.channels, 3, name="conv1")(nn.relu(x))
        y = SameConv(self.channels, 3, name="conv2")(nn.relu(y))
        return x + y
