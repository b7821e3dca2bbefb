"""Reports of games whose frames are not RGB, by a policy that is quick to compile."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax import envs, models
from rlvision_jax.interface import ReportConfig, build_report, read_report, validate, write_report

NUM_CHANNELS = 4
_CONFIG = ReportConfig(
    num_features=2,
    num_trajectories=1,
    num_steps=6,
    num_frames=4,
    frame_interval=2,
    num_envs=2,
    num_examples=2,
    num_integration_steps=2,
)


def _pool(params, x):
    means = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).mean((2, 4))
    return jax.nn.relu(means @ params["kernel"])


def _heads(params, x):
    outputs = x.mean((1, 2)) @ params["heads"]
    return outputs[:, :-1], outputs[:, -1]


def _agent(num_actions, shape):
    keys = jax.random.split(jax.random.key(0))
    params = {
        "kernel": jnp.abs(jax.random.normal(keys[0], (NUM_CHANNELS, 3))),
        "heads": jax.random.normal(keys[1], (3, num_actions + 1)),
    }
    policy = models.from_functions(
        [("pool", _pool)], _heads, num_actions=num_actions, observation_shape=shape
    )
    return policy, params


@pytest.mark.parametrize(
    ("name", "shape", "action_names"),
    [
        ("atari:pong", (84, 84, 4), ("none", "fire", "right", "left", "right+fire", "left+fire")),
        pytest.param(
            "gymnax:Breakout-MinAtar",
            (10, 10, 4),
            ("none", "left", "right"),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_reports_show_frames_as_people_see_them(tmp_path, name, shape, action_names):
    options = {"full_action_set": False} if name.startswith("atari") else {}
    agent = {"env": name, "env_options": options}
    policy, params = _agent(len(action_names), shape)
    report = build_report(policy, params, agent, _CONFIG, title=name, num_threads=1)
    validate(report)
    assert report.action_names == action_names
    assert not report.has_levels
    assert report.provenance["report"]["layers"] == ("pool",)
    (trajectory,) = report.trajectories
    assert trajectory.observations.shape == (6, *shape[:2], 3)
    env = envs.make_host(name, num_envs=1, seed=1, num_threads=1, **options)
    first = env.reset().observation
    env.close()
    expected = envs.to_rgb(first, envs.describe(env).channels)
    np.testing.assert_array_equal(trajectory.observations[:1], expected)
    assert (expected[..., 0] == expected[..., 1]).all() == name.startswith("atari")  # grey
    for feature in report.layers[0].features:
        assert feature.thumbnails.shape[-1] == 3
    write_report(report, tmp_path / "report")
    assert not read_report(tmp_path / "report").has_levels


def test_agents_of_other_games_are_refused():
    policy, params = _agent(5, (84, 84, 4))
    agent = {"env": "gymnax:Breakout-MinAtar", "env_options": {}}
    with pytest.raises(ValueError, match="has 3 actions, but the policy chooses among 5"):
        build_report(policy, params, agent, _CONFIG, title="")
