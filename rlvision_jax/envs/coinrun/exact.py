"""Float arithmetic rounded after every operation, as C++ does it.

XLA lets the compiler turn `a * b + c` into one instruction that rounds once, and itself adds up
two constants first where both are added to a number. CoinRun must round twice, or positions and
pictures differ from Procgen's in the last bit.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float32, Int32


def rounded(x: Float32[Array, "*shape"], zero: Int32[Array, ""]) -> Float32[Array, "*shape"]:
    """`x`, rounded before anything is done to it.

    Args:
      x: result of an operation.
      zero: an integer that is 0 at run time in a way that the compiler cannot see, such as
        `time >> 31` of a time that is never negative. The bits of `x` are combined with it, which
        leaves them as they are and no operation for the compiler to merge with the next.
    """
    bits = jax.lax.bitcast_convert_type(x, jnp.int32)
    return jax.lax.bitcast_convert_type(bits ^ zero, jnp.float32)


def product(
    a: Float32[Array, "*shape"], b: Float32[Array, "*shape"], zero: Int32[Array, ""]
) -> Float32[Array, "*shape"]:
    """`a * b`, rounded before anything is added to it.

    Args:
      a, b: factors; they broadcast.
      zero: see `rounded`.
    """
    return rounded(a * b, zero)
