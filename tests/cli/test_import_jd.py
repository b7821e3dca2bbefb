"""`rlvision import-jd`, run in this process as a user would type it."""

import joblib
import numpy as np
import pytest

from rlvision_jax import checkpoint
from rlvision_jax.cli.main import main

_SHAPES = {
    "pi/c1/w": (8, 8, 3, 32),
    "pi/c1/b": (1, 32, 1, 1),
    "pi/c2/w": (4, 4, 32, 64),
    "pi/c2/b": (1, 64, 1, 1),
    "pi/c3/w": (3, 3, 64, 64),
    "pi/c3/b": (1, 64, 1, 1),
    "pi/fc1/w": (1024, 512),
    "pi/fc1/b": (512,),
    "vf/w": (512, 1),
    "vf/b": (1,),
}


@pytest.fixture
def write(tmp_path):
    """Writes a nature agent as the original does; its path."""

    def write_jd(num_actions, env_name):
        shapes = {**_SHAPES, "pi/w": (512, num_actions), "pi/b": (num_actions,)}
        params = {
            f"ppo2_model/{name}:0": np.full(shape, 0.5, np.float32)
            for name, shape in shapes.items()
        }
        joblib.dump({"args": {"env_name": env_name}, "params": params}, tmp_path / "agent.jd")
        return str(tmp_path / "agent.jd")

    return write_jd


def run(*arguments, command="import-jd"):
    with pytest.raises(SystemExit) as exit_info:
        main([command, *arguments])
    return exit_info.value.code


def test_a_file_becomes_an_agent(write, tmp_path, capsys):
    folder = tmp_path / "agent"
    assert run(write(15, "coinrun"), str(folder)) == 0
    out = capsys.readouterr().out.strip().splitlines()
    assert out == ['network "nature" with 15 actions', "plays procgen:coinrun", str(folder)]
    policy, params, config = checkpoint.load(folder)
    assert policy.name == "nature"
    assert (params["params"]["dense1"]["kernel"] == 0.5).all()
    assert config["imported_from"]["file"] == "agent.jd"


def test_an_agent_that_cannot_play_here_says_so(write, tmp_path, capsys):
    folder = str(tmp_path / "agent")
    assert run(write(9, "coinrun_old"), folder) == 0
    assert "trained in coinrun_old, which is none of ours" in capsys.readouterr().out
    message = run(folder, command="evaluate")
    assert message == f'rlvision: the config of {folder} has no "env" to play; name one with --env'
    message = run(folder, "--env", "procgen:coinrun", "--num-levels", "1", command="evaluate")
    assert message.startswith("rlvision: procgen:coinrun has 15 actions, but the policy chooses")
    message = run(
        folder, "--layers", "conv2", "--out", str(tmp_path / "report"), command="interface"
    )
    assert message.startswith('rlvision: the agent\'s config has no "env"')


def test_what_is_no_agent_is_one_line_and_writes_nothing(tmp_path):
    file = tmp_path / "evil.jd"
    file.write_bytes(b"cos\nsystem\n(Vecho\ntR.")
    message = run(str(file), str(tmp_path / "agent"))
    assert message.startswith(f"rlvision: {file} refers to os.system")
    assert "\n" not in message
    assert not (tmp_path / "agent").exists()


def test_help_is_there(capsys):
    assert run("--help") == 0
    assert "understanding-rl-vision" in capsys.readouterr().out
