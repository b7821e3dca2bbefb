"""Argument checks and the form of their error texts: what, expected, got, remedy."""

from collections.abc import Collection


def quoted(names: Collection[str]) -> str:
    """Names in double quotes, separated by commas."""
    return ", ".join(f'"{name}"' for name in names)


def check_choice(what: str, value: object, choices: Collection[str]) -> None:
    """Raises ValueError unless `value` is one of `choices`.

    Args:
      what: what is chosen, such as "layer".
      value: the value received.
      choices: all values allowed, in the order in which the error lists them.

    Raises:
      ValueError: if `value` is not in `choices`.

    Example:
      >>> check_choice("layer", "9z", ("1a", "2a"))
      Traceback (most recent call last):
      ...
      ValueError: unknown layer "9z"; expected one of "1a", "2a"
    """
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f'unknown {what} "{value}"; expected one of {quoted(choices)}')


def check_at_least(what: str, value: int, minimum: int) -> None:
    """Raises ValueError unless `value` is an integer of at least `minimum`.

    Example:
      >>> check_at_least("num_steps", 0, 1)
      Traceback (most recent call last):
      ...
      ValueError: num_steps must be an integer of at least 1; got 0
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise ValueError(f"{what} must be an integer of at least {minimum}; got {value!r}")
