"""`rlvision evaluate`: how many levels an agent completes."""

import dataclasses
import json
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax._checks import check_at_least
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.training import evaluate_split


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateCommand:
    """Plays levels to their end, on training and on unseen levels, and counts those completed.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      num_levels: levels of each kind, drawn with replacement.
      num_envs: environments stepped together.
      seed: of levels and actions.
      env: environment to play instead of the one that the agent was trained in, with the same
        options: coinrun plays procgen:coinrun's levels on the device.
      json: print JSON instead of a table.
    """

    agent: Annotated[str, tyro.conf.Positional] = "coinrun"
    num_levels: int = 10_000
    num_envs: int = 64
    seed: int = 0
    env: str | None = None
    json: bool = False

    def run(self) -> int:
        """Evaluates and prints."""
        check_at_least("num_levels", self.num_levels, 1)
        check_at_least("num_envs", self.num_envs, 1)
        policy, params, config = checkpoint.load(agent_folder(self.agent))
        if self.env is not None:
            config = {**config, "env": self.env}
        results = {}
        with stages() as bars:
            for split in ("train", "test"):
                results[split] = evaluate_split(
                    policy,
                    params,
                    config,
                    split,
                    num_levels=self.num_levels,
                    num_envs=self.num_envs,
                    seed=self.seed,
                    num_threads=num_threads(),
                    on_level=lambda done, split=split: bars.notify(
                        f"{split} levels", done, self.num_levels
                    ),
                )
        if self.json:
            print(json.dumps({split: dataclasses.asdict(r) for split, r in results.items()}))
            return 0
        if not config["env_options"].get("num_levels", 0):
            print("trained on all levels: train and test levels are draws from the same set")
        print(f"{'levels':<8}{'played':>8}{'completed %':>20}{'return':>18}{'steps':>8}")
        for split, result in results.items():
            completed = (
                f"{100 * result.completion:.2f} +- {100 * result.completion_standard_error:.2f}"
            )
            mean_return = f"{result.mean_return:.3f} +- {result.return_standard_error:.3f}"
            print(
                f"{split:<8}{result.num_levels:>8}{completed:>20}{mean_return:>18}"
                f"{result.mean_length:>8.1f}"
            )
        return 0
