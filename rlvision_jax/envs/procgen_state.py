"""The bytes of a saved Procgen game, checked before the library reads them.

The library ends the whole process when a state is not what it expects.
Source: openai/procgen, `procgen/src/game.cpp` and `basic-abstract-game.cpp`.
"""

import struct

STATE_VERSION = 0
END_MARKER = 0xCAFECAFE


def check_state(state: bytes, game: str) -> None:
    """Raises ValueError unless `state` can be restored into an environment of `game`.

    Args:
      state: bytes as `ProcgenEnv.get_state` returns them for one environment.
      game: name of the game.

    Raises:
      ValueError: if `state` is not bytes, of another game or version, or cut short.
    """
    if not isinstance(state, bytes):
        raise ValueError(f"a state must be bytes; got {type(state).__name__}")
    name = game.encode()
    header = struct.pack("<ii", STATE_VERSION, len(name)) + name
    if not state.startswith(header):
        raise ValueError(f"not a state of {game} in version {STATE_VERSION}")
    if state[-4:] != struct.pack("<I", END_MARKER):
        raise ValueError(f"the state of {game} is cut short: its end marker is missing")
