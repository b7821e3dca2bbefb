"""Bytes of a file that joblib may have compressed, up to a limit. (Host only: files.)"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlvision_jax.checkpoint.errors import CheckpointError

# Decoding at the strongest setting of xz takes 65 MiB.
_LZMA_MEMORY = 2**27

# First bytes of a file -> decompressor; a pickle begins with none of these.
_DECOMPRESSORS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": lambda: zlib.decompressobj(wbits=31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    b"\x5d\x00": lambda: lzma.LZMADecompressor(memlimit=_LZMA_MEMORY),
    b"x": zlib.decompressobj,
}
_LZ4 = b"\x04\x22\x4d\x18"


def read_jd(path: Path, max_bytes: int) -> tuple[bytes, bytes]:
    """A file as it is, and decompressed if it is compressed: zlib, gzip, bz2, lzma or xz.

    Args:
      path: the file.
      max_bytes: most bytes to hold, compressed or not.

    Raises:
      CheckpointError: if there is no file, it is larger, or it is damaged.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(max_bytes + 1)
    except (FileNotFoundError, IsADirectoryError):
        raise CheckpointError(f"{path} is no file; expected one that joblib wrote") from None
    if len(raw) > max_bytes:
        raise _too_large(path, max_bytes)
    if raw.startswith(_LZ4):
        raise CheckpointError(
            f"{path} is compressed with lz4; load it and save it again without, "
            "as in joblib.dump(value, path)"
        )
    for magic, decompressor in _DECOMPRESSORS.items():
        if raw.startswith(magic):
            return raw, _decompress(decompressor(), raw, path, max_bytes)
    return raw, raw


def _decompress(decompressor: Any, raw: bytes, path: Path, max_bytes: int) -> bytes:
    try:
        data = decompressor.decompress(raw, max_bytes + 1)
    except (OSError, zlib.error, lzma.LZMAError) as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None
    if len(data) > max_bytes:
        raise _too_large(path, max_bytes)
    if not decompressor.eof:
        raise CheckpointError(f"{path} is damaged: its compressed data ends too early")
    return data


def _too_large(path: Path, max_bytes: int) -> CheckpointError:
    return CheckpointError(
        f"{path} holds more than {max_bytes} bytes; a checkpoint of ours has a few million. "
        "If it is one, raise max_bytes"
    )
