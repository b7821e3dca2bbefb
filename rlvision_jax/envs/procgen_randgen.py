"""Procgen's mt19937 generators as a saved game holds them.

Source: openai/procgen, `procgen/src/randgen.cpp`; the text is what `operator<<` of libstdc++'s
`std::mt19937` writes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt32

_WORDS = 624


class RandGen(NamedTuple):
    """One of Procgen's mt19937 generators, as the text that it is saved as.

    Reading the text takes about ten times as long as decoding all else, so it waits for a call.

    Attributes:
      is_seeded: 0 or 1.
      text: 624 words and the position, decimal, separated by blanks.
    """

    is_seeded: int
    text: bytes

    @classmethod
    def from_words(cls, words: UInt32[np.ndarray, " 624"], position: int) -> "RandGen":
        """A seeded generator with these words; see `words` and `position`."""
        if not 0 <= position <= _WORDS:
            raise ValueError(f"position must be from 0 to {_WORDS}; got {position}")
        numbers = [*np.asarray(words, np.uint32).tolist(), int(position)]
        return cls(1, " ".join(map(str, numbers)).encode())

    @property
    def words(self) -> UInt32[np.ndarray, " 624"]:
        """The state of the present round, before tempering."""
        return np.array(self._numbers()[:-1], np.uint32)

    @property
    def position(self) -> int:
        """How many words of the round have been drawn; at 624 the next draw makes a new round."""
        return self._numbers()[-1]

    def _numbers(self) -> list[int]:
        try:
            numbers = [int(number) for number in self.text.split(b" ")]
        except ValueError:
            numbers = []
        if len(numbers) != _WORDS + 1 or not 0 <= numbers[-1] <= _WORDS:
            raise ValueError(
                f"a random generator is 624 words and a position up to 624; got {self.text[:40]!r}"
            )
        return numbers
