"""States that the library cannot read never reach it: it would end the process."""

import struct

import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs.procgen_state import check_state

END = struct.pack("<I", 0xCAFECAFE)


@pytest.fixture(scope="module")
def coinrun_state():
    env = envs.make("procgen:coinrun", num_envs=1, num_threads=0)
    (state,) = env.get_state()
    env.close()
    return state


def with_word(state, offset, value):
    return state[:offset] + struct.pack("<i", value) + state[offset:][4:]


def after_generators(state, count):
    """Where the field after the first `count` random generators begins."""
    offset = 4 + 4 + len("coinrun") + 17 * 4
    for _ in range(count):
        offset += 8 + struct.unpack_from("<i", state, offset + 4)[0]
    return offset


@pytest.mark.parametrize("game", envs.GAMES)
def test_states_of_all_games_pass_all_along(make_env, game):
    env = make_env(game, distribution_mode="hard")
    actions = np.random.default_rng(0).integers(0, 15, (60, 2))
    for row in actions:
        env.step(row)
        for state in env.get_state():
            check_state(state, game)


@pytest.mark.parametrize("game", envs.GAMES)
def test_a_state_cut_anywhere_is_refused(make_env, game):
    state = make_env(game).get_state()[0]
    cuts = np.random.default_rng(0).integers(0, len(state), 200)
    for cut in [*cuts, len(state) - 4, len(state) - 1]:
        for short in (state[:cut], state[:cut] + END):
            if short != state:
                with pytest.raises(ValueError, match=f"not a state of {game}: "):
                    check_state(short, game)


def test_a_state_of_another_game_is_refused_and_changes_nothing(make_env):
    env, maze = make_env(seed=3), make_env("maze")
    env.step([7, 7])
    before = env.get_state()
    with pytest.raises(ValueError, match='not a state of coinrun: its game is "maze"'):
        env.set_state([maze.get_state()[0], before[1]])
    with pytest.raises(ValueError, match='its game is "maze"'):
        env.set_state([before[1], maze.get_state()[0]])
    assert env.get_state() == before


@pytest.mark.parametrize("number", [0, 1, 3])
def test_there_is_one_state_for_each_environment(make_env, number):
    env = make_env()
    with pytest.raises(ValueError, match=f"one state for each environment, 2 in all; got {number}"):
        env.set_state((env.get_state() * 2)[:number])


@pytest.mark.parametrize("value", [None, "text", 3, np.zeros(4)])
def test_a_state_must_be_bytes(as_in_production, make_env, value):
    env = make_env()
    with pytest.raises(ValueError, match="a state must be bytes"):
        env.set_state([value, env.get_state()[0]])


@pytest.mark.parametrize(
    ("generators", "word", "value", "text"),
    [
        (0, -16, 1, "it uses generated assets"),
        (0, -10, 7, "its mode is 7"),
        (0, -4, 2**31 - 1, "its level set is empty"),
        (0, 0, 0, "a random generator has no seed"),
        (0, 1, -8, "cut short or has a bad length"),
        (2, 14, 1, "saved in the middle of a step"),
        (2, 16, 2**31 - 1, "cut short or has a bad length"),
        (2, 17 + 6, 5, r"it lacks entities of the types \[0\]"),
    ],
)
def test_fields_that_the_library_tests_are_checked(coinrun_state, generators, word, value, text):
    offset = after_generators(coinrun_state, generators) + 4 * word
    with pytest.raises(ValueError, match=text):
        check_state(with_word(coinrun_state, offset, value), "coinrun")


@pytest.mark.parametrize(
    ("offset", "value", "text"),
    [
        (-16464, 63, "its grid has a wrong size"),
        (-16420, 4095, "its grid has a wrong size"),
        (-4, 0, "its end marker is missing"),
    ],
)
def test_the_grid_and_the_end_are_checked(coinrun_state, offset, value, text):
    offset += len(coinrun_state)
    with pytest.raises(ValueError, match=text):
        check_state(with_word(coinrun_state, offset, value), "coinrun")


def test_another_version_is_refused(coinrun_state):
    with pytest.raises(ValueError, match="its version is 1, not 0"):
        check_state(with_word(coinrun_state, 0, 1), "coinrun")


def test_bytes_after_the_end_are_refused(coinrun_state):
    with pytest.raises(ValueError, match="it goes on after its end marker"):
        check_state(coinrun_state + END, "coinrun")


def test_a_generator_of_too_few_numbers_is_refused(coinrun_state):
    start = after_generators(coinrun_state, 0) + 8
    blank = coinrun_state.index(b" ", start)
    with pytest.raises(ValueError, match="a random generator is unreadable"):
        check_state(coinrun_state[:blank] + b"0" + coinrun_state[blank + 1 :], "coinrun")
