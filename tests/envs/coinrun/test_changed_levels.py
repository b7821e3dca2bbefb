"""Changed levels: the coin alone moves, to where it can be reached; or the scenery alone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs.coinrun import changed_levels
from rlvision_jax.envs.coinrun.changed_levels import END_GAP, FIRST_PLACE
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import (
    COIN,
    NUM_BACKGROUNDS,
    NUM_GROUND_THEMES,
    SPACE,
    WALL_TOP,
)
from rlvision_jax.envs.coinrun.level_generation import generate_level
from rlvision_jax.envs.coinrun.physics import FailureCause
from rlvision_jax.envs.coinrun.replays import PlayedLevel, level_ends
from rlvision_jax.envs.procgen import ACTION_NAMES, decode_state

SEEDS = np.arange(1024, dtype=np.int32)
BATCH = 128  # as in test_level_generation.py, which has compiled it then


@functools.cache
def levels():
    """Levels as they are."""
    generate = jax.jit(jax.vmap(functools.partial(generate_level, config=CoinRunConfig())))
    batches = [generate(jnp.asarray(SEEDS[i : i + BATCH])) for i in range(0, len(SEEDS), BATCH)]
    return jax.tree.map(lambda *parts: np.concatenate(parts), *batches)


@functools.cache
def changed(**changes):
    """The same, changed."""
    config = CoinRunConfig(**changes)
    change = jax.jit(jax.vmap(functools.partial(changed_levels.change_level, config=config)))
    return jax.tree.map(np.asarray, change(levels()))


def coins(grids):
    """Column and row of each level's coin, of which there must be one."""
    index, rows, columns = np.nonzero(grids == COIN)
    np.testing.assert_array_equal(index, np.arange(len(grids)))
    return columns, rows


@pytest.fixture
def moved():
    return levels(), changed(coin="moved")


def test_only_the_coin_moves(moved):
    own, other = moved
    assert ((own.grid != other.grid).sum((1, 2)) == 2).all()
    np.testing.assert_array_equal(
        np.where(own.grid == COIN, SPACE, own.grid), np.where(other.grid == COIN, SPACE, other.grid)
    )
    for name, theirs, ours in zip(own._fields, own, other, strict=True):
        if name != "grid":
            jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_the_end_is_where_the_coin_was(moved):
    own, other = moved
    for level in moved:
        end = jax.vmap(changed_levels.end_of_level)(level.grid)
        np.testing.assert_array_equal(np.stack(end), np.stack(coins(own.grid)))
    place = jax.vmap(changed_levels.coin_place)(other.grid)
    np.testing.assert_array_equal(np.stack(place), np.stack(coins(other.grid)))


def test_the_coin_lies_on_ground_or_platform_with_nothing_in_the_way(moved):
    own, other = moved
    end, _ = coins(own.grid)
    columns, rows = coins(other.grid)
    assert (columns >= FIRST_PLACE).all()
    assert (columns <= end - END_GAP).all()
    everyone = np.arange(len(SEEDS))
    assert (own.grid[everyone, rows - 1, columns] == WALL_TOP).all()
    assert (own.grid[everyone, rows, columns] == SPACE).all()
    assert (own.sprites[everyone, rows, columns] == 0).all()
    is_there = (np.floor(own.enemies.x) == columns[:, None]) & (
        np.floor(own.enemies.y) == rows[:, None]
    )
    assert not (is_there & own.enemies.exists).any()
    # Nothing to stand on hangs over it, such as the platform over the floor of a pit.
    tops = np.where(own.grid == WALL_TOP, np.arange(64)[:, None], -1).max(1)
    np.testing.assert_array_equal(tops[everyone, columns], rows - 1)


def test_places_are_drawn_evenly(moved):
    own, other = moved
    has_place, _ = map(
        np.asarray,
        jax.jit(jax.vmap(changed_levels.standing_places))(own.grid, own.sprites, own.enemies),
    )
    counts = has_place.sum(1)
    columns, _ = coins(other.grid)
    number = (has_place & (np.arange(64) < columns[:, None])).sum(1)
    several = counts > 1
    position = (number[several] + 0.5) / counts[several]
    # The mean of uniform numbers has a standard error of 0.29 / sqrt(n); four of them.
    assert abs(position.mean() - 0.5) < 4 * 0.29 / np.sqrt(several.sum())
    assert number.max() > 10


def test_themes_are_drawn_anew_and_nothing_else_is():
    own, other = levels(), changed(themes="random")
    scenery = other.scenery
    assert set(scenery.ground_theme.tolist()) == set(range(NUM_GROUND_THEMES))
    assert set(scenery.background.tolist()) == set(range(NUM_BACKGROUNDS))
    # Independent of what the level had: one background in 62 is the same again.
    same = (own.scenery.background == scenery.background).mean()
    assert same < 1 / 62 + 4 * np.sqrt(1 / 62 / len(SEEDS))  # four standard errors
    themes = own.scenery._replace(ground_theme=scenery.ground_theme, background=scenery.background)
    jax.tree.map(np.testing.assert_array_equal, other, own._replace(scenery=themes))


def test_another_change_seed_draws_otherwise():
    both = changed(coin="moved", themes="random", change_seed=1)
    assert (both.grid != changed(coin="moved").grid).any((1, 2)).mean() > 0.5
    themes = changed(themes="random").scenery
    assert (both.scenery.background != themes.background).mean() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"change_seed": -1}, "change_seed must be"),
        ({"themes": "random", "restrict_themes": True}, "contradicts restrict_themes"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        CoinRunConfig(**options)


def test_how_far_a_failed_level_went():
    """Level 17 of the easy mode ends at a saw: the agent's x as Procgen tells it, step by step."""
    options = {"num_levels": 1, "start_level": 17, "distribution_mode": "easy"}
    env = envs.make("procgen:coinrun", num_envs=1, num_threads=1, **options)
    env.reset()
    right_up, places, ended = ACTION_NAMES.index("right+up"), [], False
    while not ended:
        places.append(float(decode_state(env.get_state()[0]).entities[0]["x"]))
        ended = bool(env.step(np.asarray([right_up], np.int32)).terminated[0])
    env.close()
    played = PlayedLevel(17, [right_up] * len(places))
    still = PlayedLevel(3, [ACTION_NAMES.index("none")] * 1000)
    ends = level_ends([played, still], CoinRunConfig(distribution_mode="easy"))
    assert [end.cause for end in ends] == [FailureCause.SAW, FailureCause.TIMEOUT]
    # The step that ended the level, after which Procgen shows the next one, moved by half a tile
    # at most.
    assert max(places) <= ends[0].furthest <= max(places) + 0.5
    assert ends[1].furthest == 1.5  # where every level begins
