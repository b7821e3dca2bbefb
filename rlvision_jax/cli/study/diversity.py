"""`rlvision study diversity`: agents of 100 to 100,000 levels, evaluated and scored."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import jax
import tyro

from rlvision_jax._version import __version__
from rlvision_jax.cli.console import num_threads, parse_part, stages
from rlvision_jax.cli.study.folder import open_folder, print_outcome
from rlvision_jax.studies.diversity import DiversityConfig, study_diversity
from rlvision_jax.studies.diversity_result import draw_diversity
from rlvision_jax.training.interrupts import Interrupts


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiversityCommand:
    """Trains agents on more and more levels; evaluates them, and scores their features.

    Stopped at any moment, the same line continues: trainings are saved every few minutes, agents
    are finished one by one.

    Attributes:
      out: folder for table.csv, hypothesis.csv (each with a .json), figure.svg, cells/ and runs/.
      study: which agents, and how they are measured.
      shard: "i/n": only every n-th agent, from the i-th on (i from 0); for job arrays that share
        the folder.
      executor: local: one agent after the other in this process. ray: one on each node of a Ray
        cluster.
      population: train all agents at once on the device; None: where that is an accelerator and
        the environment lives on it.
    """

    out: Path = Path("studies/diversity")
    study: Annotated[DiversityConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=DiversityConfig
    )
    shard: str = "0/1"
    executor: Literal["local", "ray"] = "local"
    population: bool | None = None

    def run(self) -> int:
        """Trains and measures what is missing; writes; prints the tables and the folder."""
        part = parse_part(self.shard)
        folder = open_folder(self.out, "diversity")
        with Interrupts(), stages() as bars:
            result = study_diversity(
                self.study,
                folder.path,
                part=part,
                on_ray=self.executor == "ray",
                population=self.population,
                on_problem=lambda line: print(line, file=sys.stderr),
                num_threads=num_threads(),
                notify=bars.notify,
            )
        for name, problem in result.missing.items():
            print(f"left out: {name}, as {problem}", file=sys.stderr)
        made_by = {
            "rlvision_jax": __version__,
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "command": " ".join(["rlvision", *sys.argv[1:]]),
            "left_out": dict(result.missing),
            "config": json.loads(json.dumps(dataclasses.asdict(self.study))),
        }
        hypothesis = result.hypothesis_table
        folder.write(result.table, draw_diversity(result), made_by, more={"hypothesis": hypothesis})
        print(hypothesis.to_csv(), end="")
        print_outcome(folder)
        return 0
