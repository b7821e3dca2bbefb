"""mt19937, C++'s `std::mt19937`, renewed word by word; and libstdc++'s form of it on the host.

The usual form renews all 624 words at once ("twists" them) every 624 draws. Here each draw renews
the one word that it reads, so that a draw is the same little work every time.
Source: Matsumoto and Nishimura 1998, https://doi.org/10.1145/272991.272995.
"""

from typing import TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from rlvision_jax._checks import check_at_least
from rlvision_jax.envs.coinrun.types import MersenneTwister
from rlvision_jax.envs.procgen_config import check_range

NUM_WORDS = 624
# Word i is renewed from the words i, i + 1 and i + 397, counted modulo 624.
_MIDDLE = 397
# The first word whose renewal reads another renewed word.
MAX_FIRST_OUTPUTS = NUM_WORDS - _MIDDLE

_UPPER_BIT = np.uint32(0x80000000)
_LOWER_BITS = np.uint32(0x7FFFFFFF)
_TWIST_MATRIX = np.uint32(0x9908B0DF)
_TEMPER_MASKS = np.uint32(0x9D2C5680), np.uint32(0xEFC60000)
_SEED_FACTOR = np.uint32(1812433253)

# Words made by one round of the loop that seeds. Each round is a launch on a GPU; the words of
# long rounds are computed several times over on a CPU.
_SEED_BLOCK = 16

# Words as JAX's or NumPy's arrays; what is made of these two only is written once.
_Words = TypeVar("_Words", Array, np.ndarray)


def seeded(seed: UInt32[Array, ""]) -> MersenneTwister:
    """The generator that `std::mt19937(seed)` makes.

    Example:
      >>> rng = seeded(jnp.uint32(5489))
      >>> output, rng = draw(rng)
      >>> int(output)
      3499211612
    """

    def add_block(block: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        word, words = carry
        start = block * _SEED_BLOCK
        made = []
        for offset in range(_SEED_BLOCK):
            made.append(word)
            following = (start + offset + 1).astype(jnp.uint32)
            word = _SEED_FACTOR * (word ^ (word >> 30)) + following
        return word, jax.lax.dynamic_update_slice(words, jnp.stack(made), (start,))

    carry = seed, jnp.zeros(NUM_WORDS, jnp.uint32)
    _, words = jax.lax.fori_loop(0, NUM_WORDS // _SEED_BLOCK, add_block, carry)
    return MersenneTwister(words, jnp.int32(0))


def draw(rng: MersenneTwister) -> tuple[UInt32[Array, ""], MersenneTwister]:
    """The next output, 0 to 2^32 - 1, and the generator after it."""
    words, position = rng
    offsets = np.array([0, 1, _MIDDLE], np.int32)
    current, following, middle = words[(position + offsets) % NUM_WORDS]
    renewed = _twisted(current, following, middle)
    rng = MersenneTwister(words.at[position].set(renewed), (position + 1) % NUM_WORDS)
    return _tempered(renewed), rng


def first_outputs(rng: MersenneTwister, count: int) -> UInt32[Array, " count"]:
    """What the first `count` draws give, at once.

    Args:
      rng: as `seeded` made it.
      count: 1 to `MAX_FIRST_OUTPUTS`. Static.
    """
    return _tempered(_first_renewed(rng.words, count))


def after_first_outputs(
    rng: MersenneTwister, num_drawn: Int32[Array, ""], count: int
) -> MersenneTwister:
    """The generator after its first `num_drawn` draws.

    Args:
      rng: as `seeded` made it.
      num_drawn: 0 to `count`.
      count: 1 to `MAX_FIRST_OUTPUTS`. Static.
    """
    renewed = jnp.concatenate([_first_renewed(rng.words, count), rng.words[count:]])
    words = jnp.where(jnp.arange(NUM_WORDS) < num_drawn, renewed, rng.words)
    return MersenneTwister(words, num_drawn)


def _first_renewed(words: Array, count: int) -> Array:
    if not 1 <= count <= MAX_FIRST_OUTPUTS:
        raise ValueError(f"count must be from 1 to {MAX_FIRST_OUTPUTS}; got {count}")
    return _twisted(words[:count], words[1 : count + 1], words[_MIDDLE : _MIDDLE + count])


def _twisted(current: _Words, following: _Words, middle: _Words) -> _Words:
    joined = (current & _UPPER_BIT) | (following & _LOWER_BITS)
    return middle ^ (joined >> 1) ^ ((joined & 1) * _TWIST_MATRIX)


def _tempered(word: Array) -> Array:
    word ^= word >> 11
    word ^= (word << 7) & _TEMPER_MASKS[0]
    word ^= (word << 15) & _TEMPER_MASKS[1]
    return word ^ (word >> 18)


def to_words(rng: MersenneTwister) -> tuple[UInt32[np.ndarray, " 624"], int]:
    """A generator as libstdc++ keeps and saves it (host only).

    Args:
      rng: not batched; of JAX's or NumPy's arrays.

    Returns:
      Words of the round, all renewed, and how many of them have been drawn: 1 to 624.
    """
    words, position = np.array(rng.words, np.uint32), int(rng.position)
    if position == 0:
        return words, NUM_WORDS
    # Each run of words reads renewed words only from the runs before it.
    starts = 0, MAX_FIRST_OUTPUTS, 2 * MAX_FIRST_OUTPUTS
    for start in starts:
        run = np.arange(max(start, position), min(start + MAX_FIRST_OUTPUTS, NUM_WORDS))
        words[run] = _twisted(
            words[run], words[(run + 1) % NUM_WORDS], words[(run + _MIDDLE) % NUM_WORDS]
        )
    return words, position


def from_words(words: UInt32[np.ndarray, " 624"], position: int) -> MersenneTwister:
    """The generator that libstdc++ keeps and saves as `words` and `position` (host only).

    The words not drawn yet are turned back into those of the round before. `to_words` gives the
    same words again: what a later draw does not depend on is not lost, for it is not in them.
    Only position 0, which libstdc++ never saves (it renews the words when it draws the first of
    them), comes back in another form of the same generator: the round before, at 624.

    Args:
      words: those of the round, before tempering.
      position: how many of them have been drawn, 0 to 624.

    Returns:
      The generator, of NumPy's arrays.

    Raises:
      ValueError: if `position` is out of range, or no mt19937 can have these words.
    """
    check_range("position", position, 0, NUM_WORDS)
    words = np.array(words, np.uint32)
    # Renewed word i is old word i + 397 combined with the upper bit of old word i and the lower
    # bits of old word i + 1; from word 227 on the first of the three is renewed word i - 227.
    before = np.zeros(NUM_WORDS + 1, np.uint32)
    late = _untwisted(words[MAX_FIRST_OUTPUTS:] ^ words[:_MIDDLE])
    before[MAX_FIRST_OUTPUTS:-1] |= late & _UPPER_BIT
    before[MAX_FIRST_OUTPUTS + 1 :] |= late & _LOWER_BITS
    early = _untwisted(words[:MAX_FIRST_OUTPUTS] ^ before[_MIDDLE:-1])
    before[:MAX_FIRST_OUTPUTS] |= early & _UPPER_BIT
    before[1 : MAX_FIRST_OUTPUTS + 1] |= early & _LOWER_BITS
    if position < NUM_WORDS:
        # The lower bits of word 0 are read once it is renewed, when the last word is.
        if before[-1] != words[0] & _LOWER_BITS:
            raise ValueError("no mt19937 has these 624 words; take them from a saved game")
        words = np.concatenate([words[:position], before[position:-1]])
    rng = words, np.int32(position % NUM_WORDS)
    # Arrays of NumPy in the place of JAX's.
    return MersenneTwister(*cast(tuple[Array, Array], rng))


def _untwisted(difference: np.ndarray) -> np.ndarray:
    """The joined bits that `_twisted` combined into `difference` (renewed ^ middle)."""
    is_odd = difference >> 31
    return ((difference ^ (is_odd * _TWIST_MATRIX)) << 1) | is_odd


def env_seeds(rand_seed: int, num_envs: int) -> UInt32[np.ndarray, " env"]:
    """The seeds with which Procgen starts its environments' level seed generators (host only).

    Args:
      rand_seed: `seed` of `ProcgenConfig`, 0 to 2^31 - 1.
      num_envs: how many environments there are. The first seeds do not depend on it.

    Source: openai/procgen, `VecGame::VecGame` in `procgen/src/vecgame.cpp`.

    Example:
      >>> env_seeds(5489, 2)
      array([3499211612,  581869302], dtype=uint32)
    """
    check_range("rand_seed", rand_seed, 0, 2**31 - 1)
    check_at_least("num_envs", num_envs, 1)
    # A NumPy generator of this kind is an mt19937, seeded in the same way.
    return np.random.RandomState(rand_seed).randint(0, 2**32, num_envs, np.uint32)
