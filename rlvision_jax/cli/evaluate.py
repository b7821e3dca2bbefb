"""`rlvision evaluate`: how many levels an agent completes, and what the others fail by."""

import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import tyro

from rlvision_jax import checkpoint
from rlvision_jax._checks import check_at_least
from rlvision_jax.cli import evaluation_record
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.training import FAILURE_CAUSES, Evaluation, evaluate_split, splits

_NUM_LEVELS = 10_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateCommand:
    """Plays levels to their end, on training and on unseen levels, and counts those completed.

    Of CoinRun it also counts what the others failed by. Intervals hold 95% (Wilson).

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      num_levels: levels of each kind, drawn with replacement; None: 10,000, or with `check` as many
        as recorded.
      num_envs: environments stepped together.
      seed: of levels and actions.
      env: environment to play instead of the one that the agent was trained in, with the same
        options: coinrun plays procgen:coinrun's levels on the device.
      json: print JSON instead of a table.
      check: repeat the evaluation that the agent is shipped with (its seed and number of
        environments) and compare; the exit status is 1 if the two differ beyond chance.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    num_levels: int | None = None
    num_envs: int = 64
    seed: int = 0
    env: str | None = None
    json: bool = False
    check: bool = False

    def run(self) -> int:
        """Evaluates and prints."""
        if self.num_levels is not None:
            check_at_least("num_levels", self.num_levels, 1)
        check_at_least("num_envs", self.num_envs, 1)
        folder = agent_folder(self.agent)
        if self.check:
            return self._check(folder)
        settings, results, seconds = self._evaluate(folder, self.num_levels or _NUM_LEVELS)
        if self.json:
            record = settings | {split: result.record() for split, result in results.items()}
            arguments = ["evaluate", *self._arguments(settings["num_levels"])]
            record["made_by"] = evaluation_record.made_by(arguments, seconds)
            print(json.dumps(record, indent=2))
        else:
            _print_table(settings, results)
            played = sum(result.num_levels for result in results.values())
            print(f"{played / seconds:.1f} levels/s", file=sys.stderr)
        return 0

    def _evaluate(
        self, folder: Path, num_levels: int
    ) -> tuple[dict[str, Any], dict[str, Evaluation], float]:
        """What the evaluation depends on, its outcome, and the seconds it took."""
        policy, params, config = checkpoint.load(folder)
        if self.env is not None:
            config = {"env_options": {}, **config, "env": self.env}
        if "env" not in config:
            raise ValueError(f'the config of {folder} has no "env" to play; name one with --env')
        results = {}
        start = time.perf_counter()
        with stages() as bars:
            for split in splits(config["env"]):
                results[split] = evaluate_split(
                    policy,
                    params,
                    config,
                    split,
                    num_levels=num_levels,
                    num_envs=self.num_envs,
                    seed=self.seed,
                    num_threads=num_threads(),
                    on_level=lambda done, split=split: bars.notify(
                        f"{split} levels", done, num_levels
                    ),
                )
        settings = evaluation_record.settings(
            config,
            weights=checkpoint.fingerprint(params),
            num_levels=num_levels,
            num_envs=self.num_envs,
            seed=self.seed,
        )
        return settings, results, time.perf_counter() - start

    def _check(self, folder: Path) -> int:
        """Evaluates as the record says, and tells whether the outcome is the recorded one."""
        record = evaluation_record.read_record(folder)
        same = dataclasses.replace(self, num_envs=record["num_envs"], seed=record["seed"])
        settings, results, _ = same._evaluate(folder, self.num_levels or record["num_levels"])
        if settings["weights"] != record["weights"]:
            raise checkpoint.CheckpointError(
                f"{folder} holds parameters {settings['weights']}, but its "
                f"{evaluation_record.RECORD} is of {record['weights']}; evaluate it again"
            )
        _print_table(settings, results)
        found = list(evaluation_record.differences(record, results))
        beyond = [difference for difference in found if difference.is_beyond_chance]
        for difference in beyond or found:
            print(difference)
        if beyond:
            print("NOT the recorded evaluation: the intervals above have nothing in common")
            return 1
        if not found:
            print("equal to the recorded evaluation in every count")
        elif settings["num_levels"] != record["num_levels"]:
            print(f"in agreement with the record of {record['num_levels']} levels: intervals meet")
        else:
            print(
                "in agreement with the record: intervals meet. Where the machine or JAX is another "
                "one, rounding changes a few actions, and with them the levels that follow"
            )
        return 0

    def _arguments(self, num_levels: int) -> list[str]:
        """The shortest command line that gives these settings, the number of levels spelled out."""
        arguments = [self.agent, "--num-levels", str(num_levels)]
        for name in ("num_envs", "seed", "env", "json"):
            value, default = getattr(self, name), type(self).__dataclass_fields__[name].default
            if value != default:
                flag = f"--{name.replace('_', '-')}"
                arguments += [flag] if value is True else [flag, str(value)]
        return arguments


def _print_table(settings: dict[str, Any], results: dict[str, Evaluation]) -> None:
    if "test" in results and not settings["env_options"].get("num_levels", 0):
        print("trained on all levels: train and test levels are draws from the same set")
    print(f"{'levels':<8}{'played':>8}{'completed, 95% interval':>28}{'return':>18}{'steps':>8}")
    for split, result in results.items():
        interval = evaluation_record.percent(result.completion_interval)
        completed = f"{100 * result.completion:.2f} {interval}" if result.has_goal else "no goal"
        mean_return = f"{result.mean_return:.3f} +- {result.return_standard_error:.3f}"
        print(
            f"{split:<8}{result.num_levels:>8}{completed:>28}{mean_return:>18}"
            f"{result.mean_length:>8.1f}"
        )
    if any(result.failures is None for result in results.values()):
        print(f"why levels failed is known of CoinRun only, not of {settings['env']}")
        return
    splits = "".join(f"{f'{split} levels, % of all':>28}" for split in results)
    print(f"{'failed by':<16}{splits}")
    for cause in FAILURE_CAUSES:
        shares = []
        for result in results.values():
            count = (result.failures or {})[cause]
            interval = evaluation_record.percent(result.failure_intervals[cause])
            shares.append(f"{count} {interval}")
        print(f"{cause.replace('_', ' '):<16}" + "".join(f"{share:>28}" for share in shares))
