"""`rlvision study NAME`: the paper's studies, one thin file for each."""

import dataclasses
from typing import Annotated

import tyro

from rlvision_jax.cli.study.diversity import DiversityCommand
from rlvision_jax.cli.study.editing import EditingCommand
from rlvision_jax.cli.study.failures import FailuresCommand
from rlvision_jax.cli.study.goal import GoalCommand
from rlvision_jax.cli.study.hallucinations import HallucinationsCommand
from rlvision_jax.cli.study.interpretability import InterpretabilityCommand
from rlvision_jax.cli.study.rating import RatingCommand

# A study is added by its file in this folder, and by its line here.
Study = (
    Annotated[FailuresCommand, tyro.conf.subcommand("failures")]
    | Annotated[EditingCommand, tyro.conf.subcommand("editing")]
    | Annotated[HallucinationsCommand, tyro.conf.subcommand("hallucinations")]
    | Annotated[InterpretabilityCommand, tyro.conf.subcommand("interpretability")]
    | Annotated[GoalCommand, tyro.conf.subcommand("goal")]
    | Annotated[DiversityCommand, tyro.conf.subcommand("diversity")]
    | Annotated[RatingCommand, tyro.conf.subcommand("rating")]
)


@dataclasses.dataclass(frozen=True)
class StudyCommand:
    """Repeats a study of the paper: writes a table (CSV, JSON), a figure and what made them.

    Attributes:
      study: which one.
    """

    study: Annotated[Study, tyro.conf.arg(name="")]

    def run(self) -> int:
        """Runs the study."""
        return self.study.run()
