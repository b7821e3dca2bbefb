import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs import ACTION_NAMES, FORCE_RESET, DeviceEnv, TimeStep
from rlvision_jax.envs.coinrun import CoinRun, LevelSet, env_seeds

RIGHT = ACTION_NAMES.index("right")
RIGHT_UP = ACTION_NAMES.index("right+up")


def onwards(rng, count):
    """Actions that run and jump to the right most of the time, and now and then give up."""
    choice = rng.random(count)
    actions = np.where(choice < 0.4, RIGHT, RIGHT_UP)
    actions = np.where(choice > 0.9, rng.integers(0, 15, count), actions)
    return np.where(choice > 0.995, FORCE_RESET, actions).astype(np.int32)


def play_side_by_side(num_steps, **options):
    """Asserts that both worlds are equal at every step; returns the number of ends and goals."""
    options = {"num_envs": 32, "paint_velocity": True, **options}
    procgen = envs.make("procgen:coinrun", num_threads=1, **options)
    device = envs.make_host("coinrun", **options)
    rng = np.random.default_rng(0)
    ends = goals = 0
    theirs, ours = procgen.reset(), device.reset()
    for step in range(num_steps):
        for name, expected, got in zip(TimeStep._fields, theirs, ours, strict=True):
            assert expected.dtype == got.dtype
            np.testing.assert_array_equal(got, expected, f"{name} at step {step}")
        ends += int((theirs.terminated | theirs.truncated).sum())
        goals += int(theirs.level_complete.sum())
        actions = onwards(rng, options["num_envs"])
        theirs, ours = procgen.step(actions), device.step(actions)
    procgen.close()
    return ends, goals


@pytest.mark.parametrize(
    "options",
    [
        {"distribution_mode": "hard", "seed": 1},
        {"distribution_mode": "easy", "seed": 2, "num_levels": 7, "start_level": 1000},
        pytest.param(
            {"distribution_mode": "hard", "use_sequential_levels": True, "debug_mode": 2},
            marks=pytest.mark.slow,
        ),
    ],
    ids=["hard", "easy, seven levels", "sequential, no pits"],
)
def test_coinrun_is_procgens_coinrun(options):
    ends, goals = play_side_by_side(200, **options)
    assert ends > 20
    assert goals > 5


@pytest.fixture(scope="module")
def env():
    """Of tabled levels, so that programs that only step hold no level generation to compile."""
    options = {"num_levels": 9, "start_level": 4, "invisible": ("saw", "enemy")}
    return envs.make("coinrun", assets="small", **options)


def without_frames(moved):
    """What is then not returned is not compiled either."""
    state, moment = moved
    return state, moment._replace(observation=moment.first)


KEY = jax.random.key(0)
start = jax.jit(lambda env, seed: without_frames(env.start(seed)))
reset = jax.jit(lambda env, key, level_set=None: without_frames(env.reset(key, level_set)))
step = jax.jit(lambda env, state, action: without_frames(env.step(KEY, state, action)))


def test_coinrun_is_a_device_environment(env):
    assert isinstance(env, DeviceEnv)
    assert (env.name, env.num_actions, env.observation_shape) == ("coinrun", 15, (64, 64, 3))


@pytest.mark.slow
def test_games_of_a_batch_do_not_know_of_each_other(env):
    """A game alone, through its resets, is the same game in a batch, and in a batch of batches."""
    rng = np.random.default_rng(1)
    batched = jax.jit(jax.vmap(step, (None, 0, 0)))
    nested = jax.jit(jax.vmap(jax.vmap(step, (None, 0, 0)), (None, 0, 0)))
    singles = [jax.device_get(start(env, seed)[0]) for seed in env_seeds(3, 6)]
    games = jax.tree.map(lambda *leaves: np.stack(leaves), *singles)
    alone = singles[4]
    paired = jax.tree.map(lambda x: x.reshape(2, 3, *x.shape[1:]), games)
    ends = 0
    for _ in range(60):
        actions = onwards(rng, 6)
        games, moment = batched(env, games, actions)
        paired, paired_moment = nested(env, paired, actions.reshape(2, 3))
        alone, alone_moment = step(env, alone, actions[4])
        for of_batch, of_pairs, single in zip(
            jax.tree.leaves((games, moment)),
            jax.tree.leaves((paired, paired_moment)),
            jax.tree.leaves((alone, alone_moment)),
            strict=True,
        ):
            of_batch = np.asarray(of_batch)
            np.testing.assert_array_equal(of_batch[4], single)
            np.testing.assert_array_equal(of_batch, np.asarray(of_pairs).reshape(of_batch.shape))
        ends += int(moment.first.sum())
    assert ends > 3


def test_a_game_draws_from_its_own_level_set(env):
    state, moment = reset(env, KEY, LevelSet(jnp.int32(5), jnp.int32(7)))
    seen = {int(moment.level_seed)}
    for _ in range(20):
        state, moment = step(env, state, jnp.int32(FORCE_RESET))
        assert (bool(moment.first), bool(moment.truncated), bool(moment.terminated)) == (1, 1, 0)
        seen.add(int(moment.level_seed))
    assert seen == {5, 6}


def test_tabled_levels_are_the_generated_ones(env):
    assert env.levels is not None
    generating = CoinRun(env.config, env.assets, None)
    for seed in env_seeds(0, 5):
        states = [start(game, jnp.uint32(seed))[0] for game in (env, generating)]
        jax.tree.map(np.testing.assert_array_equal, *states)


@pytest.mark.parametrize(("all_backgrounds", "count"), [(False, 1), (True, 62)])
def test_easy_games_can_hold_every_background(all_backgrounds, count):
    options = {"distribution_mode": "easy", "assets": "small", "all_backgrounds": all_backgrounds}
    assert len(envs.make("coinrun", **options).assets.backgrounds.start) == count


def test_invisible_kinds_stay_invisible_in_later_levels(env):
    state, _ = start(env, jnp.uint32(0))
    state, moment = step(env, state, jnp.int32(FORCE_RESET))
    assert bool(moment.first)
    shown = {kind for kind, visible in state.visible._asdict().items() if visible}
    assert shown == {"agent", "crate", "trail"}


def test_stepping_compiles_once(env):
    """A program is traced anew where the types of its arguments differ, weak ones included."""
    traces = 0

    @jax.jit
    def counted(env, state, action):
        nonlocal traces
        traces += 1
        return without_frames(env.step(KEY, state, action))

    state, _ = jax.eval_shape(start, env, jnp.uint32(0))
    for _ in range(3):
        state, _ = jax.eval_shape(counted, env, state, jnp.int32(RIGHT))
    assert traces == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution_mode": "memory"}, 'unknown distribution_mode "memory"; expected one of'),
        ({"num_levels": -1}, "num_levels must be an integer from 0 to 2147483647; got -1"),
        ({"num_levels": 2**31 - 1, "start_level": 1}, "start_level \\+ num_levels must be at most"),
        ({"start_level": 5}, "start_level 5 has no effect when num_levels is 0"),
        ({"debug_mode": 16}, "debug_mode must be an integer from 0 to 15; got 16"),
        ({"paint_velocity": 1}, "paint_velocity must be True or False; got 1"),
        (
            {"invisible": ("lava",)},
            'unknown kind of object to hide "lava"; expected one of "agent"',
        ),
        ({"center_agent": False}, 'coinrun has no option "center_agent"; its options are'),
        ({"num_envs": 4}, 'coinrun has no option "num_envs"; its options are "num_levels"'),
        ({"assets": "tiny"}, 'unknown size "tiny"; expected one of "exact", "small"'),
    ],
)
def test_bad_options_are_refused(options, message, as_in_production):
    with pytest.raises(ValueError, match=message):
        envs.make("coinrun", **options)
