"""`rlvision study interpretability`: the score of each feature, beside planted ones."""

import dataclasses
import functools
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.study.folder import study_agent
from rlvision_jax.studies import LevelChanges
from rlvision_jax.studies.comparison import Variants, compare_interpretability, draw_comparison
from rlvision_jax.studies.interpretability import (
    InterpretabilityConfig,
    draw_interpretability,
    study_interpretability,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterpretabilityCommand:
    """Scores by ground truth how interpretable each feature of an agent is, from 0 to 1.

    With layers, numbers or bases each combination is scored on the same frames, without planted
    features. Stopped at any moment, the same line continues at the last finished one.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json and figure.svg; of a comparison also features.csv.
      study: what is scored.
      variants: what is compared.
      changes: how levels are changed before they are played.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/interpretability")
    study: Annotated[InterpretabilityConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=InterpretabilityConfig
    )
    variants: Annotated[Variants, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=Variants
    )
    changes: Annotated[LevelChanges, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=LevelChanges
    )

    def run(self) -> int:
        """Scores, writes, and prints the table and the folder."""
        what = "interpretability", self.agent, self.out, self.study
        if self.variants:
            study_agent(
                *what,
                functools.partial(compare_interpretability, variants=self.variants),
                draw_comparison,
                lambda result: {"features": result.feature_table},
                changes=self.changes,
            )
        else:
            study_agent(*what, study_interpretability, draw_interpretability, changes=self.changes)
        return 0
