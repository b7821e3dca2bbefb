"""The commands, run in this process as a user would type them."""

import json
import pathlib

import jax
import numpy as np
import pytest

from rlvision_jax import checkpoint, envs, models
from rlvision_jax.cli.main import main
from rlvision_jax.interface import read_report, save_labels

_OPTIONS = {"distribution_mode": "easy", "num_levels": 5}


@pytest.fixture(scope="module")
def agent(tmp_path_factory):
    """An untrained agent on disk."""
    folder = tmp_path_factory.mktemp("agents") / "untrained"
    policy = models.make("nature")
    config = {"env": "procgen:coinrun", "env_options": _OPTIONS, "steps": 0}
    checkpoint.save(folder, policy, policy.init(jax.random.key(0)), config)
    return str(folder)


@pytest.fixture(scope="module")
def report(agent, tmp_path_factory):
    """A small report of it."""
    folder = tmp_path_factory.mktemp("reports") / "report"
    main_status(_interface(agent, folder))
    return str(folder)


def _interface(agent, folder, *more):
    sizes = ["--num-trajectories", "2", "--num-steps", "6", "--num-frames", "16"]
    sizes += ["--frame-interval", "2", "--num-envs", "8", "--num-features", "3"]
    sizes += ["--num-examples", "4", "--num-integration-steps", "2", "--layers", "conv2"]
    return ["interface", agent, "--out", str(folder), *sizes, *more]


def main_status(arguments):
    """Exit status of a command; its message if it failed."""
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    return exit_info.value.code


def assert_one_line(message, *parts):
    assert isinstance(message, str), f"the command did not fail: {message}"
    assert message.startswith("rlvision: ")
    assert "\n" not in message
    for part in parts:
        assert part in message


def test_interface_writes_a_report_and_prints_its_path_last(agent, tmp_path, capsys):
    labels = tmp_path / "labels.json"
    save_labels({"conv2": ("coin", "saw", "wall")}, labels)
    assert main_status(_interface(agent, tmp_path / "report", "--labels", str(labels))) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert pathlib.Path(last) == (tmp_path / "report" / "index.html").resolve()
    assert pathlib.Path(last).exists()
    (layer,) = read_report(tmp_path / "report").layers
    assert [feature.name for feature in layer.features] == ["coin", "saw", "wall"]


def test_a_file_that_holds_no_names_is_one_line(agent, tmp_path):
    (tmp_path / "labels.json").write_text("{}")
    arguments = _interface(agent, tmp_path / "report", "--labels", str(tmp_path / "labels.json"))
    assert_one_line(main_status(arguments), "labels.json holds no names of features")


def test_evaluate_prints_json_of_both_kinds_of_levels(agent, capsys):
    assert main_status(["evaluate", agent, "--num-levels", "2", "--num-envs", "2", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    for split in ("train", "test"):
        result = results[split]
        assert result["num_levels"] == 2
        assert result["num_completed"] + sum(result["failures"].values()) == 2


def test_edit_blinds_the_next_layer_to_the_feature(agent, report, tmp_path):
    edited = tmp_path / "edited"
    arguments = ["edit", agent, "--report", report, "--feature", "2", "--out", str(edited)]
    assert main_status(arguments) == 0
    policy, params, config = checkpoint.load(edited)
    direction = read_report(report).layers[0].features[1].direction
    kernel = np.asarray(params["params"]["conv3"]["kernel"])
    seen = np.einsum("hwio,i->hwo", kernel, direction)
    # rounding of a float32 projection: kernel entries are below 1, 64 channels are summed
    np.testing.assert_allclose(seen, 0.0, atol=1e-5)
    assert config["edits"][0]["layer"] == "conv2"
    _, original, _ = checkpoint.load(agent)
    conv1, edited_conv1 = (p["params"]["conv1"]["kernel"] for p in (original, params))
    assert np.array_equal(conv1, edited_conv1)
    assert policy.name == "nature"


def test_train_stops_at_the_first_checkpointed_update_and_continues(tmp_path, capsys):
    run = tmp_path / "run"
    arguments = ["train", str(run), "--preset", "smoke", "--ppo.num-envs", "4"]
    arguments += ["--ppo.num-steps", "8", "--ppo.num-minibatches", "2", "--no-tensorboard"]
    arguments += ["--env-options", "num_levels=3", "start_level=7"]
    assert main_status([*arguments, "--ppo.total-steps", "32"]) == 0
    assert main_status([*arguments, "--ppo.total-steps", "64"]) == 0
    out = capsys.readouterr().out
    assert "effective batch 32 steps (4 environments x 8)" in out
    assert out.strip().splitlines()[-1] == str(run / "agent")
    config = checkpoint.load(run / "agent")[2]
    assert config["steps"] == 64
    expected = {"distribution_mode": "easy", "num_levels": 3, "start_level": 7}
    assert config["env_options"] == expected


def test_train_trains_a_population(tmp_path, capsys):
    folder = tmp_path / "population"
    arguments = ["train", str(folder), "--preset", "smoke", "--ppo.num-envs", "2", "--seed", "5"]
    arguments += ["--ppo.num-steps", "8", "--ppo.num-minibatches", "2", "--no-tensorboard"]
    arguments += ["--ppo.total-steps", "16", "--population", "2", "--population-levels", "3", "4"]
    assert main_status(arguments) == 0
    folders = [folder / f"member-{index:03d}" / "agent" for index in range(4)]
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[-4:] == [str(agent) for agent in folders]
    configs = [checkpoint.load(agent)[2] for agent in folders]
    assert [config["training"]["seed"] for config in configs] == [5, 6, 5, 6]
    assert [config["env_options"]["num_levels"] for config in configs] == [3, 3, 4, 4]


def test_demo_names_the_layer_it_attributes_to(monkeypatch, capsys):
    monkeypatch.setattr("rlvision_jax.cli.demo.make_report", lambda *arguments: "page")
    assert main_status(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "attributing its value to layer 2b, in 8 features" in printed
    assert printed.endswith("\npage\n")


@pytest.mark.parametrize(
    "command", [[], ["demo"], ["train"], ["evaluate"], ["interface"], ["edit"], ["import-jd"]]
)
def test_every_command_has_help(command, capsys):
    assert main_status([*command, "--help"]) == 0
    assert "usage: rlvision" in capsys.readouterr().out


def test_missing_agent_is_one_line(tmp_path):
    assert_one_line(main_status(["evaluate", str(tmp_path / "none")]), "no agent")


def test_folder_that_is_no_agent_is_one_line(tmp_path):
    assert_one_line(main_status(["evaluate", str(tmp_path)]), "is not an agent", "agent.json")


def test_truncated_parameters_are_one_line(agent, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in pathlib.Path(agent).iterdir():
        (copy / path.name).write_bytes(path.read_bytes()[: 1000 if "params" in path.name else None])
    assert_one_line(main_status(["evaluate", str(copy)]), "is damaged")


def test_unknown_layer_is_one_line(agent, tmp_path):
    arguments = _interface(agent, tmp_path / "report", "--layers", "2b")
    assert_one_line(main_status(arguments), 'unknown layer "2b"', '"conv1", "conv2", "conv3"')
    assert not (tmp_path / "report").exists()


def test_folder_that_is_not_a_report_is_left_alone(agent, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert_one_line(main_status(_interface(agent, tmp_path)), "is not a report")
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_count_below_one_is_one_line(agent, tmp_path):
    arguments = _interface(agent, tmp_path / "report", "--seed", "-1")
    assert_one_line(main_status(arguments), "seed must be an integer of at least 0; got -1")


def test_more_examples_than_frames_is_one_line(agent, tmp_path):
    arguments = _interface(agent, tmp_path / "report", "--num-examples", "17")
    assert_one_line(main_status(arguments), "17", "16 frames")


def test_feature_number_out_of_range_is_one_line(agent, report, tmp_path):
    arguments = ["edit", agent, "--report", report, "--feature", "4", "--out", str(tmp_path / "e")]
    assert_one_line(main_status(arguments), "feature must be from 1 to 3; got 4")


def test_report_of_another_agent_is_one_line(report, tmp_path):
    policy = models.make("nature")
    checkpoint.save(tmp_path / "other", policy, policy.init(jax.random.key(1)), {})
    arguments = ["edit", str(tmp_path / "other"), "--report", report, "--feature", "1"]
    message = main_status([*arguments, "--out", str(tmp_path / "e")])
    assert_one_line(message, "is not a report of this agent")
    assert not (tmp_path / "e").exists()


@pytest.mark.parametrize(
    ("options", "part"),
    [
        (["--env", "procgen:coinrum"], 'unknown environment "procgen:coinrum"'),
        (["--model", "alexnet"], 'unknown model "alexnet"'),
        (["--env-options", "num_levels"], 'option "num_levels" must be NAME=VALUE'),
        (["--env-options", "levels=3"], '"levels"'),
    ],
)
def test_bad_training_settings_are_one_line(options, part, tmp_path):
    message = main_status(["train", str(tmp_path / "run"), "--preset", "smoke", *options])
    assert_one_line(message, part)


def test_missing_procgen_names_the_install_line(agent, monkeypatch):
    def missing(*args, **options):
        raise envs.MissingProcgenError("Install it with\n  pip install --no-deps procgen-mirror")

    monkeypatch.setattr(envs, "make_host", missing)
    message = main_status(["evaluate", agent, "--num-levels", "1"])
    assert_one_line(message, "pip install --no-deps procgen-mirror")


def test_full_disk_while_editing_leaves_the_earlier_agent(agent, report, tmp_path, monkeypatch):
    edited = tmp_path / "edited"
    arguments = ["edit", agent, "--report", report, "--out", str(edited), "--feature"]
    assert main_status([*arguments, "1"]) == 0
    before = {path.name: path.read_bytes() for path in edited.iterdir()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert_one_line(main_status([*arguments, "2"]), "No space left on device")
    assert {path.name: path.read_bytes() for path in edited.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["train", "run", "--preset", "enormous"], "enormous"),
        (["train", "run", "--ppo.num-minibatches", "7"], "must be divisible by"),
        (["train", "run", "--population", "0"], "population must be an integer of at least 1"),
        (["train", "run", "--ppo.discount", "1.5"], "discount must lie in [0, 1]; got 1.5"),
    ],
)
def test_malformed_command_line_is_refused(arguments, part, capsys):
    assert main_status(arguments) == 2
    assert part in " ".join(capsys.readouterr().err.replace("│", "").split())
