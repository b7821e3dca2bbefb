import dataclasses

import jax
import numpy as np
import pytest

from rlvision_jax import checkpoint, models
from rlvision_jax.training import PPOConfig, TrainConfig, train

_CONFIG = TrainConfig(
    env_options={"distribution_mode": "easy", "num_levels": 3},
    model="nature",
    tensorboard=False,
    # So small a step that the parameters after one update are still those it started from.
    ppo=PPOConfig(
        num_envs=2, num_steps=4, num_minibatches=1, num_epochs=1, total_steps=8, learning_rate=1e-9
    ),
)


def test_run_starts_from_the_agent_and_counts_its_steps(tmp_path):
    policy = models.make("nature")
    params = policy.init(jax.random.key(7))
    checkpoint.save(tmp_path / "first", policy, params, {"steps": 1000, "note": "made by hand"})
    config = dataclasses.replace(_CONFIG, initial_agent=str(tmp_path / "first"))
    result = train(config, tmp_path / "run")
    _, trained, told = checkpoint.load(result.agent)
    # One Adam step moves a parameter by the learning rate at most.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-8), params, trained)
    assert told["steps"] == 1008
    assert told["initial_agent"]["note"] == "made by hand"
    assert str(tmp_path) not in str(told)

    # A resumed run does not need the agent any more.
    (tmp_path / "first").rename(tmp_path / "elsewhere")
    longer = dataclasses.replace(config, ppo=dataclasses.replace(config.ppo, total_steps=16))
    told = checkpoint.load(train(longer, tmp_path / "run").agent)[2]
    assert told["steps"] == 1016
    assert told["initial_agent"]["note"] == "made by hand"


def test_agent_of_another_model_is_refused(tmp_path):
    policy = models.make("impala")
    checkpoint.save(tmp_path / "first", policy, policy.init(jax.random.key(0)), {})
    config = dataclasses.replace(_CONFIG, initial_agent=str(tmp_path / "first"))
    with pytest.raises(checkpoint.CheckpointMismatchError, match='is of model "impala"'):
        train(config, tmp_path / "run")
