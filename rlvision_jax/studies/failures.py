"""Why an agent's episodes fail: causes, rates, and the moments at which it was most surprised.

As "Dissecting failure" in Hilton et al. 2020, over all failed levels instead of a few: causes are
exact, since failed levels are played again by the physics (`envs.coinrun.replays`).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies import figures
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.levels import COMPLETED, OUTCOMES, Levels
from rlvision_jax.studies.paper import PAPER_CAUSES, PAPER_FAILURES, paper_cause
from rlvision_jax.studies.played_cells import Notify, PlayConfig, play_in_cells
from rlvision_jax.studies.tables import Column, Table
from rlvision_jax.training import FAILURE_CAUSES, split_options, wilson_interval

_CAUSES = (
    Column("outcome", "how levels ended: completed, or the cause of failure"),
    Column("levels", "levels that ended so"),
    Column("share", "their share", "share of levels"),
    Column("low", "lower end of its 95% interval (Wilson)", "share of levels"),
    Column("high", "upper end of its 95% interval (Wilson)", "share of levels"),
    Column("median_worst_advantage", "of the levels' lowest advantages", "the agent's values"),
    Column("median_steps_to_end", "from the lowest advantage to the end of the level", "steps"),
)
_EPISODES = (
    Column("level", "place among the levels played, from 0"),
    Column("level_seed", "seed of the level"),
    Column("cause", "why it failed"),
    Column("steps", "steps that it lasted", "steps"),
    Column("worst_advantage", "lowest advantage in it", "the agent's values"),
    Column("worst_step", "step of the lowest advantage, from 0", "steps"),
    Column("gallery", "link to that step in the gallery; empty where it is not shown"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FailuresConfig(PlayConfig):
    """What the study of failures plays.

    Attributes:
      split: levels that the agent was trained on ("train"), or unseen ones ("test").
    """

    split: Literal["train", "test"] = "test"


class FailedEpisode(NamedTuple):
    """One failed level.

    Attributes:
      level: its place among the levels played.
      seed: the level's.
      cause: one of `training.FAILURE_CAUSES`.
      actions: taken in it, one after the other; the last one ended it.
      worst_advantage: lowest advantage in it, in units of the values.
      worst_step: at which step it was.
    """

    level: int
    seed: int
    cause: str
    actions: Sequence[int]
    worst_advantage: float
    worst_step: int


@dataclasses.dataclass(frozen=True)
class FailuresResult:
    """Outcome of the study.

    Attributes:
      levels: every level played.
    """

    levels: Levels

    @property
    def table(self) -> Table:
        """A row for each way of ending."""
        return Table(_CAUSES, tuple(self._row(outcome) for outcome in OUTCOMES))

    @property
    def episodes(self) -> tuple[FailedEpisode, ...]:
        """The failed levels, those of the lowest advantage first."""
        levels = self.levels
        found = [
            FailedEpisode(
                level=index,
                seed=int(levels.seeds[index]),
                cause=OUTCOMES[levels.outcomes[index]],
                actions=actions,
                worst_advantage=float(levels.worst_advantages[index]),
                worst_step=int(levels.worst_steps[index]),
            )
            for index, actions in levels.actions.items()
        ]
        return tuple(sorted(found, key=lambda episode: episode.worst_advantage))

    def episode_table(self, links: Mapping[int, str] | None = None) -> Table:
        """A row for each failed level, in the order of `episodes`.

        Args:
          links: where levels are shown, by their place among the levels played.
        """
        rows = [
            {
                "level": episode.level,
                "level_seed": episode.seed,
                "cause": episode.cause,
                "steps": len(episode.actions),
                "worst_advantage": round(episode.worst_advantage, 4),
                "worst_step": episode.worst_step,
                "gallery": (links or {}).get(episode.level),
            }
            for episode in self.episodes
        ]
        return Table(_EPISODES, tuple(rows))

    def _row(self, outcome: str) -> dict[str, Any]:
        levels = self.levels
        count = levels.count(outcome)
        low, high = wilson_interval(count, levels.num_levels)
        chosen = levels.outcomes == OUTCOMES.index(outcome)
        to_end = levels.lengths - 1 - levels.worst_steps
        return {
            "outcome": outcome,
            "levels": count,
            "share": count / levels.num_levels,
            "low": low,
            "high": high,
            "median_worst_advantage": _median(levels.worst_advantages[chosen]),
            "median_steps_to_end": _median(to_end[chosen]),
        }


def study_failures(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: FailuresConfig,
    *,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> FailuresResult:
    """Plays levels to their end and finds out why they failed.

    Args:
      policy: acts by sampling.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it; its environment must be CoinRun.
      config: how many levels, and which.
      cells: where finished work is kept.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the game is one whose causes of failure are not known.
    """
    options = split_options(agent_config.get("env_options", {}), config.split)
    levels = play_in_cells(
        policy,
        params,
        {**agent_config, "env_options": options},
        config,
        name=f"{config.split}-levels",
        cells=cells,
        num_threads=num_threads,
        notify=notify,
    )
    return FailuresResult(levels)


def worst_of_each_cause(
    episodes: Sequence[FailedEpisode], num_per_cause: int
) -> tuple[FailedEpisode, ...]:
    """The failed levels of the lowest advantage, so many of each cause, cause by cause.

    Args:
      episodes: those of the lowest advantage first.
      num_per_cause: of each cause, at most.
    """
    return tuple(
        episode
        for cause in FAILURE_CAUSES
        for episode in [each for each in episodes if each.cause == cause][:num_per_cause]
    )


def draw_failures(result: FailuresResult) -> bytes:
    """Shares of levels failed by each cause beside the article's, and the worst advantages.

    Returns:
      An SVG.

    Raises:
      MissingExtraError: if matplotlib is not installed.
    """
    levels = result.levels
    figure, axes = figures.new_figure(9, 3.4, columns=2)
    shares, advantages = axes[0]
    for place, cause in enumerate(PAPER_CAUSES):
        count = sum(levels.count(ours) for ours in FAILURE_CAUSES if paper_cause(ours) == cause)
        share = 100 * count / levels.num_levels
        low, high = (100 * end for end in wilson_interval(count, levels.num_levels))
        shares.bar(
            place - 0.2,
            share,
            0.4,
            yerr=[[share - low], [high - share]],
            color=figures.COLORS[0],
            capsize=3,
            label="this agent, 95% interval" if place == 0 else None,
        )
        shares.bar(
            place + 0.2,
            PAPER_FAILURES["original"][cause],
            0.4,
            color=figures.COLORS[5],
            label="the article's agent (older CoinRun)" if place == 0 else None,
        )
    shares.set_yscale("symlog", linthresh=0.1)
    shares.set_ylim(0, 100)
    shares.set_yticks([0, 0.1, 1, 10, 100], ["0", "0.1", "1", "10", "100"])
    shares.set_xticks(range(len(PAPER_CAUSES)), [name.replace("_", " ") for name in PAPER_CAUSES])
    shares.set_ylabel("levels failed by, %")
    shares.set_title(f"{levels.num_levels:,} levels")
    shares.legend(frameon=False, fontsize="small")

    lowest = float(levels.worst_advantages.min())
    bins = np.linspace(min(lowest, -1e-3), 0, 33)
    names = [name for name in OUTCOMES if levels.count(name)]
    advantages.hist(
        [levels.worst_advantages[levels.outcomes == OUTCOMES.index(name)] for name in names],
        bins=bins,
        stacked=True,
        label=[name.replace("_", " ") for name in names],
        color=[_color(name) for name in names],
    )
    advantages.set_xlabel("lowest advantage of the level (units of value)")
    advantages.set_ylabel("levels")
    advantages.legend(frameon=False, fontsize="small")
    return figures.to_svg(figure)


def _color(outcome: str) -> str:
    if outcome == COMPLETED:
        return "#d9d9d9"
    return figures.COLORS[FAILURE_CAUSES.index(outcome) % len(figures.COLORS)]


def _median(values: np.ndarray) -> float | None:
    return round(float(np.median(values)), 4) if len(values) else None
