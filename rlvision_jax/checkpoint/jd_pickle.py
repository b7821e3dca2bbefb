"""Reads pickles of plain data without running anything in them. (Host only.)

A pickle is a program for a stack machine. Python's machine imports and calls whatever the program
names; this one has no instruction that does. Names are compared with the few that NumPy and
joblib write, and from what follows them data is built.

Source: Python's `pickletools`, which splits a pickle into instructions; joblib's
`numpy_pickle.py`, which writes the bytes of arrays between two of them.
"""

import io
import pickletools
from collections.abc import Callable
from typing import Any

from rlvision_jax.checkpoint.errors import CheckpointError
from rlvision_jax.checkpoint.pickled_arrays import Arrays, Name, Unfinished, refused

# An instruction of one byte may build an object of a hundred: a small file, a full memory.
_MOST_INSTRUCTIONS = 1_000_000

_LITERALS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8"),
}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_FRAMING = {"PROTO", "FRAME", "STOP"}


def read_pickle(payload: bytes, source: str) -> Any:
    """Data of a pickle that joblib or `pickle.dump` wrote.

    Args:
      payload: the pickle, not compressed.
      source: where it comes from, for errors.

    Returns:
      Dictionaries, lists, tuples, NumPy arrays and scalars, strings, bytes, numbers, booleans
      and None.

    Raises:
      CheckpointError: if the pickle is damaged, or names anything else. Nothing in it is run.
    """
    try:
        return _Machine(payload).run()
    except CheckpointError as error:
        raise CheckpointError(f"{source} {error}") from None
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise CheckpointError(f"{source} is damaged, or no pickle: {error}") from None


class _Mark:
    """Where the entries of a container begin on the stack."""


class _Machine:
    """The stack, and one method per instruction or group of them."""

    def __init__(self, payload: bytes):
        self._file = io.BytesIO(payload)
        self._arrays = Arrays(self._file)
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> Any:
        instructions = pickletools.genops(self._file)
        for count, (instruction, argument, _) in enumerate(instructions, start=1):
            if count > _MOST_INSTRUCTIONS:
                raise CheckpointError(
                    f"has more than {_MOST_INSTRUCTIONS} instructions; a checkpoint has a thousand"
                )
            self._execute(instruction.name, argument)
        if len(self._stack) != 1:
            raise ValueError(f"{len(self._stack)} objects at its end instead of one")
        return self._pop()

    def _execute(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            entries = [self._pop() for _ in range(_TUPLES[name])]
            self._stack.append(tuple(reversed(entries)))
        elif name in _CONTAINERS:
            _CONTAINERS[name](self)
        elif name in _ADDRESSED:
            _ADDRESSED[name](self, argument)
        elif name == "INST":
            raise refused(argument.replace(" ", "."))
        elif name not in _FRAMING:
            raise CheckpointError(
                f"uses the pickle instruction {name}, which plain data does not need. "
                "Nothing in it was run"
            )

    def _pop(self) -> Any:
        value = self._stack.pop()
        if isinstance(value, _Mark):
            raise ValueError("a mark where a value was expected")
        return value

    def _pop_entries(self) -> list[Any]:
        """Everything above the last mark, which goes too."""
        entries = []
        while not isinstance(self._stack[-1], _Mark):
            entries.append(self._stack.pop())
        self._stack.pop()
        return entries[::-1]

    def _add_to_list(self, entries: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise ValueError(f"a {type(self._stack[-1]).__name__} instead of a list")
        self._stack[-1].extend(entries)

    def _add_to_dict(self, entries: list[Any]) -> None:
        if not isinstance(self._stack[-1], dict):
            raise ValueError(f"a {type(self._stack[-1]).__name__} instead of a dictionary")
        for key, value in zip(entries[::2], entries[1::2], strict=True):
            # Hashing a tuple of tuples of the same tuples may take for ever.
            if not isinstance(key, str | bytes | int | float | None):
                raise CheckpointError(
                    f"has a {type(key).__name__} as a key; expected a string or a number"
                )
            self._stack[-1][key] = value

    def mark(self) -> None:
        self._stack.append(_Mark())

    def pop(self) -> None:
        self._stack.pop()

    def new_list(self) -> None:
        self._stack.append([])

    def new_dict(self) -> None:
        self._stack.append({})

    def make_tuple(self) -> None:
        self._stack.append(tuple(self._pop_entries()))

    def make_list(self) -> None:
        self._stack.append(self._pop_entries())

    def make_dict(self) -> None:
        entries = self._pop_entries()
        self._stack.append({})
        self._add_to_dict(entries)

    def append(self) -> None:
        self._add_to_list([self._pop()])

    def append_entries(self) -> None:
        self._add_to_list(self._pop_entries())

    def set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._add_to_dict([key, value])

    def set_items(self) -> None:
        self._add_to_dict(self._pop_entries())

    def name_from_stack(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name that is no string")
        self._stack.append(Name(module, name))

    def reduce(self) -> None:
        arguments, name = self._pop(), self._pop()
        self._stack.append(self._arrays.call(name, arguments))

    def new_object(self) -> None:
        arguments, name = self._pop(), self._pop()
        self._stack.append(self._arrays.new(name, arguments))

    def build(self) -> None:
        state, unfinished = self._pop(), self._pop()
        finished = self._arrays.finish(unfinished, state)
        for key in unfinished.memo_keys:
            self._memo[key] = finished
        self._stack.append(finished)

    def memoize(self, key: int | None) -> None:
        """Remembers the top of the stack; without a key under the next number."""
        key = len(self._memo) if key is None else key
        self._memo[key] = self._stack[-1]
        if isinstance(self._stack[-1], Unfinished):
            self._stack[-1].memo_keys.append(key)

    def recall(self, key: int) -> None:
        if key not in self._memo:
            raise ValueError(f"nothing is remembered under {key}")
        self._stack.append(self._memo[key])

    def name(self, module_and_name: str) -> None:
        self._stack.append(Name(*module_and_name.split(" ", 1)))


_CONTAINERS: dict[str, Callable[[_Machine], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "EMPTY_LIST": _Machine.new_list,
    "EMPTY_DICT": _Machine.new_dict,
    "TUPLE": _Machine.make_tuple,
    "LIST": _Machine.make_list,
    "DICT": _Machine.make_dict,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_entries,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new_object,
    "BUILD": _Machine.build,
}
_ADDRESSED: dict[str, Callable[[_Machine, Any], None]] = {
    "GLOBAL": _Machine.name,
    "PUT": _Machine.memoize,
    "BINPUT": _Machine.memoize,
    "LONG_BINPUT": _Machine.memoize,
    "MEMOIZE": _Machine.memoize,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
}
