import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from rlvision_jax import checkpoint
from rlvision_jax.checkpoint import TrainingState, TrainingStateStore

SCRIPT = pathlib.Path(__file__).parent / "save_and_die.py"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders that hold a first save and what a second one, killed or failed, left behind."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, str(SCRIPT), str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return folder, json.loads(result.stdout), result.stderr


def of(statuses, what):
    return {name: status for name, status in statuses.items() if name.startswith(f"{what}-")}


def test_agent_is_the_old_or_the_new_one_wherever_its_save_is_killed(runs, policy, make_params):
    folder, statuses, _ = runs
    steps = {}
    for name in of(statuses, "agent"):
        _, params, config = checkpoint.load(folder / name)
        assert params["params"]["conv1"]["bias"][0] == config["step"]
        steps[name] = config["step"]
        # The next save cleans up.
        checkpoint.save(folder / name, policy, make_params(policy, 3.0), {"step": 3})
        assert checkpoint.load(folder / name)[2] == {"step": 3}
        assert len(list((folder / name).iterdir())) == 2
    killed = [name for name, status in of(statuses, "agent").items() if status == -9]
    assert {steps[name] for name in killed} == {1, 2}
    assert steps["agent-10000"] == 2


def test_first_save_of_an_agent_may_be_killed(tmp_path, policy, make_params):
    (tmp_path / "params-0123456789ab.safetensors").write_bytes(b"never named by an index")
    (tmp_path / ".agent.json.0123.part").write_bytes(b"{")
    checkpoint.save(tmp_path, policy, make_params(policy, 1.0), {"step": 1})
    assert checkpoint.load(tmp_path)[2] == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 2


def test_training_state_is_the_old_or_the_new_one_wherever_its_save_is_killed(runs, assert_same):
    folder, statuses, _ = runs
    latest = {}
    like = {"weights": np.zeros((500, 500))}
    for name in of(statuses, "state"):
        store = TrainingStateStore(folder / name)
        step = latest[name] = store.latest_step()
        state = store.load(step, like)
        assert state.progress == {"step": step}
        assert_same(state.learner["weights"], np.random.default_rng(step).normal(size=(500, 500)))
        store.save(2, TrainingState(like, {"frames": np.zeros(3)}, {"step": 2}))
        assert store.latest_step() == 2
        store.close()
        assert not [path for path in (folder / name).iterdir() if "tmp" in path.name]
    killed = [name for name, status in of(statuses, "state").items() if status == -9]
    assert len(killed) >= 5
    assert {latest[name] for name in killed} == {1}
    assert latest["state-10000"] == 2


def test_full_disk_leaves_the_training_state_intact(runs):
    folder, statuses, stderr = runs
    assert statuses["full"] == 0
    message = (folder / "full.error").read_text()
    assert message.startswith("cannot save the training state after 2 steps in ")
    assert "File too large" in message
    assert message.endswith("; earlier checkpoints are intact")
    assert len(message.splitlines()) == 1
    assert "Traceback" not in stderr
    store = TrainingStateStore(folder / "full")
    assert store.latest_step() == 1
    assert store.load(1, {"weights": np.zeros((500, 500))}).progress == {"step": 1}
    store.close()
