"""What an agent pursues: the coin, or the end of the level, where the coin always was.

The experiment of Langosco et al. 2022, "Goal misgeneralization in deep reinforcement learning",
https://arxiv.org/abs/2105.14111, with the features that the agent goes by. docs/studies/goal.md
shows what it found.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.changed_levels import LevelChanges
from rlvision_jax.studies.goal_features import follow_coin, pair_frames
from rlvision_jax.studies.goal_journeys import Journeys, journeys
from rlvision_jax.studies.goal_result import GoalResult, table_row
from rlvision_jax.studies.labelled_frames import check_ground_truth, sample_games
from rlvision_jax.studies.played_cells import Notify, PlayConfig, play_in_cells
from rlvision_jax.studies.scored_features import (
    FeaturesConfig,
    chosen_layer,
    find_features,
    score_directions,
)
from rlvision_jax.studies.studied_agent import studied_agent
from rlvision_jax.studies.tables import Value
from rlvision_jax.training import split_options


@dataclasses.dataclass(frozen=True, kw_only=True)
class GoalConfig(PlayConfig):
    """What the study of the goal plays and looks at.

    Attributes:
      num_levels: levels, drawn with replacement; each is played twice. Where the agent does not
        take the coin, a level lasts for 1,000 steps or until it dies.
      levels_per_cell: levels of one resumable cell of work.
      split: levels that the agent was trained on ("train"), or unseen ones ("test").
      change_seed: of the coins' places.
      layer: whose features are looked at; None: the middle one.
      num_features: features of the layer.
      num_frames: observations that the features are found in and looked at in.
      frame_interval: steps between two of these observations of one environment.
      resamples: of the levels, for the intervals.
    """

    num_levels: int = 2000
    levels_per_cell: int = 250
    split: Literal["train", "test"] = "test"
    change_seed: int = 0
    layer: str | None = None
    num_features: int = 8
    num_frames: int = 4096
    frame_interval: int = 128
    resamples: int = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("change_seed", self.change_seed, 0)
        self.features  # noqa: B018 (checks its numbers)

    @property
    def features(self) -> FeaturesConfig:
        """How the features are found and scored."""
        return FeaturesConfig(
            layer=self.layer,
            num_features=self.num_features,
            num_frames=self.num_frames,
            frame_interval=self.frame_interval,
            num_envs=self.num_envs,
            resamples=self.resamples,
            seed=self.seed,
        )


def study_goal(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: GoalConfig,
    *,
    cells: Cells,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> GoalResult:
    """Plays levels with the coin at the end and with the coin moved, and looks at the features.

    Args:
      policy: acts by sampling.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it; its environment must be CoinRun.
      config: what is played and looked at.
      cells: where finished work is kept.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the game is not CoinRun, or the layer is unknown.
    """
    check_ground_truth(agent_config)
    config = dataclasses.replace(config, layer=chosen_layer(policy, config.layer))
    work = _Work(policy, params, agent_config, config, cells, num_threads, notify)
    return GoalResult(work.journeys(), tuple(work.features()))


@dataclasses.dataclass(frozen=True)
class _Work:
    """The study's arguments; see `study_goal`."""

    policy: VisionPolicy
    params: Params
    agent_config: Mapping[str, Any]
    config: GoalConfig
    cells: Cells
    num_threads: int
    notify: Notify

    @property
    def _own_config(self) -> dict[str, Any]:
        """The agent's environment with the coin at the end, even if it was trained otherwise."""
        options = dict(self.agent_config.get("env_options", {}))
        if "coin" in options:
            options["coin"] = "end"
        return {**self.agent_config, "env_options": options}

    @property
    def _moved(self) -> CoinRunConfig:
        """What the levels with the coin moved depend on."""
        options = self.agent_config.get("env_options", {})
        of_levels = {name: options[name] for name in _OF_LEVELS if name in options}
        return CoinRunConfig(**of_levels, coin="moved", change_seed=self.config.change_seed)

    def journeys(self) -> Journeys:
        """Plays each level twice, and follows where the agent came to."""
        options = split_options(self._own_config["env_options"], self.config.split)
        own = {**self._own_config, "env_options": options}
        changes = LevelChanges(coin="moved", change_seed=self.config.change_seed)
        conditions = {"coin-at-end": own, "coin-moved": changes.apply(own)}
        own_levels, moved_levels = (
            play_in_cells(
                self.policy,
                self.params,
                each,
                self.config,
                name=name,
                cells=self.cells,
                all_actions=True,
                num_threads=self.num_threads,
                notify=self.notify,
            )
            for name, each in conditions.items()
        )
        return journeys(own_levels, moved_levels, self._moved)

    def features(self) -> list[dict[str, Value]]:
        """Rows of the table of features, from disk if an earlier run has made them."""
        depends_on = {
            **studied_agent(self.params, self._own_config),
            **dataclasses.asdict(self.config.features),
            "change_seed": self.config.change_seed,
        }
        return self.cells.run("features", depends_on, self._features)

    def _features(self) -> list[dict[str, Value]]:
        config = self.config.features
        rounds = -(-config.num_frames // config.num_envs) * config.frame_interval
        observations, games = sample_games(
            self.policy,
            self.params,
            self._own_config,
            num_frames=config.num_frames,
            interval=config.frame_interval,
            num_envs=config.num_envs,
            seed=config.seed,
            num_threads=self.num_threads,
            on_step=lambda step: self.notify("playing for features", step, rounds),
        )
        self.notify("moving coins", 0, 1)
        frames = pair_frames(
            observations, games, self._own_config, self._moved, num_threads=self.num_threads
        )
        self.notify("moving coins", 1, 1)
        directions = find_features(self.policy, self.params, frames.own, config)
        scored = score_directions(
            self.policy, self.params, frames.own, directions, config, notify=self.notify
        )
        measured = follow_coin(self.policy, self.params, frames, directions, config)
        scores = [feature.score for feature in scored]
        return [
            table_row(row, index + 1, score)
            for index, (row, score) in enumerate(zip(measured, [*scores, None], strict=True))
        ]


# Options of an environment that decide what its levels are like.
_OF_LEVELS = ("distribution_mode", "debug_mode", "themes")
