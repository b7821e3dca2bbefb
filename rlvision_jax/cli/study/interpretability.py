"""`rlvision study interpretability`: the score of each feature, beside planted ones."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.cli.study.folder import open_folder, print_outcome
from rlvision_jax.studies import provenance
from rlvision_jax.studies.interpretability import (
    InterpretabilityConfig,
    draw_interpretability,
    study_interpretability,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpretabilityCommand:
    """Scores by ground truth how interpretable each feature of an agent is, from 0 to 1.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json and figure.svg.
      study: what is scored.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/interpretability")
    study: Annotated[InterpretabilityConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=InterpretabilityConfig
    )

    def run(self) -> int:
        """Scores, writes, and prints the table and the folder."""
        agent = checkpoint.load(agent_folder(self.agent))
        folder = open_folder(self.out, "interpretability")
        with stages() as bars:
            result = study_interpretability(
                *agent,
                self.study,
                cells=folder.cells,
                num_threads=num_threads(),
                notify=bars.notify,
            )
        made_by = provenance(*agent, self.study, command=sys.argv[1:])
        folder.write(result.table, draw_interpretability(result), made_by)
        print_outcome(folder)
        return 0
