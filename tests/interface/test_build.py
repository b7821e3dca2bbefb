"""The report's numbers against the functions that they come from."""

import dataclasses
import io

import jax
import numpy as np
import pytest
from PIL import Image
from small_reports import AGENT, CONFIG

from rlvision_jax import envs, models, training
from rlvision_jax.attribution import attribute_scores
from rlvision_jax.interface import ReportConfig, build_report, validate
from rlvision_jax.interface.config import chosen_layers
from rlvision_jax.interface.recording import RecordingEnv, marks_objects
from rlvision_jax.training import played_advantages

_CONFIG = dataclasses.replace(CONFIG, human=True)


@pytest.fixture(scope="module")
def agent():
    policy = models.make("nature")
    return policy, policy.init(jax.random.key(3))


@pytest.fixture(scope="module")
def report(agent):
    return build_report(*agent, AGENT, _CONFIG, title="untrained")


def test_report_is_valid_and_says_what_made_it(agent, report):
    validate(report)
    assert report.provenance["report"]["rule"] == "midpoint"
    assert report.provenance["policy"]["name"] == "nature"
    assert report.provenance["agent"] == AGENT
    assert [layer.name for layer in report.layers] == ["pixels", "conv2"]
    assert len(report.layers[1].features) == 3
    assert [score.name for score in report.scores] == ["value", "right | right+up logits"]


def test_attribution_of_each_frame_sums_to_the_score_it_explains(agent, report):
    policy, params = agent
    silent = np.zeros((1, *policy.layer_shape("conv2")), np.float32)
    silent_logits, silent_value = policy.head(params, silent, "conv2")
    actions = list(report.scores[1].actions)
    for trajectory in report.trajectories:
        _, _, *attributions = trajectory.attributions
        logits = trajectory.policy_logits[:, actions].sum(1)
        expected = {
            "value": trajectory.values - np.asarray(silent_value),
            "right | right+up logits": logits - np.asarray(silent_logits)[0, actions].sum(),
        }
        for attribution in attributions:
            explained = attribution.maps.sum((1, 2, 3)) + attribution.residual.sum((1, 2))
            # 50 midpoint steps through two ReLU layers: the error falls with their number
            np.testing.assert_allclose(explained, expected[attribution.score], atol=2e-3)


def test_the_pixels_show_the_gradient_of_each_score(agent, report):
    trajectory = report.trajectories[0]
    _, attribution, *_ = trajectory.attributions
    assert (attribution.layer, attribution.score) == ("pixels", "right | right+up logits")
    # Both scores, as the report does: one program for both.
    wanted = ("value", report.scores[1].actions)
    gradients = attribute_scores(*agent, trajectory.observations, None, wanted, num_steps=1).values
    np.testing.assert_array_equal(attribution.maps, gradients[:, 1])
    assert not attribution.residual.any()
    assert report.layers[0].kind == "gradient"
    assert [feature.color for feature in report.layers[0].features][:2] == ["#ff0000", "#00ff00"]


def test_objects_are_those_of_the_moments_shown(report):
    assert report.object_names == envs.OBJECT_NAMES
    agent = envs.OBJECT_NAMES.index("agent")
    env = envs.make_host("procgen:coinrun", num_envs=2, seed=1, distribution_mode="easy")
    env.reset()
    for index, trajectory in enumerate(report.trajectories):
        masks = trajectory.object_masks
        assert masks.shape == (8, 64, 64, len(envs.OBJECT_NAMES))
        np.testing.assert_array_equal(masks[0], envs.object_masks(env.get_state()[index]))
        # The picture follows the agent: it stays near the middle.
        rows, columns = np.nonzero(masks[..., agent].any(0))
        assert 20 < columns.mean() < 44
        assert rows.size
    env.close()


def test_pictures_for_people_are_of_the_same_moments(report):
    for trajectory in report.trajectories:
        for observation, file in zip(trajectory.observations, trajectory.human_frames, strict=True):
            picture = Image.open(io.BytesIO(file))
            assert picture.size == (512, 512)
            small = np.asarray(picture.resize((64, 64), Image.Resampling.BOX), float)
            # Both draw the same scene, by other rules: edges differ, the whole does not.
            assert np.corrcoef(small.ravel(), observation.astype(float).ravel())[0, 1] > 0.9


def test_examples_by_position_come_from_the_frames_sampled(report):
    assert report.examples.shape == (6, 64, 64, 3)
    for feature in report.layers[1].features:
        sizes = [grid.frames.shape for grid in feature.grids]
        assert sizes == sorted(sizes)
        for grid in feature.grids:
            assert grid.frames.max() < 6
            assert grid.strengths.max() <= feature.strengths[0] + 1e-6  # interpolated


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
        build_report(*agent, {}, ReportConfig(layers=("2b",)), title="")


@pytest.mark.parametrize("field", ["num_features", "num_steps", "frame_interval"])
def test_counts_below_one_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} must be an integer of at least 1; got 0"):
        ReportConfig(**{field: 0})


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match='unknown rule "simpson"'):
        ReportConfig(rule="simpson")


def test_the_middle_layer_of_another_game_is_shown_unless_one_is_named(agent):
    starpilot = {"env": "procgen:starpilot", "env_options": {"distribution_mode": "easy"}}
    config = dataclasses.replace(_CONFIG, layers=(), human=False)
    report = build_report(*agent, starpilot, config, title="")
    validate(report)
    assert [layer.name for layer in report.layers] == ["conv2"]
    assert report.has_levels
    assert report.action_names == envs.ACTION_NAMES
    assert report.object_names == ()  # only CoinRun's are known


def test_layers_come_in_the_networks_order():
    policy = models.make("clear")
    assert chosen_layers(policy, ("all", "pixels")) == ("pixels", *policy.layer_names)
    assert chosen_layers(policy, ("3a", "1a")) == ("1a", "3a")


@pytest.mark.usefixtures("as_in_production")
def test_one_name_in_place_of_several_is_refused():
    with pytest.raises(ValueError, match=r'layers must be a tuple of names; got "2b"'):
        ReportConfig(layers="2b")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scores must name at least one"):
        ReportConfig(scores=())


def test_games_without_pictures_for_people_are_refused():
    env = envs.make_host("procgen:coinrun", num_envs=1)
    without_pictures = RecordingEnv(env, objects=False, human=False)
    with pytest.raises(ValueError, match="draws no frames for people"):
        RecordingEnv(without_pictures, objects=False, human=True)
    env.close()


@pytest.mark.parametrize(
    ("name", "options", "known"),
    [
        ("procgen:coinrun", {}, True),
        ("procgen:coinrun", {"center_agent": False}, False),
        ("procgen:coinrun", {"distribution_mode": "exploration"}, False),
        ("procgen:starpilot", {}, False),
    ],
)
def test_objects_are_known_where_they_can_be_told(name, options, known):
    env = envs.make_host(name, num_envs=1, **options)
    assert marks_objects(env) == known
    if known:
        assert envs.object_masks(env.get_state()[0]).any()
    env.close()
