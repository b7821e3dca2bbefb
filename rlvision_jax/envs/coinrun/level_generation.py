"""CoinRun's levels from their seeds, bit for bit Procgen's, and the stream of level seeds.

`level_sections` says what stands where; here it is laid out on the grid, all cells at once.
Source: openai/procgen, `game_reset` and the functions that it calls in
`procgen/src/games/coinrun.cpp`, `basic-abstract-game.cpp` and `game.cpp` of `procgen/src`.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt8, UInt32

from rlvision_jax.envs.coinrun.changed_levels import change_level
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import (
    COIN,
    ENEMY_BARRIER,
    LAVA_MID,
    LAVA_TOP,
    MAX_ENEMIES,
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
from rlvision_jax.envs.coinrun.level_sections import (
    MAX_PILE_HEIGHT,
    MAX_SECTION_DRAWS,
    MAX_SECTIONS,
    Course,
    Pile,
    Run,
    Section,
    draw_course,
)
from rlvision_jax.envs.coinrun.mersenne_twister import (
    after_first_outputs,
    draw,
    first_outputs,
    seeded,
)
from rlvision_jax.envs.coinrun.types import (
    Enemies,
    Level,
    LevelSet,
    MersenneTwister,
    Scenery,
)

# Four for the background and a place of the agent that is not used, two for themes, three for
# the course as a whole.
MAX_LEVEL_DRAWS = 9 + MAX_SECTIONS * MAX_SECTION_DRAWS

_SPACE, _WALL_MID, _WALL_TOP, _LAVA_MID, _LAVA_TOP = (
    np.uint8(tile) for tile in (SPACE, WALL_MID, WALL_TOP, LAVA_MID, LAVA_TOP)
)
_ENEMY_SPEED = np.float32(0.15)
_TABLE_BATCH = 256


def generate_level(seed: Int32[Array, ""], config: CoinRunConfig) -> Level:
    """The level with a given seed.

    Args:
      seed: 0 to 2^31 - 1. Other values make the level of the same 32 bits, as in Procgen.
      config: `distribution_mode` and `debug_mode` change the level, and so do `coin` and `themes`,
        which Procgen does not have; other options do not, for Procgen draws all the same and hides
        what is not to be seen. Static.

    Example:
      >>> generate = jax.jit(generate_level, static_argnames="config")
      >>> level = generate(jnp.int32(7), config=CoinRunConfig())
      >>> rows, columns = jnp.nonzero(level.grid == COIN)
      >>> print(rows, columns, level.enemies.exists.sum())
      [3] [38] 1
    """
    rng = seeded(seed.astype(jnp.uint32))
    outputs = first_outputs(rng, MAX_LEVEL_DRAWS)
    background_shift = outputs[0].astype(jnp.float32) * np.float32(2**-32)
    if config.distribution_mode == "easy":
        background = player_theme = ground_theme = jnp.int32(0)
        course_draw = 4
    else:
        background = _below(outputs[1], NUM_BACKGROUNDS)
        player_theme = _below(outputs[4], NUM_PLAYER_THEMES)
        ground_theme = _below(outputs[5], NUM_GROUND_THEMES)
        course_draw = 6
    course = draw_course(outputs, jnp.int32(course_draw), config)
    surface = _surface(course)
    level = Level(
        seed=seed,
        grid=_grid(course, surface),
        sprites=_sprites(course.sections, surface, outputs),
        enemies=_enemies(course.sections, outputs),
        player_theme=player_theme,
        scenery=Scenery(ground_theme, background, background_shift),
        rng=after_first_outputs(rng, course.num_drawn, MAX_LEVEL_DRAWS),
    )
    return change_level(level, config)


def next_level_seed(
    rng: MersenneTwister, level_set: LevelSet
) -> tuple[Int32[Array, ""], MersenneTwister]:
    """Draws the seed of the next episode's level.

    Args:
      rng: the environment's generator of level seeds.
      level_set: at least one level.

    Returns:
      The seed, and the generator after the draw.
    """
    output, rng = draw(rng)
    size = (level_set.high - level_set.low).astype(jnp.uint32)
    return level_set.low + jax.lax.rem(output, size).astype(jnp.int32), rng


def tabulate_levels(config: CoinRunConfig) -> Level:
    """All levels of the config's level set in order, in a leading axis; about 11 KB a level.

    Args:
      config: with `num_levels` above 0.

    Raises:
      ValueError: if `config.num_levels` is 0.
    """
    if config.num_levels == 0:
        raise ValueError(
            "a table of levels needs a level set; num_levels is 0, which means all 2^31 - 1 "
            "levels. Set num_levels, or generate each level when it is played"
        )
    return _tabulate(config)


@functools.partial(jax.jit, static_argnames="config")
def _tabulate(config: CoinRunConfig) -> Level:
    # The last batch overlaps the one before it.
    batch = min(_TABLE_BATCH, config.num_levels)
    generate = jax.vmap(functools.partial(generate_level, config=config))

    def add_batch(index: Array, table: Level) -> Level:
        first = jnp.minimum(index * batch, config.num_levels - batch)
        levels = generate(config.start_level + first + jnp.arange(batch))
        return jax.tree.map(
            lambda rows, new: jax.lax.dynamic_update_slice_in_dim(rows, new, first, 0),
            table,
            levels,
        )

    level = jax.eval_shape(generate, jax.ShapeDtypeStruct((batch,), jnp.int32))
    table = jax.tree.map(lambda x: jnp.zeros((config.num_levels, *x.shape[1:]), x.dtype), level)
    return jax.lax.fori_loop(0, -(-config.num_levels // batch), add_batch, table)


def _below(output: Array, bound: int) -> Array:
    return jax.lax.rem(output, jnp.full_like(output, bound)).astype(jnp.int32)


def _spread(start: Array, width: Array, value: Array, size: int) -> Array:
    """`value[i]` at the places `start[i]` to `start[i] + width[i]` - 1, and 0 elsewhere."""
    place = jnp.arange(size)[None]
    covers = (place >= start[:, None]) & (place < (start + width)[:, None])
    return jnp.sum(jnp.where(covers, value[:, None], 0), axis=0)


def _rows(run: Run) -> Array:
    """The run's row in each column; 0 in columns without it."""
    return _spread(run.start, run.width, run.row, WORLD_SIZE)


def _surface(course: Course) -> Array:
    """The first row above the ground in each column; beyond the world where it is all wall."""
    column = jnp.arange(WORLD_SIZE)
    section, pit = course.sections.ground, course.sections.pit
    in_pit = _rows(pit._replace(row=jnp.ones_like(pit.row)))
    surface = jnp.maximum(jnp.where(in_pit == 1, 1, _rows(section)), 1)
    surface = jnp.where(column == course.coin_column, course.coin_row, surface)
    is_wall = (column == 0) | (column > course.coin_column)
    return jnp.where(is_wall, WORLD_SIZE + 1, surface)


def _barriers(ground: Run) -> Array:
    """The row of the enemy barrier in each column; 0, or inside the ground, where there is none.

    They keep enemies from walking over a step: in the column before each section at the height
    of its ground, and in its first column at the height of the section before.
    """
    one = jnp.minimum(ground.width, 1)
    beside = _spread(ground.start - 1, one, ground.row, WORLD_SIZE)
    return beside + _spread(ground.start[1:], one[1:], ground.row[:-1], WORLD_SIZE)


def _grid(course: Course, surface: Array) -> UInt8[Array, "64 64"]:
    is_coin = jnp.arange(WORLD_SIZE) == course.coin_column
    platform = _as_cells(_rows(course.sections.platform))
    marker = _as_cells(jnp.where(is_coin, course.coin_row, _barriers(course.sections.ground)))
    marker_tile = _as_cells(jnp.where(is_coin, COIN, ENEMY_BARRIER))
    lava = _as_cells(_rows(course.sections.pit))
    surface = _as_cells(surface)
    row = np.arange(WORLD_SIZE, dtype=np.uint8)[:, None]

    # Row 0 stands for "none" above: it is ground in every column.
    grid = jnp.where(row <= lava, jnp.where(row == lava, _LAVA_TOP, _LAVA_MID), _SPACE)
    grid = jnp.where(row == platform, _WALL_TOP, grid)
    grid = jnp.where(row == marker, marker_tile, grid)
    ground = jnp.where(row + np.uint8(1) == surface, _WALL_TOP, _WALL_MID)
    return jnp.where((row < surface) | (row == WORLD_SIZE - 1), ground, grid)


def _sprites(
    sections: Section, surface: Array, outputs: UInt32[Array, " draw"]
) -> UInt8[Array, "64 64"]:
    # Sections have their columns to themselves, and no piles in the outermost. Each has two piles,
    # so a cell has two crates at most; there are none where its saw is.
    first, second = (_pile_themes(pile, outputs) for pile in sections.piles)
    has_first = first[0] > 0
    is_near_first = (has_first | jnp.roll(has_first, 1) | jnp.roll(has_first, -1))[None]
    lower = first + jnp.where(is_near_first, 0, second)
    upper = jnp.where(is_near_first, second, 0)
    crates = _as_cells(lower << 1 | upper << 4)
    saws = _as_cells(_rows(sections.saws))
    surface = _as_cells(surface)
    row = np.arange(WORLD_SIZE, dtype=np.uint8)[:, None]

    sprites = ((row == saws) & (row > 0)).astype(jnp.uint8)
    for up in range(MAX_PILE_HEIGHT):
        sprites |= jnp.where(row == surface + np.uint8(up), crates[up], np.uint8(0))
    return sprites


def _pile_themes(pile: Pile, outputs: UInt32[Array, " draw"]) -> Int32[Array, "up 64"]:
    """1 + the theme of the crate in each column, from the ground up; 0 where there is none."""
    themes = [
        jnp.where(up < pile.height, 1 + _below(outputs[pile.draw + up], NUM_CRATE_THEMES), 0)
        for up in range(MAX_PILE_HEIGHT)
    ]
    one = jnp.ones_like(pile.column)
    return jnp.stack([_spread(pile.column, one, theme, WORLD_SIZE) for theme in themes])


def _enemies(sections: Section, outputs: UInt32[Array, " draw"]) -> Enemies:
    run = sections.enemies
    end = jnp.cumsum(run.width)
    first = end - run.width
    slot = jnp.arange(MAX_ENEMIES)
    column, row, enemy_draw = (
        _spread(first, run.width, value, MAX_ENEMIES)
        for value in (run.start - first, run.row, sections.enemy_draw - 2 * first)
    )
    enemy_draw += 2 * slot
    goes_right = _below(outputs[enemy_draw], 2) == 1
    return Enemies(
        x=(column + slot).astype(jnp.float32) + 0.5,
        y=row.astype(jnp.float32) + 0.5,
        vx=jnp.where(goes_right, _ENEMY_SPEED, -_ENEMY_SPEED),
        theme=_below(outputs[enemy_draw + 1], NUM_ENEMY_THEMES).astype(jnp.uint8),
        exists=slot < end[-1],
    )


def _as_cells(values: Array) -> UInt8[Array, "*shape"]:
    """Values of columns in the form in which they spread over rows."""
    # Without the barrier the compiler computes them again in every row.
    return jax.lax.optimization_barrier(values.astype(jnp.uint8)[..., None, :])
