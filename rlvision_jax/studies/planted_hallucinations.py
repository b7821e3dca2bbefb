"""Frames that show an object which the state does not hold, to test the finder on. (Host only.)

An object is added to a saved game, near the agent, and the game is drawn. Then either the state of
before is taken for true, which lacks it, or the object's pixels are pasted elsewhere into the frame
of before.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from rlvision_jax import envs
from rlvision_jax.envs import HostEnv
from rlvision_jax.envs.coinrun import State, counterfactuals
from rlvision_jax.envs.coinrun.constants import COIN, SPACE, WALL_MID, WALL_TOP
from rlvision_jax.envs.procgen import CoinRunState, decode_state, encode_state
from rlvision_jax.studies.object_classes import CLASSES, class_masks

Plantable = Literal["coin", "saw"]

KINDS: Final = ("pasted", "unlisted", "real", "untouched")
"""Kinds of cases: the object's pixels pasted somewhere; the object drawn where it stood in the
game, but missing from the state; the same with the state that has it; and the frame as it was. The
first two are hallucinations if the agent sees the object, the others are none."""

# Cells around the agent's in which objects are put, and those left free next to it.
_FAR_COLUMNS, _FAR_ROWS, _NEAR = 5, 4, 2


class PlantedCase(NamedTuple):
    """One step as it was played, and what is made of it.

    Attributes:
      time, env: the step.
      frame: as played.
      drawn: with the object in the game.
      pasted: as played, with the object's pixels elsewhere.
      masks: ground truth of the game as played.
      drawn_masks: of the game with the object.
      pasted_at: the pixels pasted.
    """

    time: int
    env: int
    frame: UInt8[np.ndarray, "height width channel"]
    drawn: UInt8[np.ndarray, "height width channel"]
    pasted: UInt8[np.ndarray, "height width channel"]
    masks: Bool[np.ndarray, "height width class"]
    drawn_masks: Bool[np.ndarray, "height width class"]
    pasted_at: Bool[np.ndarray, "height width"]


def free_cells(state: CoinRunState) -> list[tuple[int, int]]:
    """Empty cells on the ground, in view, not next to the agent; as (column, row).

    Args:
      state: as `decode_state` returns it.
    """
    agent = state.entities[0]
    column, row = int(agent["x"]), int(agent["y"])
    taken = {(int(x), int(y)) for x, y in state.entities[["x", "y"]].tolist()}
    grid = np.asarray(state.grid)
    grounded = (grid[1:] == SPACE) & np.isin(grid[:-1], (WALL_MID, WALL_TOP))
    cells = [(int(x), int(y) + 1) for y, x in np.argwhere(grounded)]
    return [
        (x, y)
        for x, y in cells
        if (x, y) not in taken
        and _NEAR <= abs(x - column) <= _FAR_COLUMNS
        and abs(y - row) <= _FAR_ROWS
    ]


def plant(
    env: HostEnv,
    states: Sequence[Sequence[bytes]],
    object_class: Plantable,
    *,
    num_cases: int,
    margin: int,
    seed: int = 0,
) -> list[PlantedCase]:
    """Makes cases of steps at which no object of the class is in view.

    Args:
      env: of one game, of the same options as those of the states; draws them.
      states: of each step and environment.
      object_class: what is planted.
      num_cases: how many are wanted; fewer come back if too few steps are fit.
      margin: steps to leave free at either end of the play.
      seed: of the choice.

    Raises:
      ValueError: if `env` holds more than one game.
    """
    if env.num_envs != 1:
        raise ValueError(f"plant draws with an environment of one game; got {env.num_envs}")
    rng = np.random.default_rng(seed)
    steps = [
        (time, index)
        for time in range(margin, len(states) - margin)
        for index in range(len(states[0]))
    ]
    cases: list[PlantedCase] = []
    for place in rng.permutation(len(steps)):
        if len(cases) == num_cases:
            break
        time, index = steps[place]
        case = _case(env, states[time][index], object_class, rng)
        if case is not None:
            cases.append(case._replace(time=time, env=index))
    return cases


def _case(
    env: HostEnv, saved: bytes, object_class: Plantable, rng: np.random.Generator
) -> PlantedCase | None:
    state = decode_state(saved)
    kind = CLASSES.index(object_class)
    masks = class_masks(envs.object_masks(state))
    cells = free_cells(state)
    if masks[..., kind].any() or not cells:
        return None
    cell = cells[rng.integers(len(cells))]

    def add(game: State) -> State:
        if object_class == "coin":
            return counterfactuals.set_cell(game, cell, COIN)
        return counterfactuals.add_saw(game, cell)

    changed = counterfactuals.edit(state, add)
    drawn_masks = class_masks(envs.object_masks(changed))
    pixels = drawn_masks[..., kind]
    if not pixels.any():
        return None
    frame, drawn = (_draw(env, each) for each in (saved, encode_state(changed)))
    rows, columns = np.nonzero(pixels)
    height, width = pixels.shape
    new_rows = rows - rows.min() + rng.integers(height - np.ptp(rows))
    new_columns = columns - columns.min() + rng.integers(width - np.ptp(columns))
    pasted, pasted_at = frame.copy(), np.zeros_like(pixels)
    pasted[new_rows, new_columns] = drawn[rows, columns]
    pasted_at[new_rows, new_columns] = True
    return PlantedCase(0, 0, frame, drawn, pasted, masks, drawn_masks, pasted_at)


def _draw(env: HostEnv, state: bytes) -> UInt8[np.ndarray, "height width channel"]:
    env.set_state([state])
    return env.observe().observation[0].copy()
