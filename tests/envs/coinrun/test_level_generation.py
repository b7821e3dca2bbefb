import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import host_entities, mersenne_twister
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import COIN, ENEMY, MAX_ENEMIES, PLAYER
from rlvision_jax.envs.coinrun.level_generation import (
    generate_level,
    next_level_seed,
    tabulate_levels,
)
from rlvision_jax.envs.coinrun.types import Enemies, Level, LevelSet, Scenery
from rlvision_jax.envs.procgen import FORCE_RESET, decode_state, encode_state
from rlvision_jax.envs.procgen_config import ACTION_NAMES

NUM_ENVS = 128
HARD = CoinRunConfig()


@functools.cache
def generator(config: CoinRunConfig):
    """Generates a batch of levels; compiled once."""
    return jax.jit(jax.vmap(functools.partial(generate_level, config=config)))


def generate(seeds, config=HARD):
    return jax.tree.map(np.asarray, generator(config)(jnp.asarray(seeds)))


def at(index, batch):
    return jax.tree.map(lambda field: field[index], batch)


def procgen_level(saved):
    """The level in a game that Procgen saved at the start of an episode."""
    entities = saved.entities
    (player,) = entities[entities["type"] == PLAYER]
    enemies = entities[entities["type"] == ENEMY]
    slots = np.pad(enemies, (0, MAX_ENEMIES - len(enemies)))
    themes = slots["image_theme"].astype(np.uint8)
    scenery = saved.wall_theme, saved.background_index, np.float32(saved.bg_pct_x)
    return Level(
        seed=jnp.int32(saved.current_level_seed),
        grid=jnp.asarray(saved.grid.reshape(64, 64).astype(np.uint8)),
        sprites=jnp.asarray(host_entities.read(saved).sprites),
        enemies=Enemies(
            *map(jnp.asarray, (slots["x"], slots["y"], slots["vx"], themes)),
            exists=jnp.arange(MAX_ENEMIES) < len(enemies),
        ),
        player_theme=jnp.int32(player["image_theme"]),
        scenery=Scenery(*map(jnp.asarray, scenery)),
        rng=mersenne_twister.from_words(saved.rand_gen.words, saved.rand_gen.position),
    )


def without_free_slots(levels):
    exists = levels.enemies.exists
    enemies = jax.tree.map(lambda field: np.where(exists, field, 0), levels.enemies)
    return levels._replace(enemies=enemies)


def assert_same_levels(levels, others):
    levels, others = without_free_slots(levels), without_free_slots(others)
    paths = jax.tree_util.tree_leaves_with_path(levels)
    for (path, field), other in zip(paths, jax.tree.leaves(others), strict=True):
        np.testing.assert_array_equal(field, other, jax.tree_util.keystr(path))


def assert_levels_are_procgens(env, config=HARD):
    saved = [decode_state(state) for state in env.get_state()]
    expected = jax.tree.map(lambda *fields: np.stack(fields), *map(procgen_level, saved))
    assert_same_levels(generate(expected.seed, config), expected)
    return expected


@pytest.mark.parametrize(
    ("mode", "debug_mode"), [("hard", 0), ("hard", 2), ("easy", 0), ("easy", 12)]
)
def test_levels_match_procgen(make_env, mode, debug_mode):
    options = {"distribution_mode": mode, "debug_mode": debug_mode}
    env = make_env(num_envs=NUM_ENVS, seed=1, **options)
    for _ in range(2):
        assert_levels_are_procgens(env, CoinRunConfig(**options))
        env.step(np.full(NUM_ENVS, FORCE_RESET))


@pytest.mark.parametrize("start_level", [0, 2**31 - 1 - NUM_ENVS])
def test_levels_of_the_smallest_and_largest_seeds_match_procgen(make_env, start_level):
    env = make_env(
        num_envs=NUM_ENVS, distribution_mode="hard", start_level=start_level, num_levels=NUM_ENVS
    )
    levels = assert_levels_are_procgens(env)
    assert start_level <= levels.seed.min() <= levels.seed.max() < start_level + NUM_ENVS


def test_levels_of_negative_seeds_match_procgen(make_env):
    # Sequential levels go on from -2^31 after 2^31 - 1. The agent is put onto the coin.
    env = make_env(num_envs=NUM_ENVS, distribution_mode="hard", use_sequential_levels=True)
    states = []
    for index, state in enumerate(env.get_state()):
        saved = decode_state(state)
        row, column = np.argwhere(saved.grid.reshape(64, 64) == COIN)[0]
        entities = saved.entities.copy()
        entities["x"][0], entities["y"][0] = column + 0.5, row + 0.5787
        seed = 2**31 - 1 - index
        states.append(encode_state(saved._replace(current_level_seed=seed, entities=entities)))
    env.set_state(states)
    assert env.step(np.full(NUM_ENVS, ACTION_NAMES.index("none"))).level_complete.all()
    levels = assert_levels_are_procgens(env)
    np.testing.assert_array_equal(levels.seed, 996 - 2**31 - np.arange(NUM_ENVS))


def test_options_of_the_picture_do_not_change_the_level(make_env):
    options = {"restrict_themes": True, "use_monochrome_assets": True, "use_backgrounds": False}
    env = make_env(num_envs=NUM_ENVS, distribution_mode="hard", **options)
    levels = assert_levels_are_procgens(env)
    # Themes are drawn, though all are shown as theme 0.
    assert levels.scenery.ground_theme.max() > 0


def test_steps_continue_the_levels_generator(make_env):
    env = make_env(num_envs=NUM_ENVS, distribution_mode="hard")
    rngs = generate(env.reset().level_seed).rng
    outputs, rngs = jax.jit(jax.vmap(mersenne_twister.draw))(rngs)
    # Nothing moves the agent away from its start, where nothing reaches it.
    assert not env.step(np.full(NUM_ENVS, ACTION_NAMES.index("none"))).first.any()
    for index, state in enumerate(env.get_state()[:8]):
        saved = decode_state(state)
        assert saved.step_rand_int == int(outputs[index]) % 1_000_000
        words = mersenne_twister.to_words(at(index, rngs))
        assert saved.rand_gen == saved.rand_gen.from_words(*words)


@pytest.mark.parametrize(
    ("num_levels", "start_level"), [(0, 0), (1, 5), (10, 2**31 - 11), (200, 0), (1_000_003, 77)]
)
def test_level_seeds_match_procgen(make_env, num_levels, start_level):
    options = {"num_levels": num_levels, "start_level": start_level}
    env = make_env(num_envs=64, seed=2024, **options)
    level_set = LevelSet(*map(jnp.int32, CoinRunConfig(**options).level_bounds))
    draw = jax.jit(jax.vmap(next_level_seed, in_axes=(0, None)))
    seeds = mersenne_twister.env_seeds(2024, 64)
    rngs = jax.vmap(mersenne_twister.seeded)(jnp.asarray(seeds))
    step = env.reset()
    for _ in range(20):
        drawn, rngs = draw(rngs, level_set)
        np.testing.assert_array_equal(drawn, step.level_seed)
        step = env.step(np.full(64, FORCE_RESET))
    _, rngs = draw(rngs, level_set)
    for index, state in enumerate(env.get_state()):
        rand_gen = decode_state(state).level_seed_rand_gen
        assert rand_gen == rand_gen.from_words(*mersenne_twister.to_words(at(index, rngs)))


def test_level_does_not_depend_on_the_others_of_its_batch():
    num_traces = 0

    @jax.jit
    def generate_one(seed):
        nonlocal num_traces
        num_traces += 1
        return generate_level(seed, HARD)

    levels = generate(np.arange(NUM_ENVS, dtype=np.int32) * 16_777_213)
    for index in range(4):
        assert_same_levels(generate_one(levels.seed[index]), at(index, levels))
    assert num_traces == 1


# A table in one batch, and in batches of which the last overlaps the one before.
@pytest.mark.parametrize("num_levels", [1, 2 * NUM_ENVS + 100])
def test_table_holds_the_level_set_in_order(num_levels):
    start_level = 2**31 - 1 - num_levels
    table = tabulate_levels(CoinRunConfig(num_levels=num_levels, start_level=start_level))
    seeds = start_level + np.arange(num_levels, dtype=np.int32)
    np.testing.assert_array_equal(table.seed, seeds)
    for index in (slice(NUM_ENVS), slice(-NUM_ENVS, None)):
        expected = generate(np.resize(seeds[index], NUM_ENVS))
        rows = min(num_levels, NUM_ENVS)
        assert_same_levels(at(index, table), at(slice(rows), expected))


def test_table_of_all_levels():
    with pytest.raises(ValueError, match=r"num_levels is 0, which means all 2\^31 - 1 levels"):
        tabulate_levels(CoinRunConfig())
