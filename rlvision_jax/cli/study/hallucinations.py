"""`rlvision study hallucinations`: what an agent sees that is not there."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.study.folder import study_agent
from rlvision_jax.studies.hallucination_search import HallucinationsConfig
from rlvision_jax.studies.hallucinations import draw_hallucinations, study_hallucinations


@dataclasses.dataclass(frozen=True, kw_only=True)
class HallucinationsCommand:
    """Lists steps at which a feature moves the value though its object is not there.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json, figure.svg, and planted.csv: the finder's precision
        and recall on planted cases.
      study: what is played and looked through.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/hallucinations")
    study: Annotated[HallucinationsConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=HallucinationsConfig
    )

    def run(self) -> int:
        """Plays, looks, writes, and prints the table and the folder."""
        result = study_agent(
            "hallucinations",
            self.agent,
            self.out,
            self.study,
            study_hallucinations,
            draw_hallucinations,
            lambda result: {"planted": result.trial_table},
        )
        found = ", ".join(str(name or "nothing") for name in result.classes)
        print(
            f"{len(result.rows)} in {result.num_steps:,} steps; features detect {found}",
            file=sys.stderr,
        )
        return 0
