"""`rlvision study interpretability`: the score of each feature, beside planted ones."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.study.folder import study_agent
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
        study_agent(
            "interpretability",
            self.agent,
            self.out,
            self.study,
            study_interpretability,
            draw_interpretability,
        )
        return 0
