"""Where agents came to in levels whose coin was moved: to the coin, to the end, or neither. (Host.)

What they would have come to without seeing the coin is known too: by the steps that they took where
it lay at the end, which lead across its new place in some levels.
"""

import dataclasses
from collections.abc import Iterable
from typing import Final, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Bool, Int, Int8, UInt8

from rlvision_jax.envs.coinrun.changed_levels import coin_place, end_of_level
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.replays import (
    PlayedLevel,
    level_ends,
    opening_grids,
    steps_to_coin,
)
from rlvision_jax.studies.levels import COMPLETED, OUTCOMES, Levels
from rlvision_jax.training import FAILURE_CAUSES

COIN: Final = "coin"
END: Final = "end"
DESTINATIONS: Final = (COIN, END, *FAILURE_CAUSES)
"""How far a level went: to the coin; without it to the end; or to what ended it before."""

LAST_COLUMNS: Final = 2
"""An agent in the last so many columns before the wall has come to the end of the level."""


@dataclasses.dataclass(frozen=True)
class Journeys:
    """What became of the same levels in each condition.

    Attributes:
      destinations: by the name of the condition, index into `DESTINATIONS` of each level.
      passed: levels with the coin moved in which the agent got beyond it without taking it.
    """

    destinations: dict[str, Int8[np.ndarray, " level"]]
    passed: Bool[np.ndarray, " level"]


def journeys(own: Levels, moved: Levels, config: CoinRunConfig) -> Journeys:
    """Where an agent came to, level by level.

    Args:
      own: levels with the coin at the end, with the actions of all of them.
      moved: the same levels with the coin moved.
      config: of the latter.

    Returns:
      Of the conditions "end", "moved" and "unseen": the steps of the first in the levels of the
      second.

    Raises:
      ValueError: if the levels are not the same, or actions are missing.
    """
    if not np.array_equal(own.seeds, moved.seeds):
        raise ValueError("the levels with the coin moved are not those with the coin at the end")
    if len(own.actions) < own.num_levels:
        raise ValueError(
            f"the actions of all {own.num_levels} levels are needed; got those of "
            f"{len(own.actions)}: play them with all_actions"
        )
    places = level_places(own.seeds, config)
    at_end = dataclasses.replace(config, coin="end")
    own_furthest, moved_furthest = (
        _furthest_columns(levels, options) for levels, options in ((own, at_end), (moved, config))
    )
    destinations = {
        "end": _destinations(own, own_furthest, places.end_column),
        "moved": _destinations(moved, moved_furthest, places.end_column),
    }
    # Where the steps lead to the moved coin, they do so before anything else ends the level; the
    # coin at the end is nothing but the end of the level then.
    steps = steps_to_coin(played_levels(own, range(own.num_levels)), config)
    meets = np.asarray([each is not None for each in steps])
    unseen = destinations["end"].copy()
    unseen[unseen == DESTINATIONS.index(COIN)] = DESTINATIONS.index(END)
    unseen[meets] = DESTINATIONS.index(COIN)
    return Journeys(destinations | {"unseen": unseen}, moved_furthest > places.coin_column)


class LevelPlaces(NamedTuple):
    """Where levels end, and where their coins lie.

    Attributes:
      end_column: the last column before the wall.
      coin_column, coin_row: the coin's cell.
    """

    end_column: Int[np.ndarray, " level"]
    coin_column: Int[np.ndarray, " level"]
    coin_row: Int[np.ndarray, " level"]


def level_places(seeds: Int[np.ndarray, " level"], config: CoinRunConfig) -> LevelPlaces:
    """Where levels end, and where their coins lie.

    Args:
      seeds: of the levels.
      config: what changes them.
    """
    grids = opening_grids(np.asarray(seeds, np.int32), config)
    return LevelPlaces(*map(np.asarray, _places(grids)))


@jax.jit
def _places(grids: UInt8[Array, "level 64 64"]) -> tuple[Array, ...]:
    def places(grid: Array) -> tuple[Array, ...]:
        return end_of_level(grid).column, *coin_place(grid)

    return jax.vmap(places)(grids)


def played_levels(levels: Levels, indices: Iterable[int]) -> list[PlayedLevel]:
    """Seeds and actions of some of the levels, to play them again."""
    return [PlayedLevel(int(levels.seeds[index]), levels.actions[index]) for index in indices]


def _furthest_columns(levels: Levels, config: CoinRunConfig) -> Int[np.ndarray, " level"]:
    """The furthest column that the agent was in, of the failed levels; -1 of the others."""
    furthest = np.full(levels.num_levels, -1)
    failed = np.flatnonzero(levels.outcomes != OUTCOMES.index(COMPLETED)).tolist()
    for index, end in zip(failed, level_ends(played_levels(levels, failed), config), strict=True):
        furthest[index] = int(end.furthest)
    return furthest


def _destinations(
    levels: Levels, furthest: Int[np.ndarray, " level"], end: Int[np.ndarray, " level"]
) -> Int8[np.ndarray, " level"]:
    names = [COIN if name == COMPLETED else name for name in OUTCOMES]
    found = np.asarray([DESTINATIONS.index(name) for name in names], np.int8)[levels.outcomes]
    found[furthest > end - LAST_COLUMNS] = DESTINATIONS.index(END)
    return found
