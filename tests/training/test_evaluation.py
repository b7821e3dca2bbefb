import jax
import numpy as np
import pytest
from scripted_env import ScriptedEnv

from rlvision_jax import envs, models
from rlvision_jax.training import evaluate, evaluate_split, split_options
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


@pytest.mark.parametrize(
    ("config", "split", "message"),
    [
        ({}, "train", 'config has no "env"'),
        ({"env": "procgen:coinrun"}, "train", 'config has no "env_options"'),
        ({"env": "procgen:coinrun", "env_options": {}}, "validation", 'unknown split "validation"'),
    ],
)
def test_bad_input_is_named(agent, config, split, message):
    with pytest.raises(ValueError, match=message):
        evaluate_split(*agent, config, split, num_levels=1)
