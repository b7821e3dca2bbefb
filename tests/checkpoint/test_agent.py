import hashlib
import json
import resource
import threading

import jax
import numpy as np
import pytest
import safetensors.numpy

from rlvision_jax import checkpoint, models
from rlvision_jax.checkpoint import CheckpointError, CheckpointMismatchError


@pytest.fixture
def agent(tmp_path, policy, make_params):
    """Folder of a saved agent whose parameters are all 1."""
    folder = tmp_path / "agent"
    checkpoint.save(folder, policy, make_params(policy, 1.0), {"steps": 1})
    return folder


def edit_index(agent, **changes):
    index = json.loads((agent / "agent.json").read_text())
    (agent / "agent.json").write_text(json.dumps({**index, **changes}))


def weights_file(agent):
    (path,) = agent.glob("*.safetensors")
    return path


def test_what_is_loaded_is_what_was_saved(tmp_path, policy, assert_same):
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda s: rng.normal(size=s.shape).astype(np.float32), shapes)
    config = {"env": "procgen:coinrun", "steps": 7, "nested": {"a": [1, None]}}
    checkpoint.save(tmp_path / "new" / "agent", policy, params, config)
    loaded_policy, loaded_params, loaded_config = checkpoint.load(tmp_path / "new" / "agent")
    assert loaded_policy == policy
    assert loaded_config == config
    assert_same(loaded_params, params)
    assert checkpoint.fingerprint(loaded_params) == checkpoint.fingerprint(params)


def test_second_save_replaces_the_first(agent, policy, make_params, assert_same):
    checkpoint.save(agent, policy, make_params(policy, 2.0), {"steps": 2})
    _, params, config = checkpoint.load(agent)
    assert_same(params, make_params(policy, 2.0))
    assert config == {"steps": 2}
    assert len(list(agent.iterdir())) == 2


def test_saving_the_same_agent_again_keeps_it(agent, policy, make_params):
    checkpoint.save(agent, policy, make_params(policy, 1.0), {"steps": 3})
    assert checkpoint.load(agent)[2] == {"steps": 3}


def test_fingerprint_names_the_parameters(policy, make_params):
    one, two = make_params(policy, 1.0), make_params(policy, 2.0)
    assert checkpoint.fingerprint(one) == checkpoint.fingerprint(make_params(policy, 1.0))
    assert checkpoint.fingerprint(one) != checkpoint.fingerprint(two)
    assert len(checkpoint.fingerprint(one)) == 12


def test_truncated_parameters_are_refused(agent):
    path = weights_file(agent)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r"safetensors is damaged: its SHA-256 begins \w{12}"):
        checkpoint.load(agent)


def test_missing_parameters_are_refused(agent):
    weights_file(agent).unlink()
    with pytest.raises(CheckpointError, match="is missing; the agent is incomplete"):
        checkpoint.load(agent)


def test_truncated_index_is_refused(agent):
    path = agent / "agent.json"
    path.write_text(path.read_text()[:-10])
    with pytest.raises(CheckpointError, match=r"agent\.json is damaged: .*line"):
        checkpoint.load(agent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "has format 2; this version of rlvision_jax reads 1"),
        ({"sha256": None}, "is damaged: expected format"),
        ({"weights": 3}, "is damaged: expected format"),
        ({"weights": "../../secret.safetensors"}, 'names "../../secret.safetensors"; expected'),
        ({"weights": ".."}, r'names "\.\."; expected params-<12'),
        ({"policy": {"name": "resnet", "num_actions": 2}}, 'unknown model "resnet"'),
        ({"policy": {"layers": 3}}, "names no model of ours"),
    ],
)
def test_index_with_wrong_values_is_refused(agent, changes, message):
    edit_index(agent, **changes)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(agent)


def test_index_that_is_no_object_is_refused(agent):
    (agent / "agent.json").write_text("[1]\n")
    with pytest.raises(CheckpointError, match="is damaged: expected format"):
        checkpoint.load(agent)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"name": "impala", "num_actions": 2, "observation_shape": [36, 36, 3]},
            'does not fit model "impala" with 2 actions: expected nothing for',
        ),
        (
            {"name": "nature", "num_actions": 15, "observation_shape": [36, 36, 3]},
            r"with 15 actions: expected \[15\] for params/heads/policy/bias, got \[2\]",
        ),
    ],
)
def test_parameters_of_another_model_are_refused(agent, other, message):
    edit_index(agent, policy=other)
    with pytest.raises(CheckpointMismatchError, match=message):
        checkpoint.load(agent)


def test_incomplete_parameters_are_refused(agent):
    path = weights_file(agent)
    flat = safetensors.numpy.load_file(path)
    del flat["params/conv1/bias"]
    edit_index(agent, sha256=_rewrite(path, flat))
    with pytest.raises(
        CheckpointMismatchError, match=r"expected \[32\] for params/conv1/bias, got nothing"
    ):
        checkpoint.load(agent)


def _rewrite(path, flat):
    path.write_bytes(safetensors.numpy.save(flat))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_folder_without_an_agent_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError, match=r"is not an agent: it has no agent\.json"):
            checkpoint.load(path)


def test_file_is_neither_loaded_nor_overwritten(tmp_path, policy, make_params):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(CheckpointError, match="is not an agent"):
        checkpoint.load(path)
    with pytest.raises(CheckpointError, match="is a file; expected a folder"):
        checkpoint.save(path, policy, make_params(policy, 1.0), {})
    assert path.read_text() == "mine"


def test_folder_with_other_files_is_left_alone(tmp_path, policy, make_params):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="so it is not an agent; choose another folder"):
        checkpoint.save(tmp_path, policy, make_params(policy, 1.0), {})
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_config_that_is_not_json_leaves_the_agent_intact(agent, policy, make_params):
    with pytest.raises(TypeError, match="not JSON serializable"):
        checkpoint.save(agent, policy, make_params(policy, 2.0), {"steps": np.zeros(2)})
    assert checkpoint.load(agent)[2] == {"steps": 1}


@pytest.mark.parametrize("limit", [100, 100_000])
def test_full_disk_leaves_the_agent_intact(agent, policy, make_params, assert_same, limit):
    before = sorted(agent.iterdir())
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(OSError, match=r"cannot write .*params-\w+.safetensors: .* is intact"):
            checkpoint.save(agent, policy, make_params(policy, 2.0), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert sorted(agent.iterdir()) == before
    assert_same(checkpoint.load(agent)[1], make_params(policy, 1.0))


def test_savers_take_turns_and_readers_see_whole_agents(tmp_path, policy, make_params):
    folder = tmp_path / "agent"
    agents = {value: make_params(policy, value) for value in (1.0, 2.0, 3.0)}
    checkpoint.save(folder, policy, agents[1.0], {"value": 1.0})
    failures = []

    def save(value):
        try:
            for _ in range(15):
                checkpoint.save(folder, policy, agents[value], {"value": value})
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=save, args=(value,)) for value in (2.0, 3.0)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        _, params, config = checkpoint.load(folder)
        assert params["params"]["conv1"]["bias"][0] == config["value"]
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list(folder.iterdir())) == 2


def test_agent_of_every_network_can_be_loaded(tmp_path, make_params):
    for name in models.NETWORKS:
        policy = models.make(name, num_actions=3)
        checkpoint.save(tmp_path / name, policy, make_params(policy, 0.0), {})
        assert checkpoint.load(tmp_path / name)[0] == policy
