"""Changes to a CoinRun game: what if this saw were not there, or not to be seen?

Each function takes the state of one game on the device and returns the changed one; `jax.jit` and
`jax.vmap` apply. `edit` makes the same change in a game that Procgen saved.

A cell is (column, row), counted from 0 at the lower left. Numbers known in Python must be in
range; of traced ones, a cell outside the grid or a slot without an enemy changes nothing.
Walls are not to be put on enemies, nor enemies into walls: there, motion is not Procgen's.
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int, UInt8

from rlvision_jax._checks import check_choice
from rlvision_jax.envs.coinrun import host_state
from rlvision_jax.envs.coinrun.constants import (
    CELLS,
    COIN,
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
    WORLD_SIZE,
)
from rlvision_jax.envs.coinrun.types import State, Visible
from rlvision_jax.envs.procgen_coinrun import CoinRunState

Whole: TypeAlias = int | np.integer | Int[Array, ""]
Real: TypeAlias = Whole | float | np.floating | Float[Array, ""]
Cell: TypeAlias = tuple[Whole, Whole]
Removable = Literal["saw", "enemy", "crate", "trail", "lava", "coin"]

ENEMY_SPEED = 0.15
"""Tiles per step of an enemy that has not met a wall yet."""

# Of a cell of `State.sprites`.
_SAW, _CRATES, _FIRST_CRATE, _SECOND_CRATE = 1, 0b1111110, 0b0001110, 0b1110000
_FIRST_SHIFT, _SECOND_SHIFT = 1, 4


def edit(state: CoinRunState, change: Callable[[State], State]) -> CoinRunState:
    """Makes a change in a game that Procgen saved (host only).

    What the change leaves alone comes back as it was, but for the order in which saws and crates
    are listed. `reward` and `level_complete` of the last step, which `observe` would show again,
    are cleared.

    Args:
      state: as `decode_state` returns it.
      change: of a device state, such as one of this module's functions.

    Raises:
      ValueError: if the game holds what the device cannot hold, or would after the change.

    Example:
      >>> from rlvision_jax import envs
      >>> from rlvision_jax.envs.procgen import decode_state, encode_state
      >>> env = envs.make("procgen:coinrun", num_envs=1)
      >>> game = decode_state(env.get_state()[0])
      >>> edited = edit(game, lambda state: set_background(state, 3))
      >>> env.set_state([encode_state(edited)])
      >>> edited.background_index
      3
      >>> env.close()
    """
    game = jax.device_put(host_state.read(state))
    edited = host_state.write(change(game), state)
    host_state.read(edited)
    return edited


def remove(state: State, kind: Removable) -> State:
    """Removes all objects of a kind.

    Enemies leave the trails behind that they have left already; lava and coins become space.
    """
    check_choice("kind of object to remove", kind, get_args(Removable))
    if kind == "saw":
        return state._replace(sprites=state.sprites & _byte(~_SAW))
    if kind == "crate":
        return state._replace(sprites=state.sprites & _byte(~_CRATES))
    if kind == "enemy":
        nobody = jnp.zeros_like(state.enemies.exists)
        return state._replace(enemies=state.enemies._replace(exists=nobody))
    if kind == "trail":
        nothing = jnp.zeros_like(state.trails.exists)
        return state._replace(trails=state.trails._replace(exists=nothing))
    contents = (LAVA_MID, LAVA_TOP) if kind == "lava" else (COIN,)
    is_kind = jnp.isin(state.grid, np.array(contents, np.uint8))
    return state._replace(grid=jnp.where(is_kind, _byte(SPACE), state.grid))


def set_cell(state: State, cell: Cell, content: Whole) -> State:
    """Puts a wall, lava, a coin, an enemy barrier or space into a cell of the grid.

    Args:
      state: of one game.
      cell: column and row.
      content: one of `constants.CELLS`. Ground and lava are of the "top" kind where nothing of
        their own lies above them, elsewhere of the "mid" kind; that is not seen to here.
    """
    if isinstance(content, int | np.integer) and content not in CELLS:
        raise ValueError(f"content of a cell must be one of {CELLS}; got {content}")
    return state._replace(grid=_put(state.grid, cell, content))


def move_coin(state: State, cell: Cell) -> State:
    """Makes a cell the only one with a coin."""
    return set_cell(remove(state, "coin"), cell, COIN)


def add_saw(state: State, cell: Cell) -> State:
    """Puts a saw into a cell, behind the crates that are there."""
    return _set_sprite(state, cell, _at(state.sprites, cell) | _SAW)


def remove_saw(state: State, cell: Cell) -> State:
    """Removes the saw of a cell."""
    return _set_sprite(state, cell, _at(state.sprites, cell) & ~_SAW)


def move_saw(state: State, source: Cell, target: Cell) -> State:
    """Moves the saw of a cell, if it has one, to another cell."""
    saw = _at(state.sprites, source) & _SAW
    state = remove_saw(state, source)
    return _set_sprite(state, target, _at(state.sprites, target) | saw)


def add_crate(state: State, cell: Cell, theme: Whole = 0) -> State:
    """Puts a crate into a cell, as if it had been made last; it takes the place of a second one.

    Args:
      state: of one game.
      cell: column and row.
      theme: one of four looks.
    """
    _check_range("theme of a crate", theme, NUM_CRATE_THEMES)
    there = _as_first(_at(state.sprites, cell))
    return _set_sprite(state, cell, (there & ~_SECOND_CRATE) | (theme + 1) << _SECOND_SHIFT)


def remove_crates(state: State, cell: Cell) -> State:
    """Removes the crates of a cell."""
    return _set_sprite(state, cell, _at(state.sprites, cell) & ~_CRATES)


def move_crates(state: State, source: Cell, target: Cell) -> State:
    """Moves the crates of a cell, if it has any, to another cell, in place of the crates there."""
    crates = _at(state.sprites, source) & _CRATES
    state = _set_sprite(state, source, _at(state.sprites, source) & ~_CRATES)
    there = _at(state.sprites, target)
    return _set_sprite(state, target, jnp.where(crates == 0, there, (there & ~_CRATES) | crates))


def add_enemy(
    state: State, x: Real, row: Whole, *, vx: Real = ENEMY_SPEED, theme: Whole = 0
) -> State:
    """Adds an enemy, in the first slot that is free; of 35 the last is replaced.

    Args:
      state: of one game.
      x: centre, tiles.
      row: of cells, in which it walks.
      vx: tiles per step, -0.5 to 0.5; to the right where positive.
      theme: one of nine animals.
    """
    _check_range("theme of an enemy", theme, NUM_ENEMY_THEMES)
    exists = state.enemies.exists
    slot = jnp.where(jnp.all(exists), MAX_ENEMIES - 1, jnp.argmin(exists))
    return _set_enemy(state, slot, x=x, y=_centre(row), vx=vx, theme=theme, exists=True)


def move_enemy(state: State, slot: Whole, x: Real, row: Whole) -> State:
    """Moves the enemy of a slot; in a saved game slots are counted as it lists its enemies."""
    return _set_enemy(state, slot, x=x, y=_centre(row))


def remove_enemy(state: State, slot: Whole) -> State:
    """Removes the enemy of a slot."""
    return _set_enemy(state, slot, exists=False)


def move_agent(state: State, x: Real, y: Real) -> State:
    """Moves the agent, with its velocity, as if it had been there for a while.

    Args:
      state: of one game.
      x, y: centre, tiles. `PLAYER_RADIUS_Y` above the ground it stands. Above a crate it is
        carried from the end of the next step on.
    """
    x, y = jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32)
    nowhere_on_a_crate = jnp.zeros_like(state.player.is_on_crate)
    player = state.player._replace(x=x, y=y, last_y=y, is_on_crate=nowhere_on_a_crate)
    return state._replace(player=player)


def set_velocity(state: State, x: Real, y: Real) -> State:
    """Gives the agent another velocity, which the next step changes as it would any.

    Args:
      state: of one game.
      x: tiles per step to the right, -0.5 to 0.5, the fastest that it runs; traced numbers
        beyond are taken for the nearest of these.
      y: tiles per step upwards, -1.5 to 1.5, the fastest that it jumps or falls; likewise. Other
        than 0 it has nothing under its feet, and cannot jump.
    """
    velocity = {}
    for name, value, most in (("x", x, MAX_SPEED), ("y", y, MAX_JUMP)):
        if not isinstance(value, jax.Array) and not -most <= value <= most:
            raise ValueError(
                f"velocity {name} of the agent must be from {-most} to {most} tiles per step; "
                f"got {value}"
            )
        velocity[f"v{name}"] = jnp.clip(jnp.asarray(value, jnp.float32), -most, most)
    return state._replace(player=state.player._replace(**velocity))


def set_player_theme(state: State, theme: Whole) -> State:
    """Gives the agent one of five colours."""
    _check_range("theme of the agent", theme, NUM_PLAYER_THEMES)
    return state._replace(player=state.player._replace(theme=jnp.asarray(theme, jnp.int32)))


def set_ground_theme(state: State, theme: Whole) -> State:
    """Gives the ground one of six materials."""
    _check_range("theme of the ground", theme, NUM_GROUND_THEMES)
    ground = jnp.asarray(theme, jnp.int32)
    return state._replace(scenery=state.scenery._replace(ground_theme=ground))


def set_background(state: State, background: Whole, shift: Real | None = None) -> State:
    """Puts another picture behind the level.

    Args:
      state: of one game.
      background: one of 62 pictures, 49 of landscapes and 13 of space.
      shift: where the level lies in it, 0 to 1; None leaves that as it is.
    """
    _check_range("background", background, NUM_BACKGROUNDS)
    scenery = state.scenery._replace(background=jnp.asarray(background, jnp.int32))
    if shift is not None:
        scenery = scenery._replace(background_shift=jnp.asarray(shift, jnp.float32))
    return state._replace(scenery=scenery)


def set_visible(state: State, kind: str, visible: bool | Bool[Array, ""]) -> State:
    """Draws a kind of object or not; it acts all the same. Lasts until the level ends.

    Procgen keeps this with each object: trails that are dropped later are drawn there. Make
    "enemy" and "trail" invisible to hide an enemy with its trail on the device.

    Args:
      state: of one game.
      kind: a field of `Visible`. Static.
      visible: whether to draw it.
    """
    check_choice("kind of object to hide", kind, Visible._fields)
    return state._replace(visible=state.visible._replace(**{kind: jnp.asarray(visible)}))


def _byte(value: int) -> UInt8[np.ndarray, ""]:
    return np.asarray(value & 0xFF, np.uint8)


def _check_range(name: str, value: Whole, count: int) -> None:
    if isinstance(value, int | np.integer) and not 0 <= value < count:
        raise ValueError(f"{name} must be from 0 to {count - 1}; got {value}")


def _indices(cell: Cell) -> tuple[Array, Array]:
    """Row and column of a cell, both past the end if it lies outside the grid."""
    column, row = cell
    _check_range("column of a cell", column, WORLD_SIZE)
    _check_range("row of a cell", row, WORLD_SIZE)
    column, row = jnp.asarray(column, jnp.int32), jnp.asarray(row, jnp.int32)
    is_inside = (row >= 0) & (row < WORLD_SIZE) & (column >= 0) & (column < WORLD_SIZE)
    return jnp.where(is_inside, row, WORLD_SIZE), jnp.where(is_inside, column, WORLD_SIZE)


def _at(cells: UInt8[Array, "64 64"], cell: Cell) -> Int[Array, ""]:
    """Content of a cell, 0 outside the grid; int32, so that bits may be inverted."""
    return cells.at[_indices(cell)].get(mode="fill", fill_value=0).astype(jnp.int32)


def _put(cells: UInt8[Array, "64 64"], cell: Cell, content: Whole) -> UInt8[Array, "64 64"]:
    content = jnp.asarray(content, jnp.uint8)
    return cells.at[_indices(cell)].set(content, mode="drop")


def _as_first(content: Int[Array, ""]) -> Int[Array, ""]:
    """A cell's content, with a second crate as the first if there is no first."""
    moved = (content & _SAW) | (content & _SECOND_CRATE) >> (_SECOND_SHIFT - _FIRST_SHIFT)
    return jnp.where((content & _FIRST_CRATE) == 0, moved, content)


def _set_sprite(state: State, cell: Cell, content: Int[Array, ""]) -> State:
    return state._replace(sprites=_put(state.sprites, cell, content))


def _centre(row: Whole) -> Float32[Array, ""]:
    _check_range("row", row, WORLD_SIZE)
    return jnp.asarray(row, jnp.float32) + np.float32(0.5)


def _set_enemy(state: State, slot: Whole, **fields: Real) -> State:
    _check_range("slot of an enemy", slot, MAX_ENEMIES)
    is_slot = jnp.arange(MAX_ENEMIES) == slot
    old = state.enemies._asdict()
    new = {
        name: jnp.where(is_slot, jnp.asarray(value).astype(old[name].dtype), old[name])
        for name, value in fields.items()
    }
    return state._replace(enemies=state.enemies._replace(**new))
