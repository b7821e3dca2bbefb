"""Checks what a request says: numbers, cells, colours, choices. Every error names the place."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Int32

from rlvision_jax._checks import quoted
from rlvision_jax.envs.coinrun.constants import WORLD_SIZE
from rlvision_jax.live.errors import RequestError

Argument: TypeAlias = Callable[[str, Any], Any]
"""From the place and the JSON value of an argument to the argument; raises RequestError."""


def whole(low: int, high: int) -> Argument:
    """A whole number from `low` to `high`.

    Example:
      >>> whole(0, 5)("slot", 7)
      Traceback (most recent call last):
      ...
      rlvision_jax.live.errors.RequestError: slot must be a whole number from 0 to 5; got 7
    """

    def check(where: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise RequestError(
                f"{where} must be a whole number from {low} to {high}; got {shown(value)}"
            )
        return value

    return check


def real(low: float, high: float) -> Argument:
    """A number from `low` to `high`."""

    def check(where: str, value: Any) -> float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or not low <= value <= high:
            raise RequestError(f"{where} must be a number from {low} to {high}; got {shown(value)}")
        return float(value)

    return check


def choice(choices: Collection[str]) -> Argument:
    """One of some words."""

    def check(where: str, value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise RequestError(f"{where} must be one of {quoted(choices)}; got {shown(value)}")
        return value

    return check


def truth(where: str, value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise RequestError(f"{where} must be true or false; got {shown(value)}")
    return value


def cell(where: str, value: Any) -> tuple[int, int]:
    """A cell, which requests name by row and column, as `counterfactuals` takes it.

    Returns:
      Column and row.

    Example:
      >>> cell("cell", [2, 30])
      (30, 2)
    """
    index = whole(0, WORLD_SIZE - 1)
    row, column = _sequence(where, value, 2, "[row, column]")
    return index(f"column of {where}", column), index(f"row of {where}", row)


def color(where: str, value: Any) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255."""
    shade = whole(0, 255)
    red, green, blue = _sequence(where, value, 3, "[red, green, blue]")
    return shade(where, red), shade(where, green), shade(where, blue)


def pixels(height: int, width: int) -> Argument:
    """Rows and columns of pixels of a frame."""

    def check(where: str, value: Any) -> Int32[np.ndarray, "pixel 2"]:
        try:
            places = np.asarray(value)
        except ValueError:
            places = np.zeros(0)
        if places.ndim != 2 or places.shape[-1] != 2 or places.dtype.kind != "i":
            raise RequestError(
                f"{where} must be a list of [row, column]; got {shown(value)}. Name the pixels "
                "to paint"
            )
        outside = ((places < 0) | (places >= (height, width))).any(1)
        if outside.any():
            raise RequestError(
                f"{where} must lie in a frame of {height} rows and {width} columns; got "
                f"{places[outside][0].tolist()}"
            )
        return places.astype(np.int32)

    return check


def taken(where: str, content: Any, expected: Mapping[str, tuple[Argument, Any]]) -> dict[str, Any]:
    """The arguments of a JSON object, each checked.

    Args:
      where: what the object is, for errors.
      content: the object.
      expected: for each name its check, and what it is if missing; `REQUIRED`: an error.
    """
    if not isinstance(content, Mapping):
        raise RequestError(f"{where} must be an object; got {shown(content)}")
    unknown = [name for name in content if name not in expected]
    if unknown:
        raise RequestError(f"{where} has no {quoted(unknown[:3])}; expected {quoted(expected)}")
    arguments = {}
    for name, (check, default) in expected.items():
        if name in content:
            arguments[name] = check(f"{name} of {where}", content[name])
        elif default is REQUIRED:
            raise RequestError(f'{where} lacks "{name}"; expected {quoted(expected)}')
        else:
            arguments[name] = default
    return arguments


REQUIRED = object()
"""In the place of a default: the argument must be there."""


def shown(value: Any) -> str:
    """A value received, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _sequence(where: str, value: Any, length: int, form: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != length:
        raise RequestError(f"{where} must be {form}; got {shown(value)}")
    return value
