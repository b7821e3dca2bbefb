"""Edits of a scene by their names, as requests make them: `envs.coinrun.counterfactuals`, checked.

What the functions leave alone (a saw moved from where there is none) is an error here, and so is
what they cannot do as Procgen would (an enemy inside a wall).
"""

import dataclasses
from collections.abc import Callable
from typing import Any, get_args

import jax
import numpy as np

from rlvision_jax._checks import quoted
from rlvision_jax.envs.coinrun import State, counterfactuals
from rlvision_jax.envs.coinrun.constants import (
    LAVA_MID,
    LAVA_TOP,
    MAX_ENEMIES,
    MAX_JUMP,
    MAX_SPEED,
    NUM_BACKGROUNDS,
    NUM_CRATE_THEMES,
    NUM_ENEMY_THEMES,
    NUM_GROUND_THEMES,
    NUM_PLAYER_THEMES,
    SPACE,
    WALL_MID,
    WALL_TOP,
    WORLD_SIZE,
)
from rlvision_jax.envs.coinrun.types import Visible
from rlvision_jax.live.arguments import (
    REQUIRED,
    Argument,
    cell,
    choice,
    real,
    taken,
    truth,
    whole,
)
from rlvision_jax.live.errors import RequestError

REMOVABLE = get_args(counterfactuals.Removable)
"""Kinds of object that `remove` takes."""

HIDEABLE = Visible._fields
"""Kinds of object that `set_visible` takes."""

# Contents of a cell: of a kind's own below another of its kind, and elsewhere.
_CONTENTS = {
    "empty": (SPACE, SPACE),
    "wall": (WALL_MID, WALL_TOP),
    "lava": (LAVA_MID, LAVA_TOP),
}
_WALLS = _CONTENTS["wall"]
_SAW, _CRATES = 1, 0b1111110
# An enemy is as wide as a cell; where it only touches the next, it is not in it.
_HALF = 0.499


@dataclasses.dataclass(frozen=True)
class _Kind:
    """One kind of edit.

    Attributes:
      apply: from the state and the arguments to the edited state.
      arguments: the check of each, and its default.
      check: raises RequestError if the edit is not possible in a state.
    """

    apply: Callable[..., State]
    arguments: dict[str, tuple[Argument, Any]]
    check: Callable[..., None] = lambda state, **arguments: None


@dataclasses.dataclass(frozen=True)
class Edit:
    """An edit and its arguments, checked but for what only the state tells."""

    name: str
    arguments: dict[str, Any]

    def apply(self, state: State) -> State:
        """The edited game.

        Raises:
          RequestError: if there is nothing to edit, or Procgen knows no such scene.
        """
        kind = _KINDS[self.name]
        kind.check(state, **self.arguments)
        return kind.apply(state, **self.arguments)


def parse_edit(name: Any, arguments: dict[str, Any]) -> Edit:
    """The edit that a request names.

    Args:
      name: such as "remove_saw".
      arguments: by their names; see docs/live.md.

    Raises:
      RequestError: if there is no such edit, or an argument is missing, unknown or out of range.
    """
    if not isinstance(name, str) or name not in _KINDS:
        raise RequestError(f'unknown edit "{name}"; expected one of {quoted([*_KINDS, "blank"])}')
    return Edit(name, taken(f'edit "{name}"', arguments, _KINDS[name].arguments))


def warm_up(state: State) -> None:
    """Compiles all edits, so that the first of each kind is as quick as the others."""
    for name, kind in _KINDS.items():
        kind.apply(state, **_EXAMPLES[name])


def _jitted(function: Callable[..., State], *static: str) -> Callable[..., State]:
    """Compiled once for all numbers; what is static is a word."""
    return jax.jit(function, static_argnames=static)


_jitted_set_cell = _jitted(counterfactuals.set_cell)


def _set_cell(state: State, cell: tuple[int, int], content: str) -> State:
    """Fills a cell, and shows the surface of it and of what lies below as such."""
    column, row = cell
    grid = np.array(state.grid)
    grid[row, column] = _CONTENTS[content][0]
    for changed in (row, row - 1):
        for below, top in (_WALLS, _CONTENTS["lava"]):
            if changed < 0 or grid[changed, column] not in (below, top):
                continue
            is_covered = changed + 1 < WORLD_SIZE and grid[changed + 1, column] in (below, top)
            grid[changed, column] = below if is_covered else top
        if changed >= 0:
            place = (np.int32(column), np.int32(changed))
            state = _jitted_set_cell(state, place, np.int32(grid[changed, column]))
    return state


def _check_free_of_enemies(state: State, cell: tuple[int, int], content: str) -> None:
    column, row = cell
    enemies = jax.device_get(state.enemies)
    is_inside = (np.abs(enemies.x - column - 0.5) < 2 * _HALF) & (np.floor(enemies.y) == row)
    if content == "wall" and (enemies.exists & is_inside).any():
        raise RequestError(
            f"a wall cannot be put on an enemy, which walks in cell [{row}, {column}]; remove or "
            "move the enemy first"
        )


def _check_room(state: State, x: float, row: int, **others: Any) -> None:
    columns = np.floor([x - _HALF, x + _HALF]).astype(int).clip(0, WORLD_SIZE - 1)
    if np.isin(np.asarray(state.grid)[row, columns], _WALLS).any():
        raise RequestError(
            f"an enemy cannot stand in a wall, as it would at x {x} in row {row}; choose a free "
            "place"
        )


def _check_slots(state: State, **arguments: Any) -> None:
    if np.asarray(state.enemies.exists).all():
        raise RequestError(f"a game has at most {MAX_ENEMIES} enemies; remove one first")
    _check_room(state, **arguments)


def _check_enemy(state: State, slot: int, **place: Any) -> None:
    exists = np.asarray(state.enemies.exists)
    if not exists[slot]:
        raise RequestError(
            f"slot {slot} holds no enemy; those that do: {np.flatnonzero(exists).tolist()}"
        )
    if place:
        _check_room(state, **place)


def _holds(what: str, bits: int, argument: str) -> Callable[..., None]:
    def check(state: State, **arguments: Any) -> None:
        column, row = arguments[argument]
        if not np.asarray(state.sprites)[row, column] & bits:
            raise RequestError(
                f"cell [{row}, {column}] holds no {what}; name a cell that the frame shows one in"
            )

    return check


def _argument(check: Argument) -> tuple[Argument, Any]:
    return check, REQUIRED


_CELL = _argument(cell)
_ROW = _argument(whole(0, WORLD_SIZE - 1))
_PLACE = _argument(real(0.0, float(WORLD_SIZE)))
_SLOT = _argument(whole(0, MAX_ENEMIES - 1))
_THEMES = {
    "crate": whole(0, NUM_CRATE_THEMES - 1),
    "enemy": whole(0, NUM_ENEMY_THEMES - 1),
}
_ENEMY_VX = (real(-MAX_SPEED, MAX_SPEED), counterfactuals.ENEMY_SPEED)
_HAS_SAW, _HAS_CRATES = _holds("saw", _SAW, "cell"), _holds("crate", _CRATES, "cell")

_KINDS = {
    "remove": _Kind(
        _jitted(counterfactuals.remove, "kind"), {"kind": _argument(choice(REMOVABLE))}
    ),
    "move_coin": _Kind(_jitted(counterfactuals.move_coin), {"cell": _CELL}),
    "add_saw": _Kind(_jitted(counterfactuals.add_saw), {"cell": _CELL}),
    "remove_saw": _Kind(_jitted(counterfactuals.remove_saw), {"cell": _CELL}, _HAS_SAW),
    "move_saw": _Kind(
        _jitted(counterfactuals.move_saw),
        {"source": _CELL, "target": _CELL},
        _holds("saw", _SAW, "source"),
    ),
    "add_crate": _Kind(
        _jitted(counterfactuals.add_crate), {"cell": _CELL, "theme": (_THEMES["crate"], 0)}
    ),
    "remove_crates": _Kind(_jitted(counterfactuals.remove_crates), {"cell": _CELL}, _HAS_CRATES),
    "move_crates": _Kind(
        _jitted(counterfactuals.move_crates),
        {"source": _CELL, "target": _CELL},
        _holds("crate", _CRATES, "source"),
    ),
    "add_enemy": _Kind(
        _jitted(counterfactuals.add_enemy),
        {"x": _PLACE, "row": _ROW, "vx": _ENEMY_VX, "theme": (_THEMES["enemy"], 0)},
        _check_slots,
    ),
    "move_enemy": _Kind(
        _jitted(counterfactuals.move_enemy),
        {"slot": _SLOT, "x": _PLACE, "row": _ROW},
        _check_enemy,
    ),
    "remove_enemy": _Kind(_jitted(counterfactuals.remove_enemy), {"slot": _SLOT}, _check_enemy),
    "move_agent": _Kind(_jitted(counterfactuals.move_agent), {"x": _PLACE, "y": _PLACE}),
    "set_velocity": _Kind(
        _jitted(counterfactuals.set_velocity),
        {
            "x": _argument(real(-MAX_SPEED, MAX_SPEED)),
            "y": _argument(real(-MAX_JUMP, MAX_JUMP)),
        },
    ),
    "set_cell": _Kind(
        _set_cell,
        {"cell": _CELL, "content": _argument(choice(_CONTENTS))},
        _check_free_of_enemies,
    ),
    "set_background": _Kind(
        _jitted(counterfactuals.set_background),
        {"background": _argument(whole(0, NUM_BACKGROUNDS - 1))},
    ),
    "set_ground_theme": _Kind(
        _jitted(counterfactuals.set_ground_theme),
        {"theme": _argument(whole(0, NUM_GROUND_THEMES - 1))},
    ),
    "set_player_theme": _Kind(
        _jitted(counterfactuals.set_player_theme),
        {"theme": _argument(whole(0, NUM_PLAYER_THEMES - 1))},
    ),
    "set_visible": _Kind(
        _jitted(counterfactuals.set_visible, "kind"),
        {"kind": _argument(choice(HIDEABLE)), "visible": _argument(truth)},
    ),
}

# Arguments to compile each kind with; of the words the likeliest.
_EXAMPLES: dict[str, dict[str, Any]] = {
    "remove": {"kind": "saw"},
    "move_coin": {"cell": (5, 5)},
    "add_saw": {"cell": (5, 5)},
    "remove_saw": {"cell": (5, 5)},
    "move_saw": {"source": (5, 5), "target": (6, 5)},
    "add_crate": {"cell": (5, 5), "theme": 0},
    "remove_crates": {"cell": (5, 5)},
    "move_crates": {"source": (5, 5), "target": (6, 5)},
    "add_enemy": {"x": 5.5, "row": 5, "vx": 0.15, "theme": 0},
    "move_enemy": {"slot": 0, "x": 5.5, "row": 5},
    "remove_enemy": {"slot": 0},
    "move_agent": {"x": 5.5, "y": 5.5},
    "set_velocity": {"x": 0.0, "y": 0.0},
    "set_cell": {"cell": (5, 5), "content": "empty"},
    "set_background": {"background": 0},
    "set_ground_theme": {"theme": 0},
    "set_player_theme": {"theme": 0},
    "set_visible": {"kind": "saw", "visible": True},
}
