import base64

import numpy as np
import pytest

from rlvision_jax.interface.codec import (
    decode_array,
    dequantize,
    encode_array,
    pack_masks,
    quantize,
    unpack_masks,
)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.float32])
def test_arrays_come_back_unchanged(dtype):
    rng = np.random.default_rng(1)
    array = rng.normal(0, 50, (3, 4, 5)).astype(dtype)
    decoded = decode_array(encode_array(array))
    assert decoded.dtype == dtype
    np.testing.assert_array_equal(decoded, array)


def test_arrays_that_are_not_contiguous_or_not_little_endian_come_back_unchanged():
    array = np.arange(12, dtype=">i4").reshape(3, 4)[:, ::2].T
    np.testing.assert_array_equal(decode_array(encode_array(array)), array)


def test_the_same_array_gives_the_same_text():
    array = np.arange(1000, dtype=np.int32)
    assert encode_array(array) == encode_array(array.copy())


def test_booleans_are_stored_as_zero_and_one():
    encoded = encode_array(np.array([True, False]))
    assert encoded["dtype"] == "uint8"
    np.testing.assert_array_equal(decode_array(encoded), [1, 0])


def test_damage_is_named():
    encoded = encode_array(np.arange(100, dtype=np.int32))
    content = bytearray(base64.b64decode(encoded["data"]))
    content[40] ^= 1
    flipped = encoded | {"data": base64.b64encode(content).decode()}
    with pytest.raises(ValueError, match="array cannot be unpacked"):
        decode_array(flipped)
    with pytest.raises(ValueError, match="array cannot be unpacked"):
        decode_array(encoded | {"data": encoded["data"][:-20]})
    with pytest.raises(ValueError, match=r"shape \(99,\) has 400 bytes; expected 396"):
        decode_array(encoded | {"shape": [99]})
    with pytest.raises(ValueError, match="array has dtype 'float64'; expected one of uint8"):
        decode_array(encoded | {"dtype": "float64"})


def test_quantized_maps_are_off_by_at_most_half_a_step():
    rng = np.random.default_rng(2)
    maps = (rng.normal(size=(6, 5, 4, 3)) * 10.0 ** np.arange(-3, 3)[:, None, None, None]).astype(
        np.float32
    )
    steps, scale = quantize(maps)
    largest = np.abs(maps).max(axis=(1, 2, 3))
    error = np.abs(dequantize(steps, scale) - maps).max(axis=(1, 2, 3))
    # 1/254 of the frame's largest, plus float32 rounding of scale and product.
    assert (error <= largest * (1 / 254 + 1e-6)).all()
    assert (error >= largest / 500).all(), "the error of random numbers fills the bound"


def test_the_largest_magnitude_uses_the_last_step():
    steps, scale = quantize(np.array([[1.0, -4.0, 0.0]], np.float32))
    np.testing.assert_array_equal(steps, [[32, -127, 0]])
    np.testing.assert_allclose(scale, [4 / 127], rtol=1e-6)


def test_silent_frames_stay_silent():
    maps = np.zeros((2, 3), np.float32)
    maps[1, 0] = np.finfo(np.float32).smallest_subnormal  # has no 127th part in float32
    steps, scale = quantize(maps)
    np.testing.assert_array_equal(dequantize(steps, scale), np.zeros((2, 3)))


def test_masks_of_any_width_come_back():
    masks = np.random.default_rng(0).random((3, 5, 11, 2)) < 0.3
    packed = pack_masks(masks)
    assert packed.shape == (3, 2, 5, 2)
    np.testing.assert_array_equal(unpack_masks(packed, 11), masks)
