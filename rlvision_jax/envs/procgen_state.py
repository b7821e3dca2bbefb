"""The bytes of a saved Procgen game, checked before the library reads them.

The library ends the whole process on a state that it cannot read, so the layout is walked here
first. Layout: little endian, packed; bool and int are int32, a string is its int32 length and
its bytes.
Source: openai/procgen, `serialize` in `procgen/src/game.cpp`, `basic-abstract-game.cpp` and
`procgen/src/games/*.cpp`.
"""

import struct

STATE_VERSION = 0
END_MARKER = 0xCAFECAFE

_WORD = 4
_ENTITY_BYTES = 31 * _WORD
_ENTITY_TYPE_OFFSET = 6 * _WORD
# 624 numbers and a position, separated by blanks.
_MT19937_BLANKS = 624

# Options, between the game's name and its generators.
_OPTION_WORDS = 17
_GENERATED_ASSETS, _MODE, _LEVEL_LOW, _LEVEL_HIGH = 1, 7, 13, 14
_MODE_NUMBERS = (0, 1, 2, 10)
# The running episode, between the generators and the entities.
_EPISODE_WORDS = 15
_IS_WAITING_FOR_STEP = 14
# Drawing and view, around the generator of generated art.
_DRAWING_WORDS = 19
_VIEW_WORDS = 9

# What follows the grid: w a word, v a counted vector of words, e a counted list of entities.
_GAME_LAYOUTS = {
    "bigfish": "ww",
    "bossfight": "v" + "w" * 23,
    "caveflyer": "",
    "chaser": "vv" + "w" * 7,
    "climber": "w" * 7,
    "coinrun": "w" * 7,
    "dodgeball": "w" * 7,
    "fruitbot": "www",
    "heist": "wwv",
    "jumper": "w" * 7,
    "leaper": "wvwvw",
    "maze": "ww",
    "miner": "w",
    "ninja": "w" * 8,
    "plunder": "wvvvv" + "w" * 9,
    "starpilot": "e",
}

# Entities without which a game cannot be restored: the agent (0), bossfight's boss and its
# shields, jumper's carrot.
_REQUIRED_ENTITY_TYPES = {"bossfight": {0, 2, 3}, "jumper": {0, 1}}


class _Reader:
    """Walks over the fields of a state; raises ValueError where it is not readable."""

    def __init__(self, state: bytes):
        self._state = state
        self._offset = 0

    @property
    def is_done(self) -> bool:
        return self._offset == len(self._state)

    def take(self, length: int) -> bytes:
        end = self._offset + length
        self.require(length >= 0 and end <= len(self._state), "it is cut short or has a bad length")
        data = self._state[self._offset : end]
        self._offset = end
        return data

    def words(self, count: int) -> tuple[int, ...]:
        data = self.take(_WORD * count)
        return struct.unpack(f"<{count}i", data)

    def word(self) -> int:
        return self.words(1)[0]

    def skip_counted(self, item_bytes: int) -> None:
        self.take(self.word() * item_bytes)

    def generator(self, *, must_be_seeded: bool) -> None:
        is_seeded, text = self.word(), self.take(self.word())
        self.require(text.count(b" ") == _MT19937_BLANKS, "a random generator is unreadable")
        self.require(is_seeded == 1 or not must_be_seeded, "a random generator has no seed")

    def entity_types(self) -> set[int]:
        records = self.take(self.word() * _ENTITY_BYTES)
        starts = range(_ENTITY_TYPE_OFFSET, len(records), _ENTITY_BYTES)
        return {struct.unpack_from("<i", records, start)[0] for start in starts}

    def require(self, holds: bool, complaint: str) -> None:
        if not holds:
            raise ValueError(f"{complaint} (at byte {self._offset} of {len(self._state)})")


def check_state(state: bytes, game: str) -> None:
    """Raises ValueError unless the library can read `state` into an environment of `game`.

    The layout is checked, and the fields that the library tests. The values of other fields,
    such as positions and themes, are taken as they are.

    Args:
      state: bytes as `ProcgenEnv.get_state` returns them for one environment.
      game: name of the game.

    Raises:
      ValueError: if `state` is not bytes, of another game or version, cut short or damaged.

    Example:
      >>> check_state(b"", "maze")
      Traceback (most recent call last):
      ...
      ValueError: not a state of maze: it is cut short or has a bad length (at byte 0 of 0)
    """
    if not isinstance(state, bytes):
        raise ValueError(f"a state must be bytes from get_state(); got {type(state).__name__}")
    try:
        _walk(_Reader(state), game)
    except ValueError as error:
        raise ValueError(f"not a state of {game}: {error}") from None


def _walk(reader: _Reader, game: str) -> None:
    version = reader.word()
    reader.require(version == STATE_VERSION, f"its version is {version}, not {STATE_VERSION}")
    name = reader.take(reader.word())
    reader.require(name == game.encode(), f'its game is "{name[:20].decode(errors="replace")}"')
    options = reader.words(_OPTION_WORDS)
    reader.require(options[_GENERATED_ASSETS] == 0, "it uses generated assets")
    reader.require(options[_MODE] in _MODE_NUMBERS, f"its mode is {options[_MODE]}")
    reader.require(options[_LEVEL_LOW] < options[_LEVEL_HIGH], "its level set is empty")
    reader.generator(must_be_seeded=True)
    reader.generator(must_be_seeded=True)
    episode = reader.words(_EPISODE_WORDS)
    reader.require(episode[_IS_WAITING_FOR_STEP] == 0, "it was saved in the middle of a step")
    reader.word()
    missing = _REQUIRED_ENTITY_TYPES.get(game, {0}) - reader.entity_types()
    reader.require(not missing, f"it lacks entities of the types {sorted(missing)}")
    reader.words(_DRAWING_WORDS)
    reader.generator(must_be_seeded=False)
    width, height, *_ = reader.words(_VIEW_WORDS)
    grid_width, grid_height, cells = reader.words(3)
    sizes_agree = (width, height, width * height) == (grid_width, grid_height, cells)
    reader.require(sizes_agree and min(width, height) > 0, "its grid has a wrong size")
    reader.take(cells * _WORD)
    for kind in _GAME_LAYOUTS[game]:
        if kind == "w":
            reader.word()
        else:
            reader.skip_counted(_WORD if kind == "v" else _ENTITY_BYTES)
    end = reader.take(_WORD)
    reader.require(end == struct.pack("<I", END_MARKER), "its end marker is missing")
    reader.require(reader.is_done, "it goes on after its end marker")
