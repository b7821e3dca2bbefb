"""`rlvision study rating`: a page to rate features on, and the agreement of ratings with scores."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.checkpoint import replace_file
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.cli.study.folder import open_folder
from rlvision_jax.studies.agreement import agent_table, agreement_table
from rlvision_jax.studies.rated_features import RatingConfig, rated_features
from rlvision_jax.studies.rating import rating_page, read_ratings
from rlvision_jax.studies.tables import Table

_PAGE, _KEY = "index.html", "key.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RatingCommand:
    """Writes a page on which people rate features blindly; with --ratings, compares what they said.

    Attributes:
      agents: folders of agents, or names of shipped ones, whose features are mixed.
      out: folder for index.html, which raters open, and key.json, which they should not.
      ratings: files that the page saved; nothing is played then, and agreement.csv and agents.csv
        are written.
      study: which features, and what is shown of each.
    """

    agents: Annotated[tuple[str, ...], tyro.conf.Positional] = (checkpoint.DEFAULT_AGENT,)
    out: Path = Path("studies/rating")
    ratings: tuple[Path, ...] = ()
    study: Annotated[RatingConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=RatingConfig
    )

    def run(self) -> int:
        """Writes the page or the agreement, and prints where."""
        if self.ratings:
            return self._compare()
        folder = open_folder(self.out, "rating")
        features = []
        with stages() as bars:
            for name in self.agents:
                features += rated_features(
                    name,
                    *checkpoint.load(agent_folder(name)),
                    self.study,
                    cells=folder.cells,
                    num_threads=num_threads(),
                    notify=lambda stage, done, total, name=name: bars.notify(
                        f"{name}: {stage}", done, total
                    ),
                )
        html, key = rating_page(features, seed=self.study.seed)
        replace_file(folder.path / _KEY, (json.dumps(key, indent=1) + "\n").encode())
        replace_file(folder.path / _PAGE, html.encode())
        print((folder.path / _PAGE).resolve())
        return 0

    def _compare(self) -> int:
        path = self.out / _KEY
        if not path.is_file():
            raise ValueError(f"{self.out} has no {_KEY}; name the folder of the page with --out")
        key = json.loads(path.read_text(encoding="utf-8"))
        ratings = [rating for file in self.ratings for rating in read_ratings(file, key)]
        for name, table in (
            ("agreement", agreement_table(ratings, key)),
            ("agents", agent_table(ratings, key)),
        ):
            self._write(name, table)
        print(self.out.resolve())
        return 0

    def _write(self, name: str, table: Table) -> None:
        content = json.dumps(table.to_json(), indent=1) + "\n"
        replace_file(self.out / f"{name}.csv", table.to_csv().encode())
        replace_file(self.out / f"{name}.json", content.encode())
        print(table.to_csv())
