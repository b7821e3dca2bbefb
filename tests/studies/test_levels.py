"""Levels played for the studies: the same for every policy, and what became of each."""

import jax
import numpy as np
import pytest

from rlvision_jax import envs
from rlvision_jax.studies import Cells, played_cells
from rlvision_jax.studies.levels import (
    COMPLETED,
    OUTCOMES,
    Levels,
    join_levels,
    make_env,
    play_levels,
)
from rlvision_jax.studies.played_cells import PlayConfig, play_in_cells

NUM_ENVS, NUM_LEVELS = 8, 20
KEY = jax.random.key(3)
VALUE = 2.0  # of the blind runner


def play(agent, *, num_levels=NUM_LEVELS):
    env = make_env(agent[2], NUM_ENVS, 21, 1)
    seen = []
    levels = play_levels(*agent[:2], env, KEY, num_levels, agent[2], on_level=seen.append)
    env.close()
    assert seen == sorted(seen)
    assert seen[-1] == num_levels
    return levels


@pytest.fixture(scope="module")
def played(blind_runner):
    return play(blind_runner)


def test_every_level_ends_in_one_way(played):
    assert played.num_levels == NUM_LEVELS
    assert sum(played.count(outcome) for outcome in OUTCOMES) == NUM_LEVELS
    completed = played.outcomes == OUTCOMES.index(COMPLETED)
    np.testing.assert_array_equal(played.returns, np.where(completed, 10.0, 0.0))
    assert sorted(played.actions) == np.flatnonzero(~completed).tolist()
    assert [len(taken) for taken in played.actions.values()] == played.lengths[~completed].tolist()
    # A runner without eyes meets more than one kind of hazard.
    assert sum(played.count(outcome) > 0 for outcome in OUTCOMES[1:]) >= 2


def test_a_step_is_drawn_by_its_level_and_its_place_in_it(played, blind_runner):
    """Whatever the levels before it were like."""
    logits = blind_runner[1]["params"]["heads"]["policy"]["bias"]

    @jax.jit
    def draw(level, time):
        key = jax.random.fold_in(jax.random.fold_in(KEY, level), time)
        return jax.random.categorical(key, logits)

    later = max(played.actions)
    assert later >= NUM_ENVS  # not an environment's first level
    drawn = [int(draw(later, time)) for time in range(played.lengths[later])]
    assert played.actions[later] == drawn


def test_another_policy_plays_the_same_levels(played, blind_runner):
    policy, params, config = blind_runner
    bias = params["params"]["heads"]["policy"]["bias"]
    heads = {**params["params"]["heads"]}
    heads["policy"] = {**heads["policy"], "bias": bias.at[8].add(2.0)}
    other = {"params": {**params["params"], "heads": heads}}
    levels = play((policy, other, config))
    np.testing.assert_array_equal(levels.seeds, played.seeds)
    assert levels.lengths.tolist() != played.lengths.tolist()


def test_a_failure_is_worst_at_its_last_step(played):
    """The runner expects 2 everywhere; A_T = -2, and A_t = -0.002 + 0.999 * 0.95 * A_(t + 1)."""
    failed = played.outcomes != OUTCOMES.index(COMPLETED)
    # Exact in float32.
    assert set(played.worst_advantages[failed]) == {-VALUE}
    np.testing.assert_array_equal(played.worst_steps[failed], played.lengths[failed] - 1)


def test_record_comes_back_from_json_and_in_parts(played):
    first = Levels(*(array[:12] for array in played[:-1]), {0: [1], 11: [2, 3]})
    rest = Levels(*(array[12:] for array in played[:-1]), {2: [4]})
    joined = join_levels([first, Levels.from_json(rest.to_json())])
    for ours, expected in zip(joined[:-1], played[:-1], strict=True):
        np.testing.assert_array_equal(ours, expected)
        assert ours.dtype == expected.dtype
    assert joined.actions == {0: [1], 11: [2, 3], 14: [4]}


def test_games_without_known_causes_are_refused(blind_runner):
    policy, params, _ = blind_runner
    env = envs.make("procgen:starpilot", num_envs=1)
    with pytest.raises(ValueError, match="why levels fail is known of CoinRun"):
        play_levels(policy, params, env, KEY, 1, {})
    env.close()


def test_levels_that_follow_each_other_are_refused(blind_runner):
    policy, params, config = blind_runner
    options = {**config["env_options"], "use_sequential_levels": True}
    env = make_env({**config, "env_options": options}, NUM_ENVS, 21, 1)
    with pytest.raises(ValueError, match="set use_sequential_levels to False"):
        play_levels(policy, params, env, KEY, NUM_LEVELS, config)
    env.close()


def test_an_interrupted_play_goes_on_where_it_was(blind_runner, tmp_path, monkeypatch):
    config = PlayConfig(num_levels=5, levels_per_cell=2, num_envs=2, seed=4)

    def run(folder):
        cells = Cells(folder)
        return play_in_cells(*blind_runner, config, name="test", cells=cells, num_threads=1)

    expected = run(tmp_path / "whole")
    sizes = []

    def interrupted(policy, params, env, key, num_levels, *rest, **options):
        sizes.append(num_levels)
        if len(sizes) == 2:
            raise KeyboardInterrupt
        return play_levels(policy, params, env, key, num_levels, *rest, **options)

    monkeypatch.setattr(played_cells, "play_levels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "parts")
    found = run(tmp_path / "parts")
    assert sizes == [2, 2, 2, 1]
    assert found.to_json() == expected.to_json()
    assert len(set(found.seeds.tolist())) == 5  # each cell has levels of its own


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="levels_per_cell must be an integer of at least 1; got 0"):
        PlayConfig(levels_per_cell=0)
