import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import mersenne_twister
from rlvision_jax.envs.coinrun.mersenne_twister import MAX_FIRST_OUTPUTS, NUM_WORDS
from rlvision_jax.envs.procgen import decode_state

SEEDS = (0, 1, 5489, 2**31 - 2, 2**32 - 1)
# On both sides of the ends of the runs in which words are renewed, and in the second round.
NUM_DRAWN = (0, 1, 50, 226, 227, 300, 397, 453, 454, 500, 623, 624, 625, 1100)


def numpy_twister(seed, num_drawn=0):
    """NumPy's mt19937, after some draws. It renews all words at once, as libstdc++ does."""
    twister = np.random.RandomState(seed)._bit_generator
    if num_drawn:
        twister.random_raw(num_drawn)
    return twister


def numpy_words(twister):
    state = twister.state["state"]
    return state["key"].astype(np.uint32), state["pos"]


@jax.jit
def draw_3000(rng):
    def draw(rng, _):
        output, rng = mersenne_twister.draw(rng)
        return rng, output

    return jax.lax.scan(draw, rng, None, length=3000)[1]


@jax.jit
def after(rng, num_drawn):
    return jax.lax.fori_loop(0, num_drawn, lambda _, rng: mersenne_twister.draw(rng)[1], rng)


def assert_same_rng(rng, other):
    np.testing.assert_array_equal(rng.position, other.position)
    np.testing.assert_array_equal(rng.words, other.words)


def test_ten_thousandth_draw_is_what_the_cpp_standard_says():
    # [rand.predef] in C++11: that of a default-constructed std::mt19937.
    rng = after(mersenne_twister.seeded(jnp.uint32(5489)), 9_999)
    assert int(mersenne_twister.draw(rng)[0]) == 4123659995


def test_draws_against_numpy():
    rngs = jax.vmap(mersenne_twister.seeded)(jnp.array(SEEDS, jnp.uint32))
    for seed, outputs in zip(SEEDS, jax.vmap(draw_3000)(rngs), strict=True):
        np.testing.assert_array_equal(outputs, numpy_twister(seed).random_raw(3000))


def test_first_outputs_are_the_first_draws():
    rng = mersenne_twister.seeded(jnp.uint32(7))
    outputs = mersenne_twister.first_outputs(rng, MAX_FIRST_OUTPUTS)
    np.testing.assert_array_equal(outputs, draw_3000(rng)[:MAX_FIRST_OUTPUTS])


@pytest.mark.parametrize("num_drawn", [0, 1, 100, 226, 227])
def test_generator_after_its_first_outputs(num_drawn):
    rng = mersenne_twister.seeded(jnp.uint32(7))
    skipped = mersenne_twister.after_first_outputs(rng, jnp.int32(num_drawn), MAX_FIRST_OUTPUTS)
    assert_same_rng(skipped, after(rng, num_drawn))


@pytest.mark.parametrize("count", [0, 228])
def test_number_of_first_outputs_out_of_range(count):
    rng = mersenne_twister.seeded(jnp.uint32(7))
    with pytest.raises(ValueError, match=f"count must be from 1 to 227; got {count}"):
        mersenne_twister.first_outputs(rng, count)


@pytest.mark.parametrize("num_drawn", NUM_DRAWN)
def test_conversion_from_and_to_the_form_that_renews_all_words_at_once(num_drawn):
    words, position = numpy_words(numpy_twister(42, num_drawn))
    rng = mersenne_twister.from_words(words, position)
    assert_same_rng(rng, after(mersenne_twister.seeded(jnp.uint32(42)), num_drawn))
    words_again, position_again = mersenne_twister.to_words(rng)
    assert position_again == position
    assert words_again.tobytes() == words.tobytes()


def test_words_of_which_none_has_been_drawn_are_the_same_generator():
    words, _ = numpy_words(numpy_twister(3, num_drawn=1))
    rng = mersenne_twister.from_words(words, 0)
    np.testing.assert_array_equal(draw_3000(rng), numpy_twister(3).random_raw(3000))


def test_words_that_no_generator_has():
    words, position = numpy_words(numpy_twister(3, num_drawn=100))
    words[623] ^= 1
    with pytest.raises(ValueError, match="no mt19937 has these 624 words"):
        mersenne_twister.from_words(words, position)
    # All of them drawn, words are what the next round is made from, and may be anything.
    assert_same_rng(
        mersenne_twister.from_words(words, NUM_WORDS),
        mersenne_twister.MersenneTwister(jnp.asarray(words), jnp.int32(0)),
    )


@pytest.mark.parametrize("position", [-1, 625])
def test_position_out_of_range(position):
    words, _ = numpy_words(numpy_twister(3))
    with pytest.raises(ValueError, match=f"from 0 to 624; got {position}"):
        mersenne_twister.from_words(words, position)


def test_env_seeds_start_procgens_generators(make_env):
    num_envs, rand_seed = 40, 2**31 - 1
    env = make_env(num_envs=num_envs, seed=rand_seed)
    seeds = mersenne_twister.env_seeds(rand_seed, num_envs)
    for seed, state in zip(seeds, env.get_state(), strict=True):
        # One level seed has been drawn.
        rng = after(mersenne_twister.seeded(jnp.uint32(seed)), 1)
        generator = decode_state(state).level_seed_rand_gen
        words, position = mersenne_twister.to_words(rng)
        assert generator == generator.from_words(words, position)


@pytest.mark.parametrize(
    ("rand_seed", "num_envs", "text"),
    [
        (-1, 1, "rand_seed must be an integer from 0 to 2147483647; got -1"),
        (2**31, 1, "rand_seed must be an integer from 0 to 2147483647; got 2147483648"),
        (0, 0, "num_envs must be an integer of at least 1; got 0"),
    ],
)
def test_env_seeds_of_bad_arguments(rand_seed, num_envs, text):
    with pytest.raises(ValueError, match=text):
        mersenne_twister.env_seeds(rand_seed, num_envs)
