"""The report's numbers against the functions that they come from."""

import dataclasses

import jax
import numpy as np
import pytest

from rlvision_jax import envs, models, training
from rlvision_jax.interface import ReportConfig, build_report, validate
from rlvision_jax.training import played_advantages

_CONFIG = ReportConfig(
    layer="conv2",
    num_features=3,
    num_trajectories=2,
    num_steps=8,
    num_frames=12,
    frame_interval=2,
    num_envs=4,
    num_examples=4,
    num_integration_steps=50,
    rule="midpoint",
)
_AGENT = {"env": "procgen:coinrun", "env_options": {"distribution_mode": "easy"}}


@pytest.fixture(scope="module")
def agent():
    policy = models.make("nature")
    return policy, policy.init(jax.random.key(3))


@pytest.fixture(scope="module")
def report(agent):
    return build_report(*agent, _AGENT, _CONFIG, title="untrained")


def test_report_is_valid_and_says_what_made_it(agent, report):
    validate(report)
    assert report.provenance["report"]["rule"] == "midpoint"
    assert report.provenance["policy"]["name"] == "nature"
    assert report.provenance["agent"] == _AGENT
    assert len(report.layers[0].features) == 3


def test_attribution_of_each_frame_sums_to_the_value_it_explains(agent, report):
    policy, params = agent
    silent = np.zeros((1, *policy.layer_shape("conv2")), np.float32)
    _, value_when_silent = policy.head(params, silent, "conv2")
    for trajectory in report.trajectories:
        (attribution,) = trajectory.attributions
        explained = attribution.maps.sum((1, 2, 3)) + attribution.residual.sum((1, 2))
        # 50 midpoint steps through two ReLU layers: the error falls with their number
        np.testing.assert_allclose(
            explained, trajectory.values - np.asarray(value_when_silent), atol=2e-3
        )


def test_logits_and_values_belong_to_the_frames_shown(agent, report):
    policy, params = agent
    trajectory = report.trajectories[1]
    logits, values = policy.apply(params, trajectory.observations)
    np.testing.assert_allclose(trajectory.policy_logits, logits, atol=1e-6)
    np.testing.assert_allclose(trajectory.values, values, atol=1e-6)


def test_advantages_use_the_agents_own_scale_and_discount():
    time, env = 3, 1
    zeros = np.zeros((time, env), np.float32)
    flags = np.zeros((time, env), bool)
    rewards = np.asarray([[0.0], [0.0], [10.0]], np.float32)
    done = np.asarray([[False], [False], [True]])
    played = training.Played(
        observations=np.zeros((time, env, 64, 64, 3), np.uint8),
        actions=np.zeros((time, env), np.int32),
        rewards=rewards,
        terminated=done,
        truncated=flags,
        level_complete=done,
        level_seeds=np.zeros((time, env), np.int32),
        policy_logits=np.zeros((time, env, 15), np.float32),
        values=zeros,
        bootstrap_values=np.zeros(env, np.float32),
    )
    config = {"reward_scale": 5.0, "training": {"ppo": {"discount": 0.5, "gae_lambda": 1.0}}}
    assert played_advantages(played, config)[:, 0].tolist() == [0.5, 1.0, 2.0]
    paper = played_advantages(played, {})[:, 0]
    np.testing.assert_allclose(paper, [10 * (0.999 * 0.95) ** 2, 10 * 0.999 * 0.95, 10], rtol=1e-6)


def test_unknown_layer_is_refused_before_playing(agent):
    with pytest.raises(ValueError, match='unknown layer "2b"'):
        build_report(*agent, {}, ReportConfig(layer="2b"), title="")


@pytest.mark.parametrize("field", ["num_features", "num_steps", "frame_interval"])
def test_counts_below_one_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be an integer of at least 1; got 0"):
        ReportConfig(**{field: 0})


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match='unknown rule "simpson"'):
        ReportConfig(rule="simpson")


def test_the_middle_layer_of_another_game_is_shown_unless_one_is_named(agent):
    starpilot = {"env": "procgen:starpilot", "env_options": {"distribution_mode": "easy"}}
    report = build_report(*agent, starpilot, dataclasses.replace(_CONFIG, layer=None), title="")
    validate(report)
    assert [layer.name for layer in report.layers] == ["conv2"]
    assert report.has_levels
    assert report.action_names == envs.ACTION_NAMES
