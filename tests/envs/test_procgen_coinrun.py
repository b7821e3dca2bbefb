"""A saved game of CoinRun as a record: every byte has a name, and comes back."""

import struct

import numpy as np
import pytest

from rlvision_jax.envs.procgen import ACTION_NAMES, CoinRunState, decode_state, encode_state
from rlvision_jax.envs.procgen_coinrun import ENTITY
from rlvision_jax.envs.procgen_randgen import RandGen

PLAYER, ENEMY, TRAIL = 0, 5, 59
RIGHT, RIGHT_UP = ACTION_NAMES.index("right"), ACTION_NAMES.index("right+up")


@pytest.fixture
def state(make_env):
    return make_env(seed=3).get_state()[0]


@pytest.mark.parametrize("mode", ["easy", "hard"])
@pytest.mark.parametrize("painted", [False, True])
def test_bytes_come_back_from_every_moment_of_play(make_env, mode, painted):
    env = make_env(distribution_mode=mode, paint_velocity=painted, num_envs=8, seed=5)
    actions = np.random.default_rng(0).integers(0, 15, (40, 8))
    for row in actions:
        env.step(row)
        for state in env.get_state():
            assert encode_state(decode_state(state)) == state


def test_options_are_found_under_their_names(make_env):
    env = make_env(
        distribution_mode="hard",
        paint_velocity=True,
        use_backgrounds=False,
        restrict_themes=True,
        use_monochrome_assets=True,
        use_sequential_levels=True,
        center_agent=False,
        debug_mode=12,
        start_level=70,
        num_levels=30,
    )
    first, second = (decode_state(state) for state in env.get_state())
    assert (first.paint_vel_info, first.use_backgrounds, first.restrict_themes) == (1, 0, 1)
    assert (first.use_monochrome_assets, first.use_sequential_levels) == (1, 1)
    assert (first.center_agent, first.debug_mode, first.distribution_mode) == (0, 12, 1)
    assert (first.level_seed_low, first.level_seed_high) == (70, 100)
    assert (first.game_n, second.game_n) == (0, 1)


def test_fields_follow_the_game(make_env):
    env = make_env(distribution_mode="hard", num_levels=1, start_level=11)
    opening = decode_state(env.get_state()[0])
    for _ in range(3):
        step = env.step([RIGHT_UP, RIGHT_UP])
    state = decode_state(env.get_state()[0])
    assert state.cur_time == 3
    assert (state.action, state.move_action, state.special_action) == (RIGHT_UP, RIGHT_UP, 0)
    assert (state.action_vx, state.current_level_seed) == (1.0, 11)
    assert state.reward == step.reward[0]
    agent, enemies = state.entities[0], opening.entities["type"] == ENEMY
    assert agent["type"] == PLAYER
    assert agent["x"] == state.center_x > opening.entities[0]["x"]
    assert agent["y"] == state.last_agent_y > opening.last_agent_y
    # Each enemy leaves one trail a step.
    assert np.count_nonzero(state.entities["type"] == TRAIL) == 3 * np.count_nonzero(enemies) > 0
    # The coin stands on the ground column that ends the level.
    ((coin_y,), (coin_x,)) = np.nonzero(state.grid == 1)
    assert state.grid[coin_y - 1, coin_x] == 16
    assert (state.grid[:, coin_x + 1 :] == 15).all()


def test_the_library_plays_an_edited_record(make_env):
    env = make_env(num_levels=1, start_level=0)
    state = decode_state(env.get_state()[0])
    ((coin_y,), (coin_x,)) = np.nonzero(state.grid == 1)
    grid = state.grid.copy()
    grid[coin_y, coin_x], grid[1, 2] = 100, 1
    env.set_state([encode_state(state._replace(grid=grid))] * 2)
    rewards = [env.step([RIGHT, RIGHT]).reward[0] for _ in range(5)]
    assert max(rewards) == 10.0


def test_generators_give_the_numbers_that_the_game_draws(make_env):
    """The level seed is the first draw of a generator seeded by the environment's seed."""
    state = decode_state(make_env(seed=9).get_state()[0])
    generator = state.level_seed_rand_gen
    assert (generator.is_seeded, generator.position) == (1, 1)
    word = int(generator.words[0])
    word ^= word >> 11
    word ^= (word << 7) & 0x9D2C5680
    word ^= (word << 15) & 0xEFC60000
    word ^= word >> 18
    assert state.current_level_seed == word % (2**31 - 1)


def test_generators_are_written_as_they_were_read(make_env):
    state = decode_state(make_env().get_state()[0])
    for generator in (state.rand_gen, state.level_seed_rand_gen):
        assert RandGen.from_words(generator.words, generator.position) == generator


@pytest.mark.parametrize("text", [b"1 2 3", b"x " * 624 + b"1", b"4294967296 " * 624 + b"1"])
def test_damaged_words_of_a_generator_are_refused(text):
    with pytest.raises(ValueError, match="624 words of 32 bits and a position up to 624; got b"):
        _ = RandGen(1, text).words


@pytest.mark.parametrize("position", [b"625", b"-1", b"x", b""])
def test_a_damaged_position_of_a_generator_is_refused(position):
    with pytest.raises(ValueError, match="and a position up to 624; got position b"):
        _ = RandGen(1, b"1 " * 624 + position).position


def test_a_generator_is_made_of_words_within_the_round():
    with pytest.raises(ValueError, match="position must be from 0 to 624; got 625"):
        RandGen.from_words(np.zeros(624, np.uint32), 625)


def test_decoded_arrays_are_read_only(state):
    decoded = decode_state(state)
    for array in (decoded.grid, decoded.entities):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_a_state_of_another_game_is_refused(make_env):
    with pytest.raises(ValueError, match='not a state of coinrun: its game is "maze"'):
        decode_state(make_env("maze").get_state()[0])


def test_a_state_of_another_version_is_refused(state):
    with pytest.raises(ValueError, match="its version is 7, not 0"):
        decode_state(struct.pack("<i", 7) + state[4:])


@pytest.mark.parametrize("length", [0, 60, 7_000, -1])
def test_a_state_cut_short_is_refused(state, length):
    with pytest.raises(ValueError, match="not a state of coinrun: it is cut short"):
        decode_state(state[:length])


def test_a_state_must_be_bytes(as_in_production):
    with pytest.raises(ValueError, match=r"must be bytes from get_state\(\); got str"):
        decode_state("coinrun")  # pyright: ignore[reportArgumentType]


def test_a_world_of_another_size_is_refused(state):
    """Procgen could hold it: 32 rows less, said so in each place."""
    decoded = decode_state(state)
    head, tail = state[:-16_464], state[-32:]
    view = struct.pack("<2i", 64, 32) + state[-16_464 + 8 : -16_428]
    cells = decoded.grid[:32].tobytes()
    small = head + view + struct.pack("<3i", 64, 32, 64 * 32) + cells + tail
    with pytest.raises(ValueError, match="its world is 64x32, not 64x64"):
        decode_state(small)


def test_records_that_the_library_could_not_read_are_refused(as_in_production, state):
    decoded: CoinRunState = decode_state(state)
    with pytest.raises(ValueError, match="it lacks entities of the types"):
        encode_state(decoded._replace(entities=decoded.entities[1:]))
    with pytest.raises(ValueError, match="its level set is empty"):
        encode_state(decoded._replace(level_seed_high=0))
    with pytest.raises(ValueError, match=r"grid must be int32 of shape \(64, 64\); got int64"):
        encode_state(decoded._replace(grid=decoded.grid.astype(np.int64)))
    with pytest.raises(ValueError, match=r"entities must be one row .* got shape"):
        encode_state(decoded._replace(entities=np.zeros((1, 1), ENTITY)))
    with pytest.raises(ValueError, match=r"integer of 32 bits.*'cur_time': 4294967296"):
        encode_state(decoded._replace(cur_time=2**32))
