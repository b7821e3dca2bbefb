"""`rlvision study goal`: does an agent pursue the coin, or the end of the level?"""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.study.folder import study_agent
from rlvision_jax.studies.goal import GoalConfig, study_goal
from rlvision_jax.studies.goal_result import draw_goal


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalCommand:
    """Plays the same levels with the coin at the end and with the coin moved to a random place.

    Stopped at any moment, the same line continues at the last finished cell.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json, figure.svg and features.csv (which feature follows the
        coin, and which the end of the level).
      study: what is played and looked at.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/goal")
    study: Annotated[GoalConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=GoalConfig
    )

    def run(self) -> int:
        """Plays, looks, writes, and prints the table and the folder."""
        study_agent(
            "goal",
            self.agent,
            self.out,
            self.study,
            study_goal,
            draw_goal,
            lambda result: {"features": result.feature_table},
        )
        return 0
