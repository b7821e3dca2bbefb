"""Levels played again fail by what the state before their last step says."""

from collections import Counter

import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.envs.coinrun import CoinRunConfig, FailureCause, failure_cause
from rlvision_jax.envs.coinrun.replays import PlayedLevel, failure_causes, replay_config
from rlvision_jax.training import FAILURE_CAUSES
from rlvision_jax.training.failed_levels import FailedLevels

HARD = CoinRunConfig(distribution_mode="hard")
NUM_ENVS, NUM_STEPS = 64, 160


@pytest.fixture(scope="module")
def played():
    """Causes by replay and from saved games, of all environments but every eighth; completed."""
    env = envs.make("procgen:coinrun", num_envs=NUM_ENVS, seed=21, num_threads=1)
    random = np.random.default_rng(5)
    chosen = np.arange(NUM_ENVS) % 8 > 0
    failed = FailedLevels(env, env.reset())
    recount, completed = Counter(), 0
    for _ in range(NUM_STEPS):
        before = env.get_state()
        actions = random.choice(15, NUM_ENVS, p=[0.01] * 7 + [0.35, 0.52] + [0.01] * 6)
        actions = actions.astype(np.int32)
        step = env.step(actions)
        failed.add(actions, step, counted=step.terminated & chosen)
        for index in np.flatnonzero(step.terminated & chosen):
            recount[failure_cause(before[index], int(actions[index]))] += 1
        completed += np.count_nonzero(step.level_complete & chosen)
    env.close()
    return failed.counts(), recount, completed


def test_causes_are_those_of_the_state_before_the_last_step(played):
    counts, recount, _ = played
    assert counts == {cause: recount[FailureCause[cause.upper()]] for cause in FAILURE_CAUSES}
    # Enough of each to tell them apart; falling out of the world and timeouts are rarer.
    assert min(counts[cause] for cause in ("saw", "enemy_left", "enemy_right", "lava")) >= 3


def test_completed_levels_have_no_cause(played):
    counts, recount, completed = played
    assert recount[FailureCause.NONE] == completed
    assert sum(counts.values()) == sum(recount.values()) - completed


def test_every_cause_is_counted():
    named = {FailureCause[cause.upper()] for cause in FAILURE_CAUSES}
    assert named == set(FailureCause) - {FailureCause.NONE}


def test_a_level_that_stands_still_times_out():
    still = PlayedLevel(seed=3, actions=[4] * 1000)
    assert failure_causes([still], HARD) == [FailureCause.TIMEOUT]


@pytest.mark.parametrize("steps", [999, 1001, 0])
def test_a_level_that_does_not_end_with_its_last_action_is_refused(steps):
    with pytest.raises(ValueError, match="level 3 "):
        failure_causes([PlayedLevel(seed=3, actions=[4] * steps)], HARD)


def test_only_coinrun_is_played_again():
    modes = {"coinrun": "easy", "starpilot": "easy"}
    found = {}
    for game, mode in modes.items():
        env = envs.make(f"procgen:{game}", num_envs=1, distribution_mode=mode, num_levels=5)
        found[game] = replay_config(env)
        env.close()
    assert found == {"coinrun": CoinRunConfig(distribution_mode="easy"), "starpilot": None}


def test_modes_that_the_device_lacks_are_not_played_again():
    env = envs.make("procgen:coinrun", num_envs=1, distribution_mode="exploration")
    assert replay_config(env) is None
    env.close()
