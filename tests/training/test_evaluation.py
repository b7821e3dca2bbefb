import contextlib

import jax
import numpy as np
import pytest
from scripted_env import ScriptedEnv

from rlvision_jax import envs, models
from rlvision_jax.training import evaluate, evaluate_split, evaluation, split_options
from rlvision_jax.training.evaluation import Evaluation


@pytest.fixture(scope="module")
def agent():
    policy = models.make("nature")
    return policy, policy.init(jax.random.key(0))


def test_every_environment_counts_equally_many_levels(agent):
    # Environment 0 ends an episode every step, environment 1 every 10 steps. Counting whichever
    # ends first would take 5 episodes of the former before one of the latter.
    result = evaluate(*agent, ScriptedEnv([1, 10]), jax.random.key(0), 6)
    assert result.num_levels == 6
    assert result.mean_length == (3 * 1 + 3 * 10) / 6
    assert result.mean_return == result.mean_length  # 1 per step
    assert result.num_completed == 4  # episodes 0 and 2 of each environment
    deviation = np.std([1, 1, 1, 10, 10, 10])
    assert result.return_standard_error == pytest.approx(deviation / np.sqrt(6))


def test_uneven_number_of_levels_is_played_exactly(agent):
    seen = []
    result = evaluate(*agent, ScriptedEnv([2, 3]), jax.random.key(0), 5, on_level=seen.append)
    assert result.num_levels == 5
    assert result.mean_length == (3 * 2 + 2 * 3) / 5
    assert seen == sorted(seen)
    assert seen[-1] == 5


@pytest.mark.parametrize("fewest", [8, 24])
def test_environments_that_have_finished_take_no_place_in_the_batch(agent, monkeypatch, fewest):
    """With 24 frames at least, batches never shrink: the actions are the same."""
    num_envs, sizes = 24, []

    @contextlib.contextmanager
    def forward_pass(policy):
        def forward(params, frames):
            sizes.append(len(frames))
            # The action that the frame asks for, beyond any doubt.
            wanted = (frames[:, 0, 0, 0].astype(int) + frames[:, 0, 0, 1]) % 15
            return 100 * np.eye(15, dtype=np.float32)[wanted], np.zeros(len(frames), np.float32)

        yield forward

    monkeypatch.setattr(evaluation, "forward_pass", forward_pass)
    monkeypatch.setattr(evaluation, "_FEWEST_FRAMES", fewest)
    lengths = np.arange(num_envs) + 1
    env = ScriptedEnv(lengths)
    result = evaluate(*agent, env, jax.random.key(0), 3 * num_envs)
    # Environment i plays 3 episodes of i + 1 steps, in each of which step t asks for i + t.
    for index, length in enumerate(lengths):
        taken = [actions[index] for actions in env.actions[: 3 * length]]
        assert taken == [(index + t) % 15 for t in range(length)] * 3
    assert result.mean_length == lengths.mean()
    assert result.num_completed == 2 * num_envs
    # 16 or fewer play on once environments 0 to 7 have finished, 8 or fewer after 0 to 15.
    expected = [24] * 24 + [16] * 24 + [8] * 24 if fewest == 8 else [24] * 72
    assert sizes == expected


def test_a_game_of_which_no_cause_is_known_has_none(agent):
    assert evaluate(*agent, ScriptedEnv([1]), jax.random.key(0), 2).failures is None


def test_record_holds_counts_shares_and_intervals():
    evaluation = Evaluation(
        num_levels=20,
        num_completed=19,
        mean_return=9.5,
        return_standard_error=0.5,
        mean_length=50.0,
        failures={"saw": 1, "lava": 0},
    )
    record = evaluation.record()
    assert record["num_completed"] == 19
    assert record["completion"] == 0.95
    assert record["failures"] == {"saw": 1, "lava": 0}
    # Newcombe 1998, table I, gives [0, 0.1611] for 0 of 20.
    assert record["failure_intervals"]["lava"] == pytest.approx([0.0, 0.1611], abs=5e-5)
    low, high = record["failure_intervals"]["saw"]
    # A share and what is left of it have mirrored intervals; equal but for rounding.
    assert record["completion_interval"] == pytest.approx([1 - high, 1 - low])


def test_standard_error_is_that_of_a_proportion():
    evaluation = Evaluation(
        num_levels=10_000,
        num_completed=9_950,
        mean_return=9.95,
        return_standard_error=0.0,
        mean_length=1.0,
    )
    assert evaluation.completion == 0.995
    assert evaluation.completion_standard_error == pytest.approx(7.053e-4, rel=1e-3)


def test_train_levels_are_the_agents_own_and_test_levels_are_others(agent):
    """Level seeds that the two splits' environments actually draw."""
    options = {"distribution_mode": "easy", "num_levels": 5, "start_level": 100}
    drawn = {}
    for split in ("train", "test"):
        env = envs.make("procgen:coinrun", num_envs=32, **split_options(options, split))
        drawn[split] = set(env.reset().level_seed.tolist())
        env.close()
    assert drawn["train"] <= set(range(100, 105))
    assert min(drawn["test"]) >= 105
    assert len(drawn["test"]) > 5


def test_all_levels_are_their_own_test_set():
    options = {"num_levels": 0, "distribution_mode": "hard"}
    assert split_options(options, "test") == options


def test_evaluation_of_a_loaded_agent_repeats_itself(agent):
    config = {"env": "procgen:coinrun", "env_options": {"distribution_mode": "easy"}}
    first, second = (
        evaluate_split(*agent, config, "test", num_levels=3, num_envs=8, seed=4) for _ in range(2)
    )
    assert first == second
    assert first.num_levels == 3
    assert first.mean_return == pytest.approx(10 * first.completion)
    assert first.failures is not None
    assert sum(first.failures.values()) == 3 - first.num_completed


@pytest.mark.slow
def test_both_worlds_give_the_same_evaluation(agent):
    """Procgen's library and the game on the device: levels, frames, ends and their causes."""
    options = {"distribution_mode": "hard", "num_levels": 0}
    results = [
        evaluate_split(
            *agent, {"env": env, "env_options": options}, "test", num_levels=8, num_envs=8
        )
        for env in ("procgen:coinrun", "coinrun")
    ]
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [
        ({}, "train", 'config has no "env"'),
        ({"env": "procgen:coinrun"}, "train", 'config has no "env_options"'),
        ({"env": "procgen:coinrun", "env_options": {}}, "validation", 'unknown split "validation"'),
        ({"env": "atari:pong", "env_options": {}}, "test", "atari:pong has no levels, hence no"),
    ],
)
def test_bad_input_is_named(agent, config, split, message):
    with pytest.raises(ValueError, match=message):
        evaluate_split(*agent, config, split, num_levels=1)


def test_agent_of_another_number_of_actions_is_refused():
    policy = models.make("nature", num_actions=9)
    with pytest.raises(ValueError, match=r"scripted has 15 actions, but .* among 9;"):
        evaluate(policy, {}, ScriptedEnv([1]), jax.random.key(0), 1)


def test_agent_of_other_frames_is_refused():
    policy = models.make("nature", num_actions=15, observation_shape=(84, 84, 4))
    with pytest.raises(ValueError, match=r"frames of shape \(64, 64, 3\).* sees \(84, 84, 4\)"):
        evaluate(policy, {}, ScriptedEnv([1]), jax.random.key(0), 1)
