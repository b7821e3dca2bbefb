"""Float arithmetic rounded after every operation, as C++ without fused multiply-add does it.

XLA lets the compiler turn `a * b + c` into one instruction that rounds once. CoinRun must round
twice, or positions drift from Procgen's in the last bit.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32


def product(
    a: Float32[Array, "*shape"], b: Float32[Array, "*shape"], zero: Int32[Array, ""]
) -> Float32[Array, "*shape"]:
    """`a * b`, rounded before anything is added to it.

    Args:
      a, b: factors; they broadcast.
      zero: an integer that is 0 at run time in a way that the compiler cannot see, such as
        `time >> 31` of a time that is never negative. The product's bits are combined with it,
        which leaves them as they are and no product for the compiler to fuse.
    """
    bits = jax.lax.bitcast_convert_type(a * b, jnp.int32)
    return jax.lax.bitcast_convert_type(bits ^ zero, jnp.float32)
