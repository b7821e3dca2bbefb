import dataclasses
import json

import pytest

from rlvision_jax.training import PRESETS, PPOConfig, TrainConfig


def test_defaults_are_procgens():
    config = PPOConfig()
    # openai/train-procgen, train.py: 64 environments x 256 steps, 3 epochs of 8 minibatches.
    assert (config.batch_size, config.minibatch_size) == (16_384, 2_048)
    assert (config.num_epochs, config.learning_rate, config.discount) == (3, 5e-4, 0.999)
    assert (config.gae_lambda, config.clip_range, config.entropy_coefficient) == (0.95, 0.2, 0.01)
    assert (config.value_coefficient, config.max_grad_norm) == (0.5, 0.5)
    assert not config.anneal_learning_rate


def test_presets_have_the_published_sizes():
    easy, hard = PRESETS["easy-25M"](), PRESETS["hard-200M"]()
    assert (easy.ppo, easy.model) == (PPOConfig(total_steps=25_000_000), "impala")
    assert dict(easy.env_options) == {"distribution_mode": "easy", "num_levels": 200}
    # Four MPI workers average the gradients of 2,048 samples each.
    assert (hard.ppo.batch_size, hard.ppo.minibatch_size) == (4 * 16_384, 4 * 2_048)
    assert hard.ppo.total_steps == 200_000_000
    assert hard.env_options["distribution_mode"] == "hard"
    assert hard.env_options["num_levels"] == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_json(preset):
    config = PRESETS[preset]()
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


def test_last_update_may_pass_the_total():
    config = PPOConfig(num_envs=4, num_steps=8, total_steps=100)
    assert config.num_updates == 4
    assert dataclasses.replace(config, total_steps=96).num_updates == 3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_envs": 0}, "num_envs must be an integer of at least 1; got 0"),
        ({"num_steps": 2.5}, "num_steps must be an integer of at least 1; got 2.5"),
        (
            {"num_envs": 3, "num_steps": 5},
            "num_envs \\* num_steps = 15 must be divisible by num_minibatches = 8",
        ),
        ({"discount": 1.5}, r"discount must lie in \[0, 1\]; got 1.5"),
        ({"reward_scale_discount": -1.0}, r"reward_scale_discount must lie in \[0, 1\]; got -1.0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0; got 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be above 0; got nan"),
        ({"entropy_coefficient": -0.1}, "entropy_coefficient must be at least 0; got -0.1"),
    ],
)
@pytest.mark.usefixtures("as_in_production")
def test_wrong_settings_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        PPOConfig(**values)


@pytest.mark.parametrize(("name", "place"), [("num_envs", "ppo.num_envs"), ("seed", "seed")])
def test_options_that_the_run_sets_are_refused(name, place):
    with pytest.raises(ValueError, match=f'must not hold "{name}"; set it in {place}'):
        TrainConfig(env_options={name: 1})
