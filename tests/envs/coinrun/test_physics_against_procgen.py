"""Steps of the installed Procgen and of the device from the same state: no bit may differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks._one_step import (
    DOWN,
    LEFT_UP,
    NONE,
    PLACES,
    RIGHT,
    RIGHT_UP,
    batch,
    differences,
    place_agents,
    present_states,
)
from rlvision_jax.envs.coinrun.physics import advance
from rlvision_jax.envs.procgen import ACTION_NAMES, encode_state

NUM_ENVS = 12
step = jax.jit(jax.vmap(advance))


def where(condition, chosen, otherwise):
    """Takes each game from one batch or the other."""

    def choose(x, y):
        return np.where(condition.reshape(-1, *[1] * (x.ndim - 1)), x, y)

    return jax.tree.map(choose, chosen, otherwise)


def assert_same(ours, theirs, is_compared):
    """Compares all bits of the games for which `is_compared`."""
    for name, differs in differences(ours, theirs):
        assert not differs[is_compared].any(), name


class Players:
    """Four ways to play; half of the games run to the right, which ends episodes soonest."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.last = np.full(NUM_ENVS, RIGHT)

    def actions(self):
        any_key = self.random.integers(0, len(ACTION_NAMES), NUM_ENVS)
        runs = self.random.choice([RIGHT, RIGHT_UP], NUM_ENVS, p=[0.6, 0.4])
        is_kept = self.random.random(NUM_ENVS) < 0.85
        holds = np.where(is_kept, self.last, self.random.integers(0, 9, NUM_ENVS))
        climbs = self.random.choice(
            [RIGHT, RIGHT_UP, LEFT_UP, DOWN, NONE], NUM_ENVS, p=[0.2, 0.35, 0.2, 0.1, 0.15]
        )
        self.last = np.choose(np.arange(NUM_ENVS) % 6, [any_key, runs, holds, climbs, runs, runs])
        return self.last.astype(np.int32)


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_every_step_of_many_episodes(make_env, mode):
    env = make_env(num_envs=NUM_ENVS, distribution_mode=mode, seed=4)
    players = Players(seed=4)
    ours = present_states(env)
    episodes = rewards = 0
    for _ in range(130):
        actions = players.actions()
        ours, outcome = jax.tree.map(np.asarray, step(ours, jnp.asarray(actions)))
        moment, theirs = env.step(actions), present_states(env)
        np.testing.assert_array_equal(outcome.reward, moment.reward)
        np.testing.assert_array_equal(outcome.done, moment.first)
        np.testing.assert_array_equal(outcome.level_complete, moment.level_complete)
        assert ((outcome.cause == 0) == (~moment.first | moment.level_complete)).all()
        # Where an episode has ended, Procgen is in the next level already.
        goes_on = ~moment.first
        assert_same(ours, theirs, goes_on)
        ours = where(goes_on, ours, theirs)
        episodes += moment.first.sum()
        rewards += moment.reward.sum()
    assert episodes > 10
    assert rewards > 10


@pytest.mark.parametrize("name", PLACES)
def test_a_step_from_places_that_play_seldom_reaches(make_env, name):
    """Embedded in walls, on borders of cells, on crates' tops to the last bit, in the air."""
    env = make_env(num_envs=48, distribution_mode="hard", seed=6)
    random = np.random.default_rng(6)
    compared = 0
    for _ in range(8):
        records, actions = place_agents(env, PLACES[name], random)
        env.set_state([encode_state(record) for record in records])
        ours, outcome = jax.tree.map(np.asarray, step(batch(records), jnp.asarray(actions)))
        moment = env.step(actions)
        np.testing.assert_array_equal(outcome.reward, moment.reward)
        np.testing.assert_array_equal(outcome.done, moment.first)
        assert_same(ours, present_states(env), ~moment.first)
        compared += np.count_nonzero(~moment.first)
    assert compared > 250


# Found by an evaluation: its 70th step ends on a crate whose top the agent reaches to the last bit.
LANDING_LEVEL = 9623
LANDING = "68688536c6b768968888828886876888876888866286888888838888888888688808886e88"


def test_an_agent_lands_on_a_crate_that_it_just_reaches(make_env):
    env = make_env(num_envs=1, distribution_mode="easy", num_levels=1, start_level=LANDING_LEVEL)
    ours = present_states(env)
    landings = 0
    for key in LANDING:
        actions = np.array([int(key, 16)], np.int32)
        ours, outcome = jax.tree.map(np.asarray, step(ours, jnp.asarray(actions)))
        moment = env.step(actions)
        np.testing.assert_array_equal(outcome.done, moment.first)
        assert_same(ours, present_states(env), ~moment.first)
        landings += int(ours.player.is_on_crate[0])
    assert moment.first[0]
    assert landings
