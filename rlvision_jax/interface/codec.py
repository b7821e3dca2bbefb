"""How arrays lie in a report: little-endian bytes, gzip, base64; maps as int8 per frame.

gzip carries a checksum, so damage is noticed by the browser's DecompressionStream as well as here.
"""

import base64
import gzip
import math
import zlib
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int8, Shaped, UInt8

QUANTIZATION_LEVELS = 127
"""Steps on either side of zero: a map is off by at most its frame's largest magnitude / 254."""

_DTYPES = ("uint8", "int8", "int32", "float32")
_COMPRESSION_LEVEL = 6


def encode_array(array: Shaped[np.ndarray, "..."]) -> dict[str, Any]:
    """Packs an array into a JSON object.

    Booleans become uint8.

    Args:
      array: uint8, int8, int32, float32 or bool.

    Returns:
      The keys "dtype", "shape" and "data".

    Example:
      >>> decode_array(encode_array(np.array([1, 2], np.int32)))
      array([1, 2], dtype=int32)
    """
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    packed = gzip.compress(little_endian.tobytes(), _COMPRESSION_LEVEL, mtime=0)
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "data": base64.b64encode(packed).decode("ascii"),
    }


def decode_array(encoded: Any) -> Shaped[np.ndarray, "..."]:
    """Unpacks what `encode_array` packed.

    Raises:
      ValueError: if the object is damaged; says how.
    """
    try:
        dtype, shape = encoded["dtype"], tuple(encoded["shape"])
        content = gzip.decompress(base64.b64decode(encoded["data"], validate=True))
    except (KeyError, TypeError, ValueError, EOFError, OSError, zlib.error) as error:
        raise ValueError(f"array cannot be unpacked ({error})") from error
    if dtype not in _DTYPES:
        raise ValueError(f"array has dtype {dtype!r}; expected one of {', '.join(_DTYPES)}")
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if len(content) != expected:
        raise ValueError(f"array of shape {shape} has {len(content)} bytes; expected {expected}")
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


def quantize(
    maps: Float32[np.ndarray, "time ..."],
) -> tuple[Int8[np.ndarray, "time ..."], Float32[np.ndarray, " time"]]:
    """Rounds each frame to 255 equal steps from minus to plus its largest magnitude.

    Args:
      maps: signed attributions, finite.

    Returns:
      The steps, -127 to 127, and the size of one step in each frame. Their product differs from
      `maps` by at most half a step; a silent frame has step 0.
    """
    flat = maps.reshape(len(maps), -1)
    scale = np.abs(flat).max(axis=1, initial=0.0) / np.float32(QUANTIZATION_LEVELS)
    # The smallest float32s have no 127th part: such a frame counts as silent.
    steps = np.rint(
        np.divide(flat, scale[:, None], where=scale[:, None] > 0, out=np.zeros_like(flat))
    )
    return steps.astype(np.int8).reshape(maps.shape), scale


def dequantize(
    steps: Int8[np.ndarray, "time ..."], scale: Float32[np.ndarray, " time"]
) -> Float32[np.ndarray, "time ..."]:
    """Multiplies the steps of each frame by their size."""
    return steps * scale.reshape((-1,) + (1,) * (steps.ndim - 1))


def pack_masks(masks: Bool[np.ndarray, "time height width object"]) -> UInt8[np.ndarray, "..."]:
    """Eight pixels of a row in a byte, the first in its highest bit.

    Returns:
      [time, object, height, width / 8 rounded up], which gzip makes small: masks change little
      from frame to frame.

    Example:
      >>> masks = np.zeros((1, 1, 4, 1), bool)
      >>> masks[0, 0, 1:3] = True
      >>> pack_masks(masks).tolist()
      [[[[96]]]]
    """
    return np.packbits(np.moveaxis(masks, -1, 1), axis=-1)


def unpack_masks(
    packed: UInt8[np.ndarray, "time object height byte"], width: int
) -> Bool[np.ndarray, "time height width object"]:
    """Reverses `pack_masks`."""
    bits = np.unpackbits(packed, axis=-1, count=width)
    return np.moveaxis(bits, 1, -1).astype(np.bool_)
