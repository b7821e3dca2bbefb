"""What pickles say about NumPy arrays, turned into arrays without calling anything. (Host only.)

Source: NumPy's and joblib's `__reduce__` and `__setstate__`: the names below, and what each
release hands to them.
"""

import io
import math
import re
from typing import Any

import numpy as np

from rlvision_jax.checkpoint.errors import CheckpointError

_JOBLIB_ARRAY = "joblib's array"

# Module and name, as any release of NumPy, joblib and Python writes them.
_NAMES = {
    ("numpy", "dtype"): "numpy.dtype",
    ("numpy", "ndarray"): "numpy.ndarray",
    ("numpy.core.multiarray", "_reconstruct"): "numpy's _reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "numpy's _reconstruct",
    ("numpy.core.multiarray", "scalar"): "numpy's scalar",
    ("numpy._core.multiarray", "scalar"): "numpy's scalar",
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _JOBLIB_ARRAY,
    ("collections", "OrderedDict"): "OrderedDict",
    ("_codecs", "encode"): "bytes as text",
    ("__builtin__", "bytes"): "no bytes",
}
_DTYPE = re.compile(r"[biufcSU][1-9][0-9]{0,8}")


class Name:
    """A name that plain data may refer to; no more than its text."""

    def __init__(self, module: str, name: str):
        """Raises CheckpointError unless NumPy, joblib or Python write it for plain data."""
        if (module, name) not in _NAMES:
            raise refused(f"{module}.{name}")
        self.text = _NAMES[module, name]


class Unfinished:
    """An array or a data type whose description is still to come.

    Attributes:
      kind: text of the name that it was made from.
      begun: what is known so far.
      memo_keys: where the pickle remembers it.
    """

    def __init__(self, kind: str, begun: Any = None):
        self.kind = kind
        self.begun = begun
        self.memo_keys: list[int] = []


class Arrays:
    """Arrays of one pickle, which together have no more bytes than the pickle itself."""

    def __init__(self, file: io.BytesIO):
        self._file = file
        self._size = self._bytes_left = len(file.getbuffer())

    def call(self, name: Any, arguments: Any) -> Any:
        """What Python would get by calling a name."""
        _check_name(name)
        match name.text, arguments if isinstance(arguments, tuple) else None:
            case "numpy.dtype", (str(code), *_):
                return Unfinished(name.text, _dtype(code))
            case "numpy's scalar", (np.dtype() as dtype, bytes(data)):
                return self._array(data, (), dtype, "C")[()]
            case "numpy's _reconstruct", (Name(text="numpy.ndarray"), *_):
                return Unfinished("numpy.ndarray")
            case "bytes as text", (str(text), "latin1"):
                self._take(len(text))
                return text.encode("latin1")
            case "no bytes", ():
                return b""
            case "OrderedDict", () | ([],):
                return {}
        raise CheckpointError(
            f"calls {name.text} with other arguments than plain data has. Nothing in it was run"
        )

    def new(self, name: Any, arguments: Any) -> Unfinished:
        """An object that still lacks its content; joblib's arrays come so."""
        _check_name(name)
        if name.text != _JOBLIB_ARRAY or arguments != ():
            raise CheckpointError(f"makes a new {name.text}, which plain data does not")
        return Unfinished(name.text)

    def finish(self, unfinished: Any, state: Any) -> np.ndarray | np.dtype:
        """Completes an array or data type by its description."""
        if not isinstance(unfinished, Unfinished):
            raise CheckpointError(
                f"sets the state of a {type(unfinished).__name__}, which plain data does not. "
                "Nothing in it was run"
            )
        match unfinished.kind, state:
            case "numpy.dtype", (int(), str(byte_order), None, None, None, *_):
                return unfinished.begun.newbyteorder(byte_order)
            case "numpy.ndarray", (int(), tuple(shape), np.dtype() as dtype, fortran, bytes(data)):
                return self._array(data, shape, dtype, "F" if fortran else "C")
            case "joblib's array", {
                "subclass": Name(text="numpy.ndarray"),
                "shape": tuple(shape),
                "order": "C" | "F" as order,
                "dtype": np.dtype() as dtype,
            }:
                if state.get("numpy_array_alignment_bytes") is not None:
                    self._file.read(self._file.read(1)[0])
                data = self._file.read(_count(shape) * dtype.itemsize)
                return self._array(data, shape, dtype, order)
        raise ValueError(f"a description that {unfinished.kind} does not have")

    def _array(self, data: bytes, shape: tuple[Any, ...], dtype: np.dtype, order: Any) -> Any:
        """Bytes as an array of its own, in the byte order of this machine."""
        expected = _count(shape) * dtype.itemsize
        if len(data) != expected:
            raise ValueError(
                f"{len(data)} bytes for an array of shape {list(shape)} and type {dtype}, "
                f"which has {expected}"
            )
        self._take(expected)
        return np.ndarray(shape, dtype, data, order=order).astype(dtype.newbyteorder("="))

    def _take(self, num_bytes: int) -> None:
        """Counts bytes; a pickle may name the same ones again and again."""
        self._bytes_left -= num_bytes
        if self._bytes_left < 0:
            raise CheckpointError(f"has arrays of more bytes than itself, {self._size}")


def refused(name: str) -> CheckpointError:
    """The error for a name that plain data does not need."""
    return CheckpointError(
        f"refers to {name:.100}; expected NumPy arrays of numbers and plain containers only. "
        "Nothing in it was run: it is not an agent of that code, or was tampered with"
    )


def _check_name(name: Any) -> None:
    if not isinstance(name, Name):
        raise CheckpointError(
            f"calls a {type(name).__name__}, which plain data does not. Nothing in it was run"
        )


def _dtype(code: str) -> np.dtype:
    if code.startswith("O"):
        raise CheckpointError(
            "has an array of Python objects (data type object); expected arrays of numbers. "
            "Nothing in it was run"
        )
    if not _DTYPE.fullmatch(code):
        raise CheckpointError(f'has an array of data type "{code:.60}"; expected numbers or text')
    return np.dtype(code)


def _count(shape: tuple[Any, ...]) -> int:
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        raise ValueError("a shape that is not of integers of at least 0")
    return math.prod(shape)
