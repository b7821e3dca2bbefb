"""A set of small integers as words of bits, whose n-th member is found without a loop."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt32

WORD = 32
"""Integers to a word."""


class BitSet(NamedTuple):
    """A set of integers below 32 times the number of words.

    Attributes:
      words: bit `i` of word `w` tells whether `32 w + i` is a member.
      before: how many members the words before each hold.
      size: how many members there are.
    """

    words: UInt32[Array, " word"]
    before: Int32[Array, " word"]
    size: Int32[Array, ""]


def from_flags(*groups: Bool[Array, "..."]) -> BitSet:
    """The indices at which flags hold, each group counted on from the next multiple of 32.

    Example:
      >>> members = from_flags(jnp.asarray([False, True]), jnp.asarray([True, False]))
      >>> int(members.size), int(nth(members, jnp.int32(1)))
      (2, 32)
    """
    rows = [jnp.pad(group.ravel(), (0, -group.size % WORD)) for group in groups]
    powers = np.uint32(1) << np.arange(WORD, dtype=np.uint32)[None]
    words = jnp.concatenate(
        [
            jnp.where(row.reshape(-1, WORD), powers, np.uint32(0)).sum(axis=1, dtype=jnp.uint32)
            for row in rows
        ]
    )
    counts = jax.lax.population_count(words).astype(jnp.int32)
    is_before = np.tri(len(counts), k=-1, dtype=np.bool_)
    before = jnp.where(is_before, counts[None], 0).sum(axis=1, dtype=jnp.int32)
    return BitSet(words, before, counts.sum(dtype=jnp.int32))


def nth(members: BitSet, index: Int32[Array, ""]) -> Int32[Array, ""]:
    """The member with `index` smaller ones; any number if `index` is not below the count."""
    word = (members.before <= index).sum(dtype=jnp.int32) - 1
    bits, rank = members.words[word], index - members.before[word]
    position = jnp.int32(0)
    for width in (16, 8, 4, 2, 1):
        low = bits & np.uint32((1 << width) - 1)
        count = jax.lax.population_count(low).astype(jnp.int32)
        is_above = rank >= count
        bits = jnp.where(is_above, bits >> np.uint32(width), low)
        rank = jnp.where(is_above, rank - count, rank)
        position += jnp.where(is_above, width, 0)
    return word * WORD + position
