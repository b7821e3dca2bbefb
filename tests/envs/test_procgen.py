"""Procgen environments: what they return, step by step."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rlvision_jax import envs

STOCK = json.loads((Path(__file__).parent / "golden" / "procgen_stock.json").read_text())
OUR_NAMES = {"paint_vel_info": "paint_velocity", "rand_seed": "seed"}
RIGHT = envs.ACTION_NAMES.index("right")
NONE = envs.ACTION_NAMES.index("none")


def random_actions(num_steps, num_envs, seed=0):
    return np.random.default_rng(seed).integers(0, 15, (num_steps, num_envs), dtype=np.int32)


def rollout(env, actions):
    return [env.step(row) for row in actions]


def assert_same(moments, others, fields=envs.TimeStep._fields):
    for step, (one, other) in enumerate(zip(moments, others, strict=True)):
        for field in fields:
            np.testing.assert_array_equal(
                getattr(one, field), getattr(other, field), err_msg=f"{field} at step {step}"
            )


def level_seeds(seed, num_envs, num_episodes):
    """The seeds that Procgen draws from all levels: a generator of generators, both mt19937."""

    def generator(value):
        bits = np.random.MT19937()
        bits._legacy_seeding(int(value))
        return bits

    raw = [generator(s).random_raw(num_episodes) for s in generator(seed).random_raw(num_envs)]
    return np.array(raw, np.int64) % (2**31 - 1)


@pytest.mark.parametrize(
    "case", STOCK["cases"], ids=lambda case: "-".join(map(str, case["options"].values()))
)
def test_rollouts_equal_those_of_the_stock_wrapper(make_env, case):
    stock = {OUR_NAMES.get(name, name): value for name, value in case["options"].items()}
    game = stock.pop("env_name")
    actions = np.array(STOCK["actions"], np.int32)
    env = make_env(game, **{"num_envs": 3, "seed": 5, "distribution_mode": "hard", **stock})
    moments = [env.reset(), *rollout(env, actions)]
    ours = {
        "reward": [m.reward for m in moments],
        "observation": [m.observation for m in moments],
        "first": [m.first for m in moments],
        "level_seed": [m.level_seed for m in moments],
        "prev_level_complete": [m.level_complete for m in moments],
        "prev_level_seed": [
            np.where(m.first | m.level_complete, m.prev_level_seed, 0) for m in moments
        ],
    }
    digests = {
        name: hashlib.sha256(np.ascontiguousarray(arrays).tobytes()).hexdigest()
        for name, arrays in ours.items()
    }
    assert digests == case["sha256"]


@pytest.mark.parametrize("game", envs.GAMES)
def test_a_restored_state_replays_exactly(make_env, game):
    env = make_env(game, distribution_mode="hard", seed=3)
    rollout(env, random_actions(30, 2, seed=1))
    states = env.get_state()
    actions = random_actions(200, 2)
    actions[120] = envs.FORCE_RESET
    expected = rollout(env, actions)

    other = make_env(game, distribution_mode="hard", seed=4, num_threads=0)
    other.set_state(states)
    replayed = rollout(other, actions)

    fields = [field for field in envs.TimeStep._fields if field != "prev_level_seed"]
    assert_same(expected, replayed, fields)
    ended = next(i for i, moment in enumerate(expected) if moment.first.all())
    assert_same(expected[ended:], replayed[ended:])


def test_same_seed_same_rollout_on_any_number_of_threads(make_env):
    actions = random_actions(60, 5)
    rollouts = [
        rollout(make_env(num_envs=5, seed=8, num_threads=threads), actions) for threads in (0, 1, 4)
    ]
    assert_same(rollouts[0], rollouts[1])
    assert_same(rollouts[0], rollouts[2])


def test_other_seeds_draw_other_levels(make_env):
    first, second = (make_env(num_envs=8, seed=seed).reset().level_seed for seed in (0, 1))
    assert not set(first) & set(second)


def test_level_seeds_follow_two_nested_generators(make_env):
    expected = level_seeds(seed=11, num_envs=4, num_episodes=4)
    env = make_env(num_envs=4, seed=11)
    for episode in range(4):
        moment = env.reset()
        np.testing.assert_array_equal(moment.level_seed, expected[:, episode])
        previous = expected[:, episode - 1] if episode else np.zeros(4)
        np.testing.assert_array_equal(moment.prev_level_seed, previous)


def test_levels_stay_inside_the_level_set(make_env):
    env = make_env(num_envs=40, num_levels=3, start_level=500)
    drawn = np.concatenate([env.reset().level_seed for _ in range(3)])
    assert set(drawn) == {500, 501, 502}


def test_exploration_mode_is_one_level(make_env):
    env = make_env("maze", distribution_mode="exploration", num_envs=3)
    assert set(env.reset().level_seed) == {158988835}


def test_two_instances_in_one_process_do_not_disturb_each_other(make_env):
    actions = random_actions(80, 2)
    alone = rollout(make_env(seed=1), actions)
    one, other = make_env(seed=1), make_env("maze", seed=2)
    together = []
    for row in actions:
        one.send(row)
        other.send(row)
        together.append(one.recv())
        other.recv()
    assert_same(alone, together)


def test_reset_opens_an_episode_and_speaks_of_no_step(make_env):
    env = make_env(seed=2)
    opening = env.reset()
    rollout(env, random_actions(20, 2))
    moment = env.reset()
    assert moment.first.all()
    assert not moment.terminated.any()
    assert not moment.truncated.any()
    assert not moment.level_complete.any()
    np.testing.assert_array_equal(moment.reward, np.zeros(2))
    np.testing.assert_array_equal(moment.prev_level_seed, opening.level_seed)
    assert not (moment.level_seed == opening.level_seed).any()


def test_a_forced_reset_truncates_only_its_own_environment(make_env):
    env = make_env(seed=2)
    opening = env.reset()
    moment = env.step(np.array([envs.FORCE_RESET, NONE]))
    np.testing.assert_array_equal(moment.truncated, [True, False])
    np.testing.assert_array_equal(moment.first, [True, False])
    assert not moment.terminated.any()
    np.testing.assert_array_equal(moment.prev_level_seed, [opening.level_seed[0], 0])
    assert moment.level_seed[1] == opening.level_seed[1]


def coinrun_state_with(state, cell, kind):
    """The state of a CoinRun level with one grid cell (x, y) changed."""
    offset = len(state) - 16416 + 4 * (cell[1] * 64 + cell[0])
    return state[:offset] + kind.to_bytes(4, "little") + state[offset + 4 :]


COIN, LAVA = 1, 18


def test_level_complete_marks_the_episode_that_reached_the_coin(make_env):
    env = make_env(num_envs=3, num_levels=1000, seed=6)
    seeds = env.reset().level_seed
    to_coin, to_lava, as_it_was = env.get_state()
    env.set_state(
        [
            coinrun_state_with(to_coin, (2, 1), COIN),
            coinrun_state_with(to_lava, (2, 1), LAVA),
            as_it_was,
        ]
    )
    moments = []
    while not moments or not moments[-1].first.any():
        moments.append(env.step(np.full(3, RIGHT)))
    end = moments[-1]
    np.testing.assert_array_equal(end.terminated, [True, True, False])
    np.testing.assert_array_equal(end.first, end.terminated)
    np.testing.assert_array_equal(end.level_complete, [True, False, False])
    np.testing.assert_array_equal(end.reward, [10, 0, 0])
    np.testing.assert_array_equal(end.prev_level_seed, [seeds[0], seeds[1], 0])
    after = env.step(np.full(3, NONE))
    assert not after.level_complete.any()
    assert not after.first.any()
    np.testing.assert_array_equal(after.prev_level_seed, end.prev_level_seed)


def test_sequential_levels_go_on_within_the_episode(make_env):
    env = make_env(num_envs=1, use_sequential_levels=True, seed=6)
    (seed,) = env.reset().level_seed
    env.set_state([coinrun_state_with(env.get_state()[0], (2, 1), COIN)])
    moment = env.step([RIGHT])
    while not moment.level_complete:
        moment = env.step([RIGHT])
    assert moment.level_seed == seed + 997
    assert moment.prev_level_seed == seed
    assert not moment.first
    assert not moment.terminated


def test_the_games_own_time_limit_terminates(make_env):
    env = make_env(num_envs=1, seed=6)
    moments = rollout(env, np.full((1000, 1), NONE))
    assert not any(moment.first for moment in moments[:-1])
    assert moments[-1].terminated
    assert not moments[-1].truncated


def test_observe_shows_a_restored_state_without_a_step(make_env):
    env = make_env(seed=9)
    rollout(env, random_actions(15, 2))
    states, seen = env.get_state(), env.observe()
    rollout(env, random_actions(15, 2, seed=5))
    env.set_state(states)
    np.testing.assert_array_equal(env.observe().observation, seen.observation)
    np.testing.assert_array_equal(env.observe().level_seed, seen.level_seed)
    assert env.get_state() == states


def test_a_state_moves_between_environments(make_env):
    env = make_env(num_envs=2, seed=9)
    env.reset()
    first, second = env.get_state()
    before = env.observe().observation
    env.set_state([second, first])
    np.testing.assert_array_equal(env.observe().observation, before[::-1])


def test_reset_after_set_state_begins_new_episodes(make_env):
    env = make_env(seed=9)
    states = env.get_state()
    shown = env.observe().level_seed
    env.set_state(states)
    assert not (env.reset().level_seed == shown).any()


@pytest.mark.parametrize("copy", [True, False])
def test_kept_arrays_change_only_with_copy_false(make_env, copy):
    env = make_env(copy=copy)
    kept = env.reset()
    before = kept.observation.copy()
    rollout(env, np.full((5, 2), RIGHT))
    assert np.array_equal(kept.observation, before) == copy
    assert (env.observe().observation is kept.observation) != copy


def test_copies_may_be_written_to(make_env):
    env, untouched = make_env(seed=1), make_env(seed=1)
    for array in env.reset():
        array.fill(0)
    actions = random_actions(10, 2)
    assert_same(rollout(env, actions), rollout(untouched, actions))


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int32])
def test_any_integer_type_is_an_action(make_env, dtype):
    moment = make_env(seed=1).step(np.array([RIGHT, NONE], dtype))
    assert_same([moment], [make_env(seed=1).step([RIGHT, NONE])])


@pytest.mark.parametrize(
    ("actions", "text"),
    [
        ([1], r"must have shape \(2,\), one for each environment; got \(1,\)"),
        ([[1, 2]], r"got \(1, 2\)"),
        ([1.0, 2.0], "must be integers; got float64"),
        ([True, False], "must be integers; got bool"),
        ([0, 15], "from 0 to 14, or -1 to force a reset; got values from 0 to 15"),
        ([-2, 3], "got values from -2 to 3"),
        ([2**40, 3], "got values from 3 to 1099511627776"),
    ],
)
def test_wrong_actions_are_refused_and_start_nothing(make_env, actions, text):
    env = make_env(seed=1)
    with pytest.raises(ValueError, match=text):
        env.step(np.array(actions))
    assert_same([env.step([RIGHT, NONE])], [make_env(seed=1).step([RIGHT, NONE])])


def test_calls_out_of_order_are_refused(make_env):
    env = make_env()
    with pytest.raises(RuntimeError, match=r"call send\(actions\) first"):
        env.recv()
    env.send([NONE, NONE])
    for call in (env.reset, env.observe, env.get_state, lambda: env.send([NONE, NONE])):
        with pytest.raises(RuntimeError, match=r"call recv\(\) first"):
            call()
    env.recv()


def test_a_closed_environment_says_so(make_env):
    env = make_env()
    env.send([NONE, NONE])
    env.close()
    env.close()
    for call in (env.recv, env.reset, env.get_state):
        with pytest.raises(RuntimeError, match="this procgen:coinrun environment is closed"):
            call()


def test_a_forked_child_is_told_and_ends(tmp_path):
    # In a process of its own: forking this one, with JAX's threads, would be unsafe.
    script = tmp_path / "fork.py"
    script.write_text(
        "import os\n"
        "from rlvision_jax import envs\n"
        "env = envs.make('procgen:coinrun', num_envs=2, num_threads=1)\n"
        "child = os.fork()\n"
        "try:\n"
        "    env.reset()\n"
        "    print('parent')\n"
        "    os.waitpid(child, 0)\n"
        "except RuntimeError as error:\n"
        "    print('child', error)\n"
    )
    # A child that tried to join the parent's threads would never end; 60 s is a slow machine.
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=True
    )
    assert "parent" in run.stdout
    assert "its threads did not follow the fork" in run.stdout
