"""Procgen's mt19937 generators as a saved game holds them.

Source: openai/procgen, `procgen/src/randgen.cpp`; the text is what `operator<<` of libstdc++'s
`std::mt19937` writes.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt32

_WORDS = 624
_DAMAGED = "a random generator is 624 words of 32 bits and a position up to 624"


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
        try:
            words = np.array([int(word) for word in self.text.split(b" ")[:-1]], np.uint32)
        except (ValueError, OverflowError):
            words = np.zeros(0, np.uint32)
        if len(words) != _WORDS:
            raise ValueError(f"{_DAMAGED}; got {self.text[:40]!r}")
        return words

    @property
    def position(self) -> int:
        """How many words of the round have been drawn; at 624 the next draw makes a new round."""
        last = self.text.rpartition(b" ")[2]
        if not last.isdigit() or int(last) > _WORDS:
            raise ValueError(f"{_DAMAGED}; got position {last[:40]!r}")
        return int(last)
