"""The cause of a failure is what Procgen, asked again without it, does not end the episode for."""

import collections
from typing import NamedTuple

import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs.coinrun.constants import (
    ENEMY,
    LAVA_MID,
    LAVA_TOP,
    PLAYER,
    SAW,
    SPACE,
    TIME_LIMIT,
)
from rlvision_jax.envs.coinrun.failures import failure_cause
from rlvision_jax.envs.coinrun.physics import FailureCause
from rlvision_jax.envs.procgen import (
    ACTION_NAMES,
    FORCE_RESET,
    CoinRunState,
    decode_state,
    encode_state,
)

NUM_ENVS, NUM_STEPS = 100, 140
NONE, RIGHT = ACTION_NAMES.index("none"), ACTION_NAMES.index("right")

HAZARDS = {
    FailureCause.ENEMY_LEFT: ENEMY,
    FailureCause.ENEMY_RIGHT: ENEMY,
    FailureCause.SAW: SAW,
}


class Ending(NamedTuple):
    """The last step of an episode: the game before it, the action, and what came of it."""

    record: CoinRunState
    action: int
    is_complete: bool
    cause: FailureCause


@pytest.fixture(scope="module")
def endings():
    """The ends of some hundred episodes of hard play."""
    env = envs.make("procgen:coinrun", num_envs=NUM_ENVS, seed=21, num_threads=1)
    random = np.random.default_rng(5)
    found = []
    for _ in range(NUM_STEPS):
        before = env.get_state()
        actions = random.choice(15, NUM_ENVS, p=[0.01] * 7 + [0.35, 0.52] + [0.01] * 6)
        step = env.step(actions)
        for index in np.flatnonzero(step.first):
            record, action = decode_state(before[index]), int(actions[index])
            cause = failure_cause(before[index], action)
            found.append(Ending(record, action, bool(step.level_complete[index]), cause))
    env.close()
    assert len(found) > 200
    return found


@pytest.fixture
def ends(make_env):
    """Whether Procgen's episode ends, and the record after the step."""
    env = make_env(num_envs=1)

    def play(record, action):
        env.set_state([encode_state(record)])
        step = env.step([action])
        return bool(step.first[0]), decode_state(env.get_state()[0])

    return play


def without_hazard(record, cause):
    if cause == FailureCause.LAVA:
        is_lava = np.isin(record.grid, (LAVA_MID, LAVA_TOP))
        return record._replace(grid=np.where(is_lava, np.int32(SPACE), record.grid))
    if cause == FailureCause.TIMEOUT:
        return record._replace(cur_time=0)
    kept = record.entities["type"] != HAZARDS[cause]
    return record._replace(entities=record.entities[kept])


def test_an_episode_fails_where_the_coin_is_not_reached(endings):
    for ending in endings:
        assert (ending.cause == FailureCause.NONE) == ending.is_complete


def test_without_its_causes_the_episode_goes_on(endings, ends):
    """A fall onto a saw beside lava has two causes: without the first there is the second."""
    counts = collections.Counter()
    for record, action, is_complete, cause in endings:
        if is_complete:
            continue
        is_over, _ = ends(record, action)
        assert is_over
        while is_over:
            counts[cause] += 1
            record = without_hazard(record, cause)
            is_over, _ = ends(record, action)
            cause = failure_cause(record, action)
            assert is_over == (cause != FailureCause.NONE)
    assert set(counts) == {*HAZARDS, FailureCause.LAVA}
    assert min(counts.values()) >= 5


def test_the_enemy_that_was_met_moves_as_said(endings, ends):
    """Where the agent and the enemies get, when Procgen moves either without the other."""
    counts = collections.Counter()
    for record, action, _, cause in endings:
        if HAZARDS.get(cause) != ENEMY:
            continue
        is_over, alone = ends(without_hazard(record, cause), action)
        if is_over:
            continue
        agent = alone.entities[0]
        elsewhere = record.entities.copy()
        # At the top of the world, where nothing can be met.
        elsewhere["x"][0], elsewhere["y"][0] = 30.5, 61.5
        _, moved = ends(record._replace(entities=elsewhere), action)
        enemies = moved.entities[moved.entities["type"] == ENEMY]
        is_met = np.abs(enemies["x"] - agent["x"]) < 1
        is_met &= np.abs(enemies["y"] - agent["y"]) < np.float32(0.5787) + np.float32(0.5)
        last_met = enemies[is_met][-1]
        assert (cause == FailureCause.ENEMY_RIGHT) == (last_met["vx"] > 0)
        counts[cause] += 1
    assert min(counts[FailureCause.ENEMY_LEFT], counts[FailureCause.ENEMY_RIGHT]) >= 5


def test_an_episode_that_goes_on_has_no_cause(make_env):
    env = make_env(distribution_mode="hard", num_envs=16, seed=4)
    for _ in range(20):
        before = env.get_state()
        step = env.step([RIGHT] * 16)
        for index in np.flatnonzero(~step.first)[:4]:
            assert failure_cause(before[index], RIGHT) == FailureCause.NONE


def test_time_runs_out(make_env, ends):
    record = decode_state(make_env().get_state()[0])
    for time in (TIME_LIMIT - 2, TIME_LIMIT - 1):
        late = record._replace(cur_time=time)
        is_over, _ = ends(late, NONE)
        expected = FailureCause.TIMEOUT if is_over else FailureCause.NONE
        assert failure_cause(late, NONE) == expected
        assert is_over == (time == TIME_LIMIT - 1)


@pytest.mark.parametrize("x", [-0.75, 64.75])
def test_the_agent_leaves_the_world(make_env, ends, x):
    record = decode_state(make_env().get_state()[0])
    entities = record.entities.copy()
    entities["x"][entities["type"] == PLAYER] = x
    outside = record._replace(entities=entities)
    assert ends(outside, NONE)[0]
    assert failure_cause(outside, NONE) == FailureCause.OUT_OF_BOUNDS


def test_a_forced_reset_is_no_failure(make_env):
    assert failure_cause(make_env().get_state()[0], FORCE_RESET) == FailureCause.NONE


def test_the_view_does_not_matter(endings):
    ending = next(ending for ending in endings if not ending.is_complete)
    whole_world = ending.record._replace(center_agent=0, visibility=64.0)
    assert failure_cause(whole_world, ending.action) == ending.cause


def test_bad_input_is_refused(make_env):
    env = make_env()
    with pytest.raises(ValueError, match=r"actions must be from 0 to 14, or -1 .* got"):
        failure_cause(env.get_state()[0], 15)
    with pytest.raises(ValueError, match="not a state of coinrun"):
        failure_cause(b"", NONE)
