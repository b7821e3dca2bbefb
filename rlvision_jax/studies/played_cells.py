"""Many levels, played cell by cell: what a kill leaves is used again. (Host only.)"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import numpy as np

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.levels import Levels, join_levels, make_env, play_levels
from rlvision_jax.studies.studied_agent import studied_agent

Notify: TypeAlias = Callable[[str, int, int], None]
"""Called with the name of a stage, the work done in it, and its whole work."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayConfig:
    """How many levels are played, and which.

    Attributes:
      num_levels: levels, drawn with replacement.
      levels_per_cell: levels of one resumable cell of work.
      num_envs: environments stepped together.
      seed: of levels and actions.
    """

    num_levels: int = 10_000
    levels_per_cell: int = 1000
    num_envs: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for field in dataclasses.fields(PlayConfig):  # Not what a study adds.
            value = getattr(self, field.name)
            check_at_least(field.name, value, 0 if field.name == "seed" else 1)


def play_in_cells(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: PlayConfig,
    *,
    name: str,
    cells: Cells,
    all_actions: bool = False,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> Levels:
    """Plays levels, or reads what an earlier run has played of them.

    Two policies given the same `config` and levels play the same levels with the same random
    numbers.

    Args:
      policy: acts by sampling.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it; its environment is played.
      config: how many levels, and which.
      name: of what is played: that of the cells and of the stage of progress.
      cells: where finished work is kept.
      all_actions: keep the actions of completed levels too.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: as `levels.play_levels`.
    """
    parts = []
    depends_on = {
        **studied_agent(params, agent_config),
        "policy": policy.name,
        "ppo": agent_config.get("training", {}).get("ppo", {}),
        "reward_scale": agent_config.get("reward_scale", 1.0),
        "seed": config.seed,
        **({"all_actions": True} if all_actions else {}),
    }
    for index, start in enumerate(range(0, config.num_levels, config.levels_per_cell)):
        num_levels = min(config.levels_per_cell, config.num_levels - start)
        num_envs = min(config.num_envs, num_levels)
        sizes = {"cell": index, "num_levels": num_levels, "num_envs": num_envs}

        def compute(index: int = index, start: int = start, sizes: dict = sizes) -> dict[str, Any]:
            env = make_env(agent_config, sizes["num_envs"], _seed(config, index), num_threads)
            try:
                return play_levels(
                    policy,
                    params,
                    env,
                    jax.random.fold_in(jax.random.key(config.seed), index),
                    sizes["num_levels"],
                    agent_config,
                    all_actions=all_actions,
                    on_level=lambda done: notify(name, start + done, config.num_levels),
                ).to_json()
            finally:
                env.close()

        played = cells.run(f"{name}-{index:03d}", depends_on | sizes, compute)
        parts.append(Levels.from_json(played))
        notify(name, start + num_levels, config.num_levels)
    return join_levels(parts)


def _seed(config: PlayConfig, cell: int) -> int:
    """Seed of a cell's level generator, 0 to 2^31 - 1."""
    (word,) = np.random.SeedSequence([config.seed, cell]).generate_state(1)
    return int(word) & (2**31 - 1)
