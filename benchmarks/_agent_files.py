"""The files of a shipped agent beside its parameters: how it learned and what it completes."""

import csv
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import safetensors

from rlvision_jax.training import read_metrics

CURVE, EVALUATION = "curve.csv", "evaluation.json"
# Kept runs, by name and seed, in folders like a shipped agent's without evaluation. Under the name
# of a shipped agent are those that differ from its training by their seed and length only.
RUNS = Path(__file__).parent / "runs"
_MOST_ROWS = 200


@dataclasses.dataclass(frozen=True)
class CurveRow:
    """A stretch of training.

    `step` counts environment steps from random parameters to the end of the stretch. Return and
    completion are means over its updates of the means over the last 100 episodes.
    """

    step: int
    episode_return: float
    level_completion: float
    steps_per_second: float


@dataclasses.dataclass(frozen=True)
class ShippedAgent:
    """What the folder of a shipped agent holds, parameters apart.

    `repeats` are curves of the same training from other seeds.
    """

    name: str
    network: str
    config: dict[str, Any]
    num_parameters: int
    curve: list[CurveRow]
    repeats: dict[int, list[CurveRow]]
    evaluation: dict[str, Any]

    @property
    def setting(self) -> str:
        """Environment and levels in words.

        Such as "hard, all levels, velocity painted".
        """
        options = self.config["env_options"]
        num_levels = options.get("num_levels", 0)
        parts = [options.get("distribution_mode", "hard")]
        parts.append(f"{num_levels:,} levels" if num_levels else "all levels")
        if options.get("paint_velocity"):
            parts.append("velocity painted")
        return ", ".join(parts)

    @property
    def seed(self) -> int:
        """The seed that the training began with."""
        return _beginning(self.config)["training"]["seed"]

    @property
    def first_step(self) -> int:
        """Steps that the agent had when this training began: those of the agent it continued."""
        return _first_step(self.config)


def read_agent(folder: Path, runs: Path = RUNS) -> ShippedAgent:
    """Reads all files of a shipped agent.

    Args:
      folder: its folder.
      runs: where runs are kept.
    """
    index = json.loads((folder / "agent.json").read_text())
    with safetensors.safe_open(folder / index["weights"], "numpy") as weights:
        shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    num_parameters = 0
    for shape in shapes:
        size = 1
        for length in shape:
            size *= length
        num_parameters += size
    evaluation = json.loads((folder / EVALUATION).read_text())
    if not index["sha256"].startswith(evaluation["weights"]):
        raise ValueError(
            f"{folder / EVALUATION} is of parameters {evaluation['weights']}, not of "
            f"{index['weights']}; run `python -m benchmarks.agents evaluate {folder.name}`"
        )
    return ShippedAgent(
        name=folder.name,
        network=index["policy"]["name"],
        config=index["config"],
        num_parameters=num_parameters,
        curve=read_curve(folder / CURVE),
        repeats={
            int(path.name.removeprefix("seed-")): read_curve(path / CURVE)
            for path in sorted((runs / folder.name).glob("seed-*"))
        },
        evaluation=evaluation,
    )


def copy_agent(run: Path, folder: Path) -> None:
    """Copies the agent of a training run, and how it learned, into a folder of its own.

    If the run went on from the agent that the folder holds, or from one that this had gone on
    from, the folder's curve is kept up to there.
    """
    index = json.loads((run / "agent" / "agent.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    curve = _curve_before(folder, index["config"]) + curve_of(run, index["config"])
    for old in folder.glob("params-*.safetensors"):
        old.unlink()
    for name in ("agent.json", index["weights"]):
        shutil.copyfile(run / "agent" / name, folder / name)
    write_curve(folder / CURVE, shortened(curve, _first_step(index["config"])))


def add_repeat(run: Path, folder: Path, runs: Path = RUNS) -> None:
    """Keeps the agent of a training run that repeats a shipped one's with another seed.

    Args:
      run: folder of the training run.
      folder: that of the shipped agent.
      runs: where runs are kept.

    Raises:
      ValueError: if the run differs in more than its seed and its length.
    """
    config, repeated = (
        _beginning(json.loads((path / "agent.json").read_text())["config"])
        for path in (run / "agent", folder)
    )
    ours = _settings(config) | {"initial_agent": config["initial_agent"]}
    theirs = _settings(repeated) | {"initial_agent": repeated["initial_agent"]}
    differing = [key for key, value in ours.items() if value != theirs[key]]
    seed = config["training"]["seed"]
    if differing or seed == repeated["training"]["seed"]:
        raise ValueError(
            f"{run} must repeat the training of {folder.name} with another seed; it differs in "
            f"{', '.join(differing) or 'nothing'} and has seed {seed}"
        )
    keep_run(run, folder.name, runs)


def keep_run(run: Path, name: str, runs: Path = RUNS) -> None:
    """Keeps the agent of a training run under the name of its settings, and its seed.

    Args:
      run: folder of the training run.
      name: of what such runs have in common.
      runs: where they are kept.
    """
    config = json.loads((run / "agent" / "agent.json").read_text())["config"]
    copy_agent(run, runs / name / f"seed-{_beginning(config)['training']['seed']}")


def _beginning(config: dict[str, Any]) -> dict[str, Any]:
    """The config that a training began with, which may have gone on with other seeds."""
    before = config["initial_agent"]
    if before and _settings(before) == _settings(config):
        return _beginning(before)
    return config


def _first_step(config: dict[str, Any]) -> int:
    """Steps of the agent that a training, as it began, went on from."""
    return (_beginning(config)["initial_agent"] or {}).get("steps", 0)


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    """Settings of a training that make it the same but for its seed, length and parameters."""
    training = config["training"]
    names = ("env", "env_options", "model", "activation_dtype")
    settings = {name: training.get(name) for name in names}  # early agents lack the last
    settings |= training["ppo"]
    del settings["total_steps"]
    return settings


def _curve_before(folder: Path, config: dict[str, Any]) -> list[CurveRow]:
    """The folder's curve up to the agent that a run went on from; empty if it is not of its past.

    Args:
      folder: of an agent, or empty.
      config: the run's.
    """
    before = config["initial_agent"]
    if not before or not (folder / "agent.json").exists():
        return []
    held = json.loads((folder / "agent.json").read_text())["config"]
    while held and held != before:
        held = held["initial_agent"]
    return (
        [row for row in read_curve(folder / CURVE) if row.step <= before["steps"]] if held else []
    )


def curve_of(run: Path, config: dict[str, Any]) -> list[CurveRow]:
    """How a training run learned up to its checkpoint, whose config this is."""
    before = (config.get("initial_agent") or {}).get("steps", 0)
    # A run that is under way has gone on since its last checkpoint.
    metrics = [row for row in read_metrics(run) if row["step"] + before <= config["steps"]]
    return thinned(metrics, before)


def thinned(metrics: list[dict[str, Any]], first_step: int) -> list[CurveRow]:
    """At most 200 stretches of equally many updates; those before the first episode's end drop.

    Args:
      metrics: lines of `metrics.jsonl`.
      first_step: steps of the agent that the run continued.
    """
    per_row = max(1, -(-len(metrics) // _MOST_ROWS))
    rows, previous = [], 0
    for start in range(0, len(metrics), per_row):
        stretch = metrics[start : start + per_row]
        seconds = 0.0
        for row in stretch:
            seconds += (row["step"] - previous) / row["steps_per_second"]
            previous = row["step"]
        known = [row for row in stretch if "episode_return" in row]
        if known:
            steps = stretch[-1]["step"] - (metrics[start - 1]["step"] if start else 0)
            rows.append(
                CurveRow(
                    step=first_step + stretch[-1]["step"],
                    episode_return=_mean(known, "episode_return"),
                    level_completion=_mean(known, "level_completion"),
                    steps_per_second=round(steps / seconds, 1),
                )
            )
    return rows


def shortened(rows: list[CurveRow], first_step: int) -> list[CurveRow]:
    """At most 200 stretches; the shortest neighbours are joined first.

    Args:
      rows: stretches that follow on each other.
      first_step: where the first of them begins.
    """
    rows = list(rows)
    while len(rows) > _MOST_ROWS:
        ends = [first_step, *(row.step for row in rows)]
        at = min(range(len(rows) - 1), key=lambda index: ends[index + 2] - ends[index])
        rows[at : at + 2] = [_joined(ends[at], rows[at], rows[at + 1])]
    return rows


def _joined(start: int, first: CurveRow, second: CurveRow) -> CurveRow:
    """Two stretches as one; `start` is the first one's."""
    weights = (first.step - start, second.step - first.step)
    seconds = weights[0] / first.steps_per_second + weights[1] / second.steps_per_second
    steps = second.step - start

    def mean(one: float, other: float) -> float:
        return round((weights[0] * one + weights[1] * other) / steps, 4)

    return CurveRow(
        step=second.step,
        episode_return=mean(first.episode_return, second.episode_return),
        level_completion=mean(first.level_completion, second.level_completion),
        steps_per_second=round(steps / seconds, 1),
    )


def write_curve(path: Path, rows: list[CurveRow]) -> None:
    """Writes a learning curve."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in dataclasses.fields(CurveRow)])
        writer.writerows(dataclasses.astuple(row) for row in rows)


def read_curve(path: Path) -> list[CurveRow]:
    """Reads a learning curve."""
    with open(path, newline="") as file:
        return [
            CurveRow(
                step=int(row["step"]),
                episode_return=float(row["episode_return"]),
                level_completion=float(row["level_completion"]),
                steps_per_second=float(row["steps_per_second"]),
            )
            for row in csv.DictReader(file)
        ]


def _mean(rows: list[dict[str, Any]], name: str) -> float:
    return round(sum(row[name] for row in rows) / len(rows), 4)
