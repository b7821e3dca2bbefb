"""`rlvision evaluate`: what it prints, and its comparison with a recorded evaluation."""

import json

import jax
import numpy as np
import pytest

from rlvision_jax import checkpoint, models
from rlvision_jax.cli import evaluate
from rlvision_jax.cli.main import main
from rlvision_jax.training import FAILURE_CAUSES, Evaluation

CONFIG = {"env": "procgen:coinrun", "env_options": {"num_levels": 5}}


def status(arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    return exit_info.value.code


def outcome(num_completed, num_levels, *, saw):
    failures = dict.fromkeys(FAILURE_CAUSES, 0) | {"saw": saw}
    failures["lava"] = num_levels - num_completed - saw
    return Evaluation(
        num_levels=num_levels,
        num_completed=num_completed,
        mean_return=10 * num_completed / num_levels,
        return_standard_error=0.25,
        mean_length=50.0,
        failures=failures,
    )


def save_agent(folder, value):
    """An agent all of whose parameters are equal."""
    policy = models.make("nature", observation_shape=(36, 36, 3))
    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: np.full(leaf.shape, value, np.float32), shapes)
    checkpoint.save(folder, policy, params, CONFIG)


@pytest.fixture
def agent(tmp_path):
    save_agent(tmp_path / "agent", 0.0)
    return tmp_path / "agent"


@pytest.fixture
def played(monkeypatch):
    """Outcomes that playing gives, by kind of levels; and with what they were asked for."""
    outcomes = {"train": outcome(80, 100, saw=15), "test": outcome(60, 100, saw=25)}
    asked = []

    def evaluate_split(policy, params, config, split, *, on_level, **settings):
        asked.append({"env": config["env"], "split": split, **settings})
        return outcomes[split]

    monkeypatch.setattr(evaluate, "evaluate_split", evaluate_split)
    return outcomes, asked


@pytest.fixture
def recorded(agent, played, capsys):
    """The agent with what `--json` printed of it."""
    more = ["--num-levels", "100", "--num-envs", "16", "--seed", "3", "--json"]
    assert status(["evaluate", str(agent), *more]) == 0
    (agent / "evaluation.json").write_text(capsys.readouterr().out)
    return agent


def test_table_prints_shares_with_intervals_and_causes(agent, played, capsys):
    assert status(["evaluate", str(agent), "--num-levels", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # Wilson's intervals of 80 and 15 of 100, in percent.
    assert " ".join(lines[1].split()) == "train 100 80.00 [71.12, 86.66]% 8.000 +- 0.250 50.0"
    assert lines[2].startswith("test ")
    assert lines[4].split()[:4] == ["saw", "15", "[9.31,", "23.28]%"]
    assert [line[:13].strip() for line in lines[4:]] == [
        cause.replace("_", " ") for cause in FAILURE_CAUSES
    ]


def test_other_games_have_no_causes(agent, played, capsys):
    outcomes, _ = played
    for split in outcomes:
        outcomes[split] = Evaluation(
            num_levels=1,
            num_completed=1,
            mean_return=1.0,
            return_standard_error=0.0,
            mean_length=1.0,
        )
    assert status(["evaluate", str(agent), "--env", "procgen:maze"]) == 0
    assert "known of CoinRun only, not of procgen:maze" in capsys.readouterr().out


def test_a_game_without_levels_and_goal_is_played_once(agent, played, capsys):
    outcomes, asked = played
    outcomes["train"] = Evaluation(
        num_levels=3,
        num_completed=0,
        mean_return=-20.0,
        return_standard_error=0.5,
        mean_length=900.0,
        has_goal=False,
    )
    assert status(["evaluate", str(agent), "--env", "atari:pong"]) == 0
    assert [played["split"] for played in asked] == ["train"]
    assert "no goal" in capsys.readouterr().out
    assert status(["evaluate", str(agent), "--env", "atari:pong", "--json"]) == 0
    assert "num_completed" not in json.loads(capsys.readouterr().out)["train"]


def test_ten_thousand_levels_are_played_unless_told_otherwise(agent, played):
    assert status(["evaluate", str(agent)]) == 0
    assert [call["num_levels"] for call in played[1]] == [10_000] * 2


def test_json_says_what_it_takes_to_repeat_it(recorded):
    record = json.loads((recorded / "evaluation.json").read_text())
    _, params, _ = checkpoint.load(recorded)
    assert record["weights"] == checkpoint.fingerprint(params)
    assert (record["num_levels"], record["num_envs"], record["seed"]) == (100, 16, 3)
    assert record["env_options"] == CONFIG["env_options"]
    assert record["test"]["failures"]["saw"] == 25
    command = f"rlvision evaluate {recorded} --num-levels 100 --num-envs 16 --seed 3 --json"
    assert record["made_by"]["command"] == command
    assert record["made_by"]["jax"] == jax.__version__


def test_check_repeats_the_recorded_settings(recorded, played, capsys):
    _, asked = played
    asked.clear()
    assert status(["evaluate", str(recorded), "--check"]) == 0
    assert "equal to the recorded evaluation in every count" in capsys.readouterr().out
    settings = [(call["num_levels"], call["num_envs"], call["seed"]) for call in asked]
    assert settings == [(100, 16, 3)] * 2


def test_check_allows_what_rounding_changes(recorded, played, capsys):
    played[0]["test"] = outcome(61, 100, saw=24)
    assert status(["evaluate", str(recorded), "--check"]) == 0
    printed = capsys.readouterr().out
    assert "test levels completed: 60 [50.20, 69.06]%, now 61 [51.20, 69.98]%" in printed
    assert "in agreement with the record" in printed


def test_check_fails_beyond_chance(recorded, played, capsys):
    played[0]["test"] = outcome(30, 100, saw=25)
    assert status(["evaluate", str(recorded), "--check"]) == 1
    printed = capsys.readouterr().out
    assert "test levels completed: 60 [50.20, 69.06]%, now 30 [21.89, 39.58]%" in printed
    assert "NOT the recorded evaluation" in printed


def test_check_of_fewer_levels_compares_intervals(recorded, played, capsys):
    played[0].update(train=outcome(7, 10, saw=2), test=outcome(7, 10, saw=2))
    assert status(["evaluate", str(recorded), "--check", "--num-levels", "10"]) == 0
    assert "in agreement with the record of 100 levels" in capsys.readouterr().out


def test_check_without_a_record_is_one_line(agent, played):
    assert "holds no evaluation.json to check against" in status(
        ["evaluate", str(agent), "--check"]
    )


def test_check_of_other_parameters_is_one_line(recorded, played):
    other = recorded.parent / "other"
    save_agent(other, 1.0)
    (recorded / "evaluation.json").rename(other / "evaluation.json")
    message = status(["evaluate", str(other), "--check"])
    assert "evaluate it again" in message
    assert "\n" not in message


def test_damaged_record_is_one_line(recorded, played):
    (recorded / "evaluation.json").write_text('{"weights": ')
    assert "evaluation.json is damaged" in status(["evaluate", str(recorded), "--check"])
