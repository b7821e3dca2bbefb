"""Hallucinations: steps at which a feature moves the value though its object is not there.

As "Hallucinations" in Hilton et al. 2020, over a whole play instead of a few steps looked at, and
with the finder's precision and recall on planted cases. docs/studies/hallucinations.md shows what
it found.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies import figures
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.hallucination_search import HallucinationsConfig, Search
from rlvision_jax.studies.hallucination_stretches import Seen
from rlvision_jax.studies.hallucination_trials import trial_table
from rlvision_jax.studies.labelled_frames import check_ground_truth
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.scored_features import chosen_layer
from rlvision_jax.studies.studied_agent import studied_agent
from rlvision_jax.studies.tables import Column, Table, Value

_COLUMNS = (
    Column("trajectory", "environment that was played, from 0"),
    Column("step", "of the play, from 0", "steps"),
    Column("level_seed", "level being played"),
    Column("feature", "its number, from 1"),
    Column("object_class", "what it detects, by its score"),
    Column("instead", "the object nearest to its strongest position, else wall or background"),
    Column("why", "a spike against the steps around, or a surprise: an outlier of the advantage"),
    Column("row", "centre of its strongest position, from the frame's upper edge", "pixels"),
    Column("column", "the same from the left", "pixels"),
    Column("attribution", "at its strongest position", "the agent's values"),
    Column("change", "of its total against the steps around", "the agent's values"),
    Column("value", "of the observation", "the agent's values"),
    Column("value_change", "against the steps around", "the agent's values"),
    Column("advantage", "of the action taken", "the agent's values"),
    Column("elsewhere", "whether an object of the class is seen elsewhere in the frame"),
)
_LINK = Column("gallery", "where it can be looked at")


class Picture(NamedTuple):
    """One hallucination, to be drawn.

    Attributes:
      title: what it is.
      observation: the frame.
      attribution: of the feature, at the layer's positions.
      mask: pixels that show its class by ground truth.
      field: first and last pixel row and column of the receptive field, last ones excluded.
    """

    title: str
    observation: UInt8[np.ndarray, "height width channel"]
    attribution: Float[np.ndarray, "row column"]
    mask: Int[np.ndarray, "height width"]
    field: tuple[int, int, int, int]


@dataclasses.dataclass(frozen=True)
class HallucinationsResult:
    """Outcome of the study.

    Attributes:
      rows: of the table: the hallucinations, largest change first.
      trials: of the table of planted cases.
      classes: what each feature detects; None: nothing in particular.
      num_steps: steps looked through.
      pictures: of the first rows.
      seen: what it takes to look at the first rows.
    """

    rows: tuple[Mapping[str, Value], ...]
    trials: tuple[dict[str, Value], ...]
    classes: tuple[str | None, ...]
    num_steps: int
    pictures: tuple[Picture, ...]
    seen: Seen

    @property
    def table(self) -> Table:
        """A row for each hallucination."""
        return Table(_COLUMNS, self.rows)

    def linked_table(self, links: Mapping[int, str]) -> Table:
        """The same with links to where hallucinations can be looked at.

        Args:
          links: by the places of the rows.
        """
        rows = [{**row, _LINK.name: links.get(place)} for place, row in enumerate(self.rows)]
        return Table((*_COLUMNS, _LINK), tuple(rows))

    @property
    def trial_table(self) -> Table:
        """The finder's precision and recall on planted cases."""
        return trial_table(self.trials)


def study_hallucinations(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: HallucinationsConfig,
    *,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> HallucinationsResult:
    """Plays an agent and lists its hallucinations.

    Args:
      policy: of the agent.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it.
      config: what is played and looked through.
      cells: where finished work lies: one cell.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the ground truth of the environment is not known, or the layer is unknown.
    """
    check_ground_truth(agent_config)
    config = dataclasses.replace(config, layer=chosen_layer(policy, config.layer))
    depends_on = {
        **studied_agent(params, agent_config),
        **dataclasses.asdict(config),
    }
    search = Search(policy, params, agent_config, config, num_threads, notify)
    found = cells.run("hallucinations", depends_on, search.run)
    pictures = tuple(
        Picture(
            title=picture["title"],
            observation=np.array(picture["observation"], np.uint8),
            attribution=np.array(picture["attribution"], float),
            mask=np.array(picture["mask"], int),
            field=tuple(picture["field"]),
        )
        for picture in found["pictures"]
    )
    return HallucinationsResult(
        rows=tuple(found["rows"]),
        trials=tuple(found["trials"]),
        classes=tuple(found["classes"]),
        num_steps=found["num_steps"],
        pictures=pictures,
        seen=Seen.from_json(found["seen"]),
    )


def draw_hallucinations(result: HallucinationsResult) -> bytes:
    """Observation, attribution and ground truth of the pictured hallucinations; an SVG.

    The white rectangle is the receptive field of the strongest position. Red lowers the value, blue
    raises it.
    """
    pictures = result.pictures
    if not pictures:
        figure, axes = figures.new_figure(6.4, 1.0)
        axes[0, 0].text(0.0, 0.5, f"no hallucination in {result.num_steps:,} steps")
        axes[0, 0].set_axis_off()
        return figures.to_svg(figure)
    figure, axes = figures.new_figure(6.4, 2.3 * len(pictures), rows=len(pictures), columns=3)
    for picture, (frame, attribution, truth) in zip(pictures, axes, strict=True):
        limit = np.abs(picture.attribution).max()
        height, width, _ = picture.observation.shape
        extent = (0, width, height, 0)
        frame.imshow(picture.observation, extent=extent)
        attribution.imshow(picture.attribution, extent=extent, cmap="RdBu", vmin=-limit, vmax=limit)
        truth.imshow(picture.mask, extent=extent, cmap="gray", vmin=0, vmax=1)
        top, bottom, left, right = picture.field
        for axis, color in ((frame, "white"), (attribution, "black"), (truth, "white")):
            corners = [left, right, right, left, left], [top, top, bottom, bottom, top]
            axis.plot(*corners, color=color, linewidth=1)
            axis.set_axis_off()
        frame.set_title(picture.title, fontsize=8, loc="left")
        attribution.set_title("attribution", fontsize=8)
        truth.set_title("ground truth", fontsize=8)
    return figures.to_svg(figure)
