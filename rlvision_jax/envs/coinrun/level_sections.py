"""What CoinRun's level generator draws: one to five sections, each of ground or with a pit.

Draw for draw `generate_coin_to_the_right` of openai/procgen, `procgen/src/games/coinrun.cpp`,
without the branches that no level takes. A level of difficulty 1, 2 or 3 has 1, 2-3 or 3-5
sections of width 3-4, 3-6 or 4-9. So:

- The last section starts in column 41 at most (5 + 4 * 9), where Procgen's room for it ends at 48.
- The ground steps up by 5 rows at most, Procgen's limit, and only from below row 20. So nothing
  stands above row 26 (19 + 5, and a pile of 3 crates).
- A pit needs a width above 7, so difficulty 3, and is 2 to 7 wide; 7 is Procgen's limit.
- There are at most MAX_ENEMIES enemies: 7 in each of five pits.
- A section takes at most 23 draws: 7 for itself and its pit, 14 for seven enemies and 2 for a
  platform. One of ground takes at most 22: 4 for itself, 6 for a saw and an enemy, 12 for crates.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, UInt32

from rlvision_jax.envs.coinrun.config import CoinRunConfig

MAX_SECTIONS = 5
MAX_SECTION_DRAWS = 23
MAX_PILE_HEIGHT = 3
FIRST_COLUMN = 5

_NO_PITS, _NO_CRATES, _FLAT = 2, 4, 8
_LAVA, _SAWS, _ENEMIES = 0, 1, 2
_MIN_PIT_SECTION_WIDTH = 8
_PLATFORM_PIT_WIDTH = 5


class Run(NamedTuple):
    """Objects of one kind side by side.

    Attributes:
      start, width: columns `start` to `start + width` - 1.
      row: their row.
    """

    start: Int32[Array, ""]
    width: Int32[Array, ""]
    row: Int32[Array, ""]


class Pile(NamedTuple):
    """Crates on top of each other, from the ground up.

    Attributes:
      column: where they stand.
      height: how many there are.
      draw: index of the draw of the lowest one's theme; the others' follow.
    """

    column: Int32[Array, ""]
    height: Int32[Array, ""]
    draw: Int32[Array, ""]


class Section(NamedTuple):
    """A part of the level between two steps of the ground; all 0 where the level has fewer.

    Attributes:
      ground: its columns; `row` is the first row above the ground.
      pit: columns without ground; `row` is the surface of the lava, 0 if there is none.
      platform: tiles that hang over the pit.
      saws, enemies: where they start.
      enemy_draw: index of the first enemy's first draw; each takes two.
      piles: the first and the second pile of crates.
    """

    ground: Run
    pit: Run
    platform: Run
    saws: Run
    enemies: Run
    enemy_draw: Int32[Array, ""]
    piles: tuple[Pile, Pile]


class Course(NamedTuple):
    """All sections of a level.

    Attributes:
      sections: in a leading axis of `MAX_SECTIONS`.
      coin_column, coin_row: where they lead to.
      num_drawn: draws of the level up to here.
    """

    sections: Section
    coin_column: Int32[Array, ""]
    coin_row: Int32[Array, ""]
    num_drawn: Int32[Array, ""]


class _Draws:
    """Takes draws one after another, from an index that is only known at run time.

    Attributes:
      outputs: of the generator.
      index: of the next draw.
    """

    def __init__(self, outputs: UInt32[Array, " draw"], index: Int32[Array, ""]):
        self.outputs = outputs
        self.index = index

    def below(self, bound: int | Array, taken: bool | Array = True) -> Array:
        """The next draw, from 0 to `bound` - 1; if not `taken`, it is left to the next call."""
        output = jax.lax.dynamic_index_in_dim(self.outputs, self.index, keepdims=False)
        self.skip(taken)
        return jax.lax.rem(output, jnp.asarray(bound).astype(jnp.uint32)).astype(jnp.int32)

    def skip(self, count: int | bool | Array) -> Array:
        """Leaves out draws; returns the index of the first."""
        first = self.index
        self.index += jnp.asarray(count).astype(jnp.int32)
        return first


def draw_course(
    outputs: UInt32[Array, " draw"], index: Int32[Array, ""], config: CoinRunConfig
) -> Course:
    """Draws all sections.

    Args:
      outputs: of the level's generator.
      index: of the first draw.
      config: its `distribution_mode` and `debug_mode` matter. Static.
    """
    draws = _Draws(outputs, index)
    difficulty = draws.below(3) + 1
    num_sections = draws.below(difficulty) + difficulty
    danger = draws.below(3)

    def add_section(carry: tuple[Array, ...], number: Array) -> tuple[tuple[Array, ...], Section]:
        start, row, index = carry
        draws = _Draws(outputs, index)
        section = _draw_section(draws, start, row, difficulty, danger, config)
        exists = number < num_sections
        following = start + section.ground.width, section.ground.row, draws.index
        carry = jax.tree.map(lambda new, old: jnp.where(exists, new, old), following, carry)
        return carry, jax.tree.map(lambda field: jnp.where(exists, field, 0), section)

    carry = jnp.int32(FIRST_COLUMN), jnp.int32(1), draws.index
    carry, sections = jax.lax.scan(add_section, carry, jnp.arange(MAX_SECTIONS))
    return Course(sections, *carry)


def _draw_section(
    draws: _Draws, start: Array, row: Array, difficulty: Array, danger: Array, config: CoinRunConfig
) -> Section:
    is_hardest = (difficulty == 3).astype(jnp.int32)
    rise = draws.below(4) + 1 + is_hardest
    if config.debug_mode & _FLAT:
        rise = jnp.int32(0)
    may_fall = (row >= 5) & (row < 20)
    falls = (draws.below(2, may_fall) == 1) & may_fall | (row >= 20)
    width = draws.below(2 * difficulty) + 3 + is_hardest
    height = jnp.maximum(row + jnp.where(falls, -rise, rise), 1)

    may_have_pit = (width >= _MIN_PIT_SECTION_WIDTH) & (height > 3)
    if config.debug_mode & _NO_PITS:
        may_have_pit = jnp.bool_(False)
    has_pit = (draws.below(20, may_have_pit) >= difficulty) & may_have_pit

    pit_draws = _Draws(draws.outputs, draws.index)
    pit = _draw_pit(pit_draws, start, width, height, danger)
    ground = _draw_ground(draws, start, width, height, difficulty, config)
    draws.index = jnp.where(has_pit, pit_draws.index, draws.index)
    return jax.tree.map(lambda a, b: jnp.where(has_pit, a, b), pit, ground)


def _draw_pit(draws: _Draws, start: Array, width: Array, height: Array, danger: Array) -> Section:
    left = draws.below(3) + 1
    right = draws.below(3) + 1
    pit = start + left
    pit_width = width - left - right
    lava = draws.below(jnp.maximum(height - 3, 1)) + 1

    num_enemies = jnp.where(danger == _ENEMIES, pit_width, 0)
    enemy_draw = draws.skip(2 * num_enemies)

    has_platform = pit_width >= _PLATFORM_PIT_WIDTH
    first, second = draws.below(2, has_platform), draws.below(2, has_platform)
    platform = pit + first + jnp.where(pit_width == _PLATFORM_PIT_WIDTH, 1, 2)
    platform_width = jnp.where(pit_width == 7, 3 - first - second, 1 + second)

    one, none = jnp.int32(1), jnp.int32(0)
    return Section(
        ground=Run(start, width, height),
        pit=Run(pit, pit_width, jnp.where(danger == _LAVA, lava, 0)),
        platform=Run(platform, jnp.where(has_platform, platform_width, 0), height - 1),
        saws=Run(pit, jnp.where(danger == _SAWS, pit_width, 0), one),
        enemies=Run(pit, num_enemies, one),
        enemy_draw=enemy_draw,
        piles=(Pile(none, none, none), Pile(none, none, none)),
    )


def _draw_ground(
    draws: _Draws,
    start: Array,
    width: Array,
    height: Array,
    difficulty: Array,
    config: CoinRunConfig,
) -> Section:
    inner_width = width - 2
    has_room = width > 3
    has_saw = (draws.below(10) < 2 * difficulty) & has_room
    saw = start + 1 + draws.below(inner_width, has_saw)
    has_enemy = (draws.below(10) < difficulty) & has_room
    if config.distribution_mode == "easy":
        has_enemy = jnp.bool_(False)  # Decided after the draw, as in Procgen.
    enemy = start + 1 + draws.below(inner_width, has_enemy)
    enemy_draw = draws.skip(2 * has_enemy)

    def draw_pile() -> Pile:
        column = start + 1 + draws.below(inner_width)
        is_free = ~(has_saw & (column == saw)) & ~(has_enemy & (column == enemy))
        exists = (draws.below(2) == 1) & is_free
        pile_height = jnp.where(exists, draws.below(MAX_PILE_HEIGHT, exists) + 1, 0)
        return Pile(column, pile_height, draws.skip(pile_height))

    none = jnp.int32(0)
    if config.debug_mode & _NO_CRATES:
        piles = Pile(none, none, none), Pile(none, none, none)
    else:
        piles = draw_pile(), draw_pile()
    return Section(
        ground=Run(start, width, height),
        pit=Run(none, none, none),
        platform=Run(none, none, none),
        saws=Run(saw, has_saw.astype(jnp.int32), height),
        enemies=Run(enemy, has_enemy.astype(jnp.int32), height),
        enemy_draw=enemy_draw,
        piles=piles,
    )
