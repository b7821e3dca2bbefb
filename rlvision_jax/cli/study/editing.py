"""`rlvision study editing`: what blinding an agent to a hazard does to it."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.study.folder import study_agent
from rlvision_jax.studies import LevelChanges
from rlvision_jax.studies.editing import EditingConfig, study_editing
from rlvision_jax.studies.editing_result import draw_editing


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditingCommand:
    """Blinds an agent to a hazard, and plays the same levels with it, the original and controls.

    Stopped at any moment, the same line continues at the last finished cell.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json, figure.svg and features.csv (what each feature looks
        at).
      study: what is played and edited.
      changes: how levels are changed before they are played.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/editing")
    study: Annotated[EditingConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=EditingConfig
    )
    changes: Annotated[LevelChanges, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=LevelChanges
    )

    def run(self) -> int:
        """Plays, writes, and prints the table and the folder."""
        study_agent(
            "editing",
            self.agent,
            self.out,
            self.study,
            study_editing,
            draw_editing,
            lambda result: {"features": result.feature_table},
            changes=self.changes,
        )
        return 0
