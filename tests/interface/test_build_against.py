"""Two agents on the same levels: what belongs beside what, and whose features are shown."""

import dataclasses

import jax
import numpy as np
import pytest
from small_reports import AGENT, CONFIG

from rlvision_jax import editing, models
from rlvision_jax.interface import build_report, read_report, validate, write_report
from rlvision_jax.interface.agents import share_network
from rlvision_jax.interface.pairs import paired

_CONFIG = dataclasses.replace(CONFIG, objects=False)


@pytest.fixture(scope="module")
def agents():
    policy = models.make("nature")
    params = policy.init(jax.random.key(3))
    direction = np.eye(policy.layer_shape("conv2")[-1], dtype=np.float32)[5]
    edited = editing.project_out(policy, params, "conv2", direction)
    return {
        "first": (policy, params, AGENT),
        "edited": (policy, edited, AGENT),
        "another": (policy, policy.init(jax.random.key(4)), AGENT),
    }


@pytest.fixture(scope="module")
def reports(agents):
    policy, params, env = agents["first"]
    return {
        name: build_report(
            policy, params, env, _CONFIG, title="both", against=agents[name], names=("first", name)
        )
        for name in ("edited", "another")
    }


@pytest.mark.parametrize("name", ["edited", "another"])
def test_both_begin_on_the_same_levels_and_each_is_itself(agents, reports, name):
    report = reports[name]
    validate(report)
    assert report.agents == ("first", name)
    assert [t.agent for t in report.trajectories] == [0, 0, 1, 1]
    assert [t.counterpart for t in report.trajectories] == [2, 3, 0, 1]
    assert [t.label for t in report.trajectories][::2] == ["first 1", f"{name} 1"]
    for index, trajectory in enumerate(report.trajectories):
        other = report.trajectories[trajectory.counterpart]
        assert trajectory.level_seeds[0] == other.level_seeds[0]
        np.testing.assert_array_equal(trajectory.observations[0], other.observations[0])
        policy, params, _ = agents["first" if index < 2 else name]
        _, values = policy.apply(params, trajectory.observations)
        # Batches of other sizes: float32 sums in another order.
        np.testing.assert_allclose(trajectory.values, values, atol=1e-6)


def test_an_edit_is_explained_by_the_features_of_the_first(reports):
    report = reports["edited"]
    assert [layer.name for layer in report.layers] == ["pixels", "conv2"]
    for trajectory in report.trajectories:
        assert [a.layer for a in trajectory.attributions][::2] == ["pixels", "conv2"]


def test_an_agent_trained_apart_has_features_of_its_own(reports):
    report = reports["another"]
    assert [layer.name for layer in report.layers] == ["pixels", "conv2", "conv2 of another"]
    assert [layer.counterpart for layer in report.layers] == [None, None, 1]
    own, others = (layer.features[0].direction for layer in report.layers[1:])
    assert not np.allclose(own, others)
    for trajectory in report.trajectories:
        layers = [a.layer for a in trajectory.attributions]
        assert layers[::2] == ["pixels", "conv2 of another" if trajectory.agent else "conv2"]
    assert report.provenance["against"]["parameters"] != report.provenance["parameters"]


def test_agents_and_counterparts_come_back_as_written(reports, tmp_path):
    report = reports["another"]
    read = read_report(write_report(report, tmp_path / "report").parent)
    assert read.agents == report.agents
    for written, again in zip(report.trajectories, read.trajectories, strict=True):
        assert (again.agent, again.counterpart) == (written.agent, written.counterpart)
    assert [layer.counterpart for layer in read.layers] == [None, None, 1]


def test_agents_of_one_name_are_refused(agents):
    with pytest.raises(ValueError, match='both agents are named "first"; name them apart'):
        build_report(
            *agents["first"], _CONFIG, title="", against=agents["edited"], names=("first",) * 2
        )


def test_an_edit_shares_its_network_and_a_stranger_does_not(agents):
    assert share_network(agents["first"], agents["edited"])
    assert not share_network(agents["first"], agents["another"])
    wider = models.make("nature", num_actions=4)
    shapes = jax.eval_shape(wider.init, jax.random.key(0))
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    assert not share_network(agents["first"], (wider, zeros, AGENT))


def test_other_levels_are_refused(report):
    first = report.trajectories[0]
    seeds = first.level_seeds.copy()
    seeds[8:15] = 7
    other = dataclasses.replace(first, level_seeds=seeds)
    with pytest.raises(ValueError, match="episode 2 of trajectory 1 is level 202 for the first"):
        paired([first], [other], levels=True)
    kept = paired([first], [other], levels=False)
    assert [(t.agent, t.counterpart) for t in kept] == [(0, 1), (1, 0)]
    with pytest.raises(ValueError, match="played 1 and 0 trajectories"):
        paired([first], [], levels=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"agent": 2}, r"trajectories\[0\] is of agent 2; the report names 2"),
        ({"counterpart": 0}, r"trajectories\[0\] has counterpart 0; expected another of the 2"),
        ({"counterpart": None}, r"has counterpart 0, whose counterpart is None; expected 1"),
    ],
)
def test_counterparts_that_do_not_fit_are_refused(report, changes, message):
    one, two = paired(report.trajectories[:1], report.trajectories[:1], levels=True)
    pair = (dataclasses.replace(one, **changes), two)
    both = dataclasses.replace(report, trajectories=pair, agents=("a", "b"), failures=())
    both = dataclasses.replace(both, bookmarks=())
    with pytest.raises(ValueError, match=message):
        validate(both)
