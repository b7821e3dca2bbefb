"""What a frame shows in front of its opaque cells, as a list of stamps in the order of drawing.

A stamp is one picture at one place. Coins and surfaces of lava come first, then saws and crates,
trails from the oldest to the newest, the agent, the enemies. Each stamp that a game may have is
numbered; those that it has are found and computed one by one.

Source: openai/procgen, `draw_foreground` and `draw_image` in
`procgen/src/basic-abstract-game.cpp`, and `procgen/src/games/coinrun.cpp`.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float32, Int32, UInt8, UInt32

from rlvision_jax.envs.coinrun import bit_set, scaling, screen, stamp_sizes, tiles
from rlvision_jax.envs.coinrun.bit_set import WORD, BitSet
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import (
    COIN,
    CRATE,
    LAVA_TOP,
    MAX_ENEMIES,
    PLAYER,
    PLAYER_RADIUS_X,
    PLAYER_RADIUS_Y,
    SAW,
    TRAIL,
    TRAIL_AGES,
)
from rlvision_jax.envs.coinrun.pictures import (
    ENEMY_1,
    ENEMY_2,
    ROUND,
    SAW_2,
    SQUARE,
    START,
    TALL,
    WALK_1,
    WALK_2,
)
from rlvision_jax.envs.coinrun.screen import Camera
from rlvision_jax.envs.coinrun.tables import entries
from rlvision_jax.envs.coinrun.tiles import COLUMN_STRIDE, WINDOW, Window
from rlvision_jax.envs.coinrun.types import Enemies, Player, State, Trails

OBJECT_NAMES = ("agent", "coin", "saw", "enemy", "crate", "lava", "wall", "trail", "velocity")
"""Kinds of object that a frame shows."""

# Numbers of the first stamp of each group; groups begin at a new word of the set of numbers.
_CELLS = WINDOW * COLUMN_STRIDE
_SAWS = _CELLS
_CRATES = _SAWS + _CELLS
_UPPER_CRATES = _CRATES + _CELLS
_TRAILS = _UPPER_CRATES + _CELLS
_NUM_TRAILS = TRAIL_AGES * MAX_ENEMIES
_AGENT = _TRAILS + _NUM_TRAILS + -_NUM_TRAILS % WORD
_ENEMIES = _AGENT + WORD

# Bits of `State.sprites`: where the crates' themes begin, and how long one is.
_CRATE_BIT, _UPPER_CRATE_BIT = 1, 4
_THEME = 7
_IN_FRONT = 255
# From the screen's centre to that of a sprite on it: half the screen, half a sprite, and spare.
_REACH = np.float32(6.5 + 0.5 + 0.1)
_RADIUS = np.float32(0.5)
# The agent stands where it is slower than this; it and the enemies move their legs every 5 steps.
_STANDS_BELOW = np.float32(0.01)
_STEPS_PER_IMAGE = 5


class Stamp(NamedTuple):
    """One picture at its place on the screen.

    Attributes:
      rows, columns: the pixels that it covers.
      row_step, column_step: texels from one pixel to the next, in units of 2^-16; from column
        to column it is negative where the picture is mirrored.
      start: index of the picture's first texel.
      width: texels in a row of the picture.
      factor: what its texels are multiplied by, in units of 1/255.
      place: it is hidden where the lowest layer shows a cell with a higher `tiles.place`.
      kind: index of what it shows in `OBJECT_NAMES`.
    """

    rows: scaling.Span
    columns: scaling.Span
    row_step: Int32[Array, ""]
    column_step: Int32[Array, ""]
    start: Int32[Array, ""]
    width: Int32[Array, ""]
    factor: UInt32[Array, ""]
    place: UInt32[Array, ""]
    kind: Int32[Array, ""]


class Scene(NamedTuple):
    """What of a game is drawn as stamps.

    Attributes:
      camera: the place of the screen.
      view: the cells that can be seen.
      player, enemies, trails, time: as in `State`.
      numbers: of the stamps of this frame; some of them lie just off the screen.
    """

    camera: Camera
    view: Window
    player: Player
    enemies: Enemies
    trails: Trails
    time: Int32[Array, ""]
    numbers: BitSet


def scene(state: State, camera: Camera, view: Window) -> Scene:
    """Finds the stamps of a game."""
    trails, enemies, visible = state.trails, state.enemies, state.visible
    near_trails = trails.exists & _is_near(camera, trails.x, trails.y)
    cells, sprites = (_by_column(field) for field in (view.cells, view.sprites))
    groups = (
        (cells == COIN) | (cells == LAVA_TOP),
        ((sprites & 1) > 0) & visible.saw,
        (_crate(sprites, _CRATE_BIT) > 0) & visible.crate,
        (_crate(sprites, _UPPER_CRATE_BIT) > 0) & visible.crate,
        near_trails[::-1, ::-1] & visible.trail,
        visible.agent,
        enemies.exists & _is_near(camera, enemies.x, enemies.y) & visible.enemy,
    )
    numbers = bit_set.from_flags(*groups)
    return Scene(camera, view, state.player, enemies, trails, state.time, numbers)


def stamp(scene: Scene, number: Int32[Array, ""], config: CoinRunConfig) -> Stamp:
    """The stamp of a number; without meaning for a number that is not in the scene."""
    sizes = stamp_sizes.monochrome() if config.use_monochrome_assets else stamp_sizes.pictures()
    row, x, y = _corner(scene, number)
    size = jax.tree.map(lambda column: entries(jnp.asarray(column), row), sizes)
    top = scaling.coordinate(screen.top(scene.camera, y, size.margin))
    left = scaling.coordinate(screen.left(scene.camera, x, size.margin))
    start, is_mirrored = _picture(scene, number)
    width = jnp.where(row < stamp_sizes.TRAIL, SQUARE[1], ROUND[1]).astype(jnp.int32)
    columns = scaling.span(left, size.width, size.column_step)
    # Its last texel comes first: of v / 2^16, rounded down, this gives width - 1 - v / 2^16.
    from_right = columns._replace(first=(width << 16) - 1 - columns.first)
    return Stamp(
        rows=scaling.span(scaling.shifted(top, *size.lift), size.height, size.row_step),
        columns=jax.tree.map(functools.partial(jnp.where, is_mirrored), from_right, columns),
        row_step=size.row_step,
        column_step=jnp.where(is_mirrored, -size.column_step, size.column_step),
        start=start,
        width=width,
        factor=size.factor,
        place=jnp.where(number < _SAWS, number + 1, _IN_FRONT).astype(jnp.uint32),
        kind=_kind(scene, number),
    )


def _corner(
    scene: Scene, number: Int32[Array, ""]
) -> tuple[Int32[Array, ""], Float32[Array, ""], Float32[Array, ""]]:
    """Row of the table of sizes, and the upper left corner in the world."""
    row, column = tiles.cell_at(number % _CELLS + 1)
    kind = jnp.where(number < _SAWS, stamp_sizes.CELL, stamp_sizes.SPRITE)
    x = (scene.view.column + column).astype(jnp.float32)
    y = (scene.view.row + row + 1).astype(jnp.float32)

    age, enemy = _trail(number)
    is_trail = (number >= _TRAILS) & (number < _AGENT)
    radius_x, radius_y = (entries(jnp.asarray(radii), age) for radii in stamp_sizes.TRAIL_RADII)
    kind = jnp.where(is_trail, stamp_sizes.TRAIL + age, kind)
    x = jnp.where(is_trail, entries(scene.trails.x, age, enemy) - radius_x, x)
    y = jnp.where(is_trail, entries(scene.trails.y, age, enemy) + radius_y, y)

    is_agent, player = number == _AGENT, scene.player
    kind = jnp.where(is_agent, stamp_sizes.AGENT, kind)
    x = jnp.where(is_agent, player.x - np.float32(PLAYER_RADIUS_X), x)
    y = jnp.where(is_agent, player.y + np.float32(PLAYER_RADIUS_Y), y)

    is_enemy, enemy = number >= _ENEMIES, _enemy(number)
    x = jnp.where(is_enemy, entries(scene.enemies.x, enemy) - _RADIUS, x)
    y = jnp.where(is_enemy, entries(scene.enemies.y, enemy) + _RADIUS, y)
    return kind.astype(jnp.int32), x, y


def _kind(scene: Scene, number: Int32[Array, ""]) -> Int32[Array, ""]:
    """Index of what a stamp shows in `OBJECT_NAMES`."""
    agent, coin, saw, enemy, crate, lava, _, trail, _ = range(len(OBJECT_NAMES))
    kind = jnp.where(_cell(scene, number) == COIN, coin, lava)
    starts = ((_SAWS, saw), (_CRATES, crate), (_TRAILS, trail), (_AGENT, agent), (_ENEMIES, enemy))
    for start, later in starts:
        kind = jnp.where(number >= start, later, kind)
    return kind.astype(jnp.int32)


def _picture(scene: Scene, number: Int32[Array, ""]) -> tuple[Int32[Array, ""], Bool[Array, ""]]:
    """Index of the picture's first texel, and whether it is mirrored."""
    time, player, enemies = scene.time, scene.player, scene.enemies
    row, column = tiles.cell_at(number % _CELLS + 1)
    sprites = entries(scene.view.sprites, row, column)
    enemy = _enemy(number)
    is_even = time // _STEPS_PER_IMAGE % 2 == 0
    is_upper = number >= _UPPER_CRATES
    crate = jnp.where(is_upper, _crate(sprites, _UPPER_CRATE_BIT), _crate(sprites, _CRATE_BIT))
    stands = (jnp.abs(player.vx) < _STANDS_BELOW) & (player.action_vx == 0) & player.has_support
    walks = jnp.where(is_even | ~player.has_support, START[WALK_1], START[WALK_2])
    choices = (
        (_SAWS, jnp.where(_cell(scene, number) == COIN, START[COIN], START[LAVA_TOP])),
        (_CRATES, jnp.where(time % 2 == 0, START[SAW], START[SAW_2])),
        (_TRAILS, START[CRATE] + _themed(crate.astype(jnp.int32) - 1, SQUARE)),
        (_AGENT, START[TRAIL]),
        (_ENEMIES, jnp.where(stands, START[PLAYER], walks) + _themed(player.theme, TALL)),
    )
    start = jnp.where(is_even, START[ENEMY_1], START[ENEMY_2]) + _themed(
        entries(enemies.theme, enemy).astype(jnp.int32), SQUARE
    )
    for end, choice in reversed(choices):
        start = jnp.where(number < end, choice, start)
    # An enemy is turned at its first step.
    is_turned = (entries(enemies.vx, enemy) > 0) & (time > 0)
    is_mirrored = jnp.where(number >= _ENEMIES, is_turned, player.faces_left & (number == _AGENT))
    return start.astype(jnp.int32), is_mirrored


def _cell(scene: Scene, number: Int32[Array, ""]) -> UInt8[Array, ""]:
    row, column = tiles.cell_at(number % _CELLS + 1)
    return entries(scene.view.cells, row, column)


def _by_column(cells: UInt8[Array, "row column"]) -> UInt8[Array, "column number"]:
    """Cells in the order of drawing, with room for `COLUMN_STRIDE` in each column."""
    return jnp.pad(cells.T, ((0, 0), (0, COLUMN_STRIDE - WINDOW)))


def _themed(theme: Int32[Array, ""], shape: tuple[int, int]) -> Int32[Array, ""]:
    return theme * (shape[0] * shape[1])


def _crate(sprites: UInt8[Array, "*shape"], bit: int) -> UInt8[Array, "*shape"]:
    """1 + the crate's theme, or 0."""
    return (sprites >> np.uint8(bit)) & np.uint8(_THEME)


def _trail(number: Int32[Array, ""]) -> tuple[Int32[Array, ""], Int32[Array, ""]]:
    """Age of a trail, and the enemy that left it."""
    behind = jnp.clip(_TRAILS + _NUM_TRAILS - 1 - number, 0, _NUM_TRAILS - 1)
    return behind // MAX_ENEMIES, behind % MAX_ENEMIES


def _enemy(number: Int32[Array, ""]) -> Int32[Array, ""]:
    return jnp.clip(number - _ENEMIES, 0, MAX_ENEMIES - 1)


def _is_near(
    camera: Camera, x: Float32[Array, "*shape"], y: Float32[Array, "*shape"]
) -> Bool[Array, "*shape"]:
    return (jnp.abs(x - camera.x) < _REACH) & (jnp.abs(y - camera.y) < _REACH)
