"""The agent that is stored with a report."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from rlvision_jax import checkpoint, models
from rlvision_jax.interface import ReportDataError, read_agents, read_report, write_report
from rlvision_jax.interface.layout import MARKER


@pytest.fixture(scope="module")
def agent():
    policy = models.make("nature", num_actions=4)
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, 0.25, leaf.dtype), shapes)
    return policy, params, {"env": "procgen:coinrun", "env_options": {}}


@pytest.fixture
def stored(report, agent, tmp_path):
    return write_report(report, tmp_path / "report", agent=agent).parent


def test_the_agent_comes_back_as_it_was_and_is_listed(stored, agent):
    [(policy, params, config)] = read_agents(stored)
    assert policy.config == agent[0].config
    assert config == agent[2]
    for read, written in zip(jax.tree.leaves(params), jax.tree.leaves(agent[1]), strict=True):
        np.testing.assert_array_equal(read, written)
    files = json.loads((stored / MARKER).read_text())["files"]
    weights = f"agent/params-{checkpoint.fingerprint(agent[1])}.safetensors"
    assert {path for path in files if path.startswith("agent")} == {"agent/agent.json", weights}
    assert files[weights]["bytes"] == (stored / weights).stat().st_size


def test_a_report_without_an_agent_has_none(folder):
    assert read_agents(folder) == ()


def test_a_damaged_agent_is_noticed_in_reading_either(stored):
    (weights,) = (stored / "agent").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-1])
    for read in (read_agents, read_report):
        with pytest.raises(ReportDataError, match="safetensors is damaged"):
            read(stored)


def test_a_link_out_of_the_report_is_not_followed(stored, tmp_path):
    (weights,) = (stored / "agent").glob("*.safetensors")
    weights.rename(tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ReportDataError, match="is a link out of the report"):
        read_agents(stored)


def test_a_file_beside_those_written_is_not_loaded(stored):
    (weights,) = (stored / "agent").glob("*.safetensors")
    marker = json.loads((stored / MARKER).read_text())
    del marker["files"][f"agent/{weights.name}"]
    (stored / MARKER).write_text(json.dumps(marker))
    with pytest.raises(ReportDataError, match=r"safetensors is not listed in report.json"):
        read_agents(stored)


def test_another_agents_report_is_refused(report, agent, tmp_path):
    of_another = dataclasses.replace(report, provenance={"parameters": "0123456789ab"})
    with pytest.raises(checkpoint.CheckpointMismatchError, match="parameters are 0123456789ab"):
        write_report(of_another, tmp_path / "report", agent=agent)
    assert not (tmp_path / "report").exists()


def test_attributions_and_frames_for_people_can_be_left_unread(folder, shown):
    light = read_report(folder, attributions=False, human_frames=False)
    for read, whole in zip(light.trajectories, shown.trajectories, strict=True):
        assert (read.attributions, read.human_frames) == ((), ())
        np.testing.assert_array_equal(read.observations, whole.observations)
        np.testing.assert_array_equal(read.object_masks, whole.object_masks)


def test_the_second_agent_of_two_is_stored_beside_the_first(report, agent, tmp_path):
    policy, params, config = agent
    edited = jax.tree.map(lambda leaf: leaf + 1, params)
    other = policy, edited, {**config, "steps": 7}
    of_two = dataclasses.replace(
        report, provenance={"against": {"parameters": checkpoint.fingerprint(edited)}}
    )
    folder = write_report(of_two, tmp_path / "two", agent=agent, against=other).parent
    assert [stored[2] for stored in read_agents(folder)] == [config, other[2]]
    with pytest.raises(checkpoint.CheckpointMismatchError, match="is not of this agent"):
        write_report(of_two, tmp_path / "same", agent=agent, against=agent)
    with pytest.raises(ValueError, match="give agent too"):
        write_report(of_two, tmp_path / "one", against=other)
