"""`rlvision study failures`: why levels failed, and a gallery of those that failed worst."""

import dataclasses
import sys
from pathlib import Path
from typing import Annotated

import jax
import tyro

from rlvision_jax import checkpoint
from rlvision_jax._checks import check_at_least
from rlvision_jax.cli.console import Stages, agent_folder, num_threads, stages
from rlvision_jax.cli.study.folder import open_folder, print_outcome
from rlvision_jax.features import find_directions
from rlvision_jax.interface import build_gallery, gallery_links, write_report
from rlvision_jax.models import check_layer, middle_layer
from rlvision_jax.studies import LevelChanges, provenance
from rlvision_jax.studies.failures import (
    FailuresConfig,
    FailuresResult,
    draw_failures,
    study_failures,
    worst_of_each_cause,
)
from rlvision_jax.studies.levels import make_env
from rlvision_jax.training import sample_observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class FailuresCommand:
    """Plays levels and says why they failed: exact causes, rates, worst advantages, a gallery.

    Stopped at any moment, the same line continues at the last finished cell.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder for table.csv, table.json, figure.svg, episodes.csv (each failed level, with a
        link into the gallery) and gallery/index.html.
      study: how many levels, and which.
      changes: how levels are changed before they are played.
      gallery: failed levels of each cause in the gallery, those of the lowest advantage; 0: none.
      layer: layer whose features the gallery shows; None: the middle one.
      num_features: features of the layer.
      num_frames: observations that the features are found in.
      frame_interval: steps between two of these observations of one environment.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("studies/failures")
    study: Annotated[FailuresConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=FailuresConfig
    )
    changes: Annotated[LevelChanges, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=LevelChanges
    )
    gallery: int = 4
    layer: str | None = None
    num_features: int = 8
    num_frames: int = 1024
    frame_interval: int = 128

    def __post_init__(self) -> None:
        check_at_least("gallery", self.gallery, 0)
        for name in ("num_features", "num_frames", "frame_interval"):
            check_at_least(name, getattr(self, name), 1)

    def run(self) -> int:
        """Plays, writes, and prints the table and the folder."""
        policy, params, agent_config = checkpoint.load(agent_folder(self.agent))
        agent = policy, params, self.changes.apply(agent_config)
        layer = self.layer or middle_layer(agent[0])
        check_layer(agent[0], layer)
        folder = open_folder(self.out, "failures")
        with stages() as bars:
            result = study_failures(
                *agent,
                self.study,
                cells=folder.cells,
                num_threads=num_threads(),
                notify=bars.notify,
            )
            links = self._write_gallery(agent, layer, result, bars)
        made_by = provenance(*agent, self.study, command=sys.argv[1:])
        folder.write(
            result.table,
            draw_failures(result),
            made_by,
            more={"episodes": result.episode_table(links)},
        )
        print_outcome(folder)
        return 0

    def _write_gallery(
        self, agent: tuple, layer: str, result: FailuresResult, bars: Stages
    ) -> dict[int, str]:
        """Writes the gallery; links to its levels, none if no level failed."""
        episodes = worst_of_each_cause(result.episodes, self.gallery)
        if not episodes:
            return {}
        policy, params, config = agent
        rounds = -(-self.num_frames // self.study.num_envs) * self.frame_interval
        env = make_env(config, self.study.num_envs, self.study.seed, num_threads())
        try:
            frames = sample_observations(
                policy,
                params,
                env,
                jax.random.key(self.study.seed),
                self.num_frames,
                interval=self.frame_interval,
                on_step=lambda step: bars.notify("playing for features", step, rounds),
            )
        finally:
            env.close()
        bars.notify("finding features", 0, 1)
        directions = find_directions(policy, params, frames, layer, num_features=self.num_features)
        bars.notify("finding features", 1, 1)
        report = build_gallery(
            policy,
            params,
            config,
            episodes,
            directions,
            frames,
            title=f"failed levels of {self.agent}",
            num_examples=min(16, self.num_frames),
            notify=bars.notify,
        )
        write_report(report, self.out / "gallery", agent=(policy, params, config))
        return gallery_links(episodes, layer)
