"""`rlvision study hallucinations`: what an agent sees that is not there."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.cli.study.folder import open_folder, print_outcome
from rlvision_jax.interface import build_hallucinations, hallucination_links, write_report
from rlvision_jax.studies import provenance
from rlvision_jax.studies.hallucination_search import HallucinationsConfig
from rlvision_jax.studies.hallucinations import draw_hallucinations, study_hallucinations


@dataclasses.dataclass(frozen=True, kw_only=True)
class HallucinationsCommand:
    """Lists steps at which a feature moves the value though its object is not there.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json, figure.svg, planted.csv (the finder's precision and
        recall on planted cases), and gallery/index.html, which shows the largest.
      study: what is played and looked through.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/hallucinations")
    study: Annotated[HallucinationsConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=HallucinationsConfig
    )

    def run(self) -> int:
        """Plays, looks, writes, and prints the table and the folder."""
        agent = checkpoint.load(agent_folder(self.agent))
        folder = open_folder(self.out, "hallucinations")
        with stages() as bars:
            result = study_hallucinations(
                *agent,
                self.study,
                cells=folder.cells,
                num_threads=num_threads(),
                notify=bars.notify,
            )
            if result.seen.stretches:
                gallery = build_hallucinations(
                    agent,
                    result,
                    title=f"hallucinations of {self.agent}",
                    notify=bars.notify,
                )
                write_report(gallery, self.out / "gallery", agent=agent)
        made_by = provenance(*agent, self.study, command=sys.argv[1:])
        folder.write(
            result.linked_table(hallucination_links(result)),
            draw_hallucinations(result),
            made_by,
            more={"planted": result.trial_table},
        )
        print_outcome(folder)
        found = ", ".join(str(name or "nothing") for name in result.classes)
        print(
            f"{len(result.rows)} in {result.num_steps:,} steps; features detect {found}",
            file=sys.stderr,
        )
        return 0
