"""What a frame of CoinRun shows and where: what the page offers to edit. (Host only.)"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from rlvision_jax.envs.coinrun import State
from rlvision_jax.envs.coinrun.constants import (
    COIN,
    LAVA_MID,
    LAVA_TOP,
    PLAYER_RADIUS_X,
    PLAYER_RADIUS_Y,
)
from rlvision_jax.envs.coinrun.screen import VIEW
from rlvision_jax.envs.coinrun.stamp_sizes import AGENT_LIFT

_SAW = 1
_CRATES = (0b0001110, 0b1110000)
_CRATE_SHIFTS = (1, 4)
# Half of what is as large as a cell.
_HALF = 0.5


def describe_scene(state: State) -> dict[str, Any]:
    """The things that a game's frame shows.

    Args:
      state: of one game.

    Returns:
      `things`: each with its `kind`, its `box` in shares of the frame (left, top, right, bottom;
      it may pass the frame's edge) and what an edit of it needs: `cell` [row, column], `slot`,
      `x` and `y`. `origin`: the frame's top left corner in the world, tiles to the right and up.
      `cells`: tiles across the frame. Row 0 is the world's lowest.
    """
    game = jax.device_get(state)
    left = float(game.player.x) - float(VIEW) / 2
    top = float(game.player.y) + float(VIEW) / 2
    things = []
    for kind, edges, facts in _things(game):
        world_left, world_top, world_right, world_bottom = edges
        box = [
            (world_left - left) / float(VIEW),
            (top - world_top) / float(VIEW),
            (world_right - left) / float(VIEW),
            (top - world_bottom) / float(VIEW),
        ]
        if box[0] < 1 and box[1] < 1 and box[2] > 0 and box[3] > 0:
            things.append({"kind": kind, "box": box, **facts})
    return {"things": things, "origin": [left, top], "cells": float(VIEW)}


def _things(game: State) -> Iterator[tuple[str, tuple[float, float, float, float], dict[str, Any]]]:
    """Kind, edges (left, top, right, bottom) and facts of each thing, in the order of drawing."""
    for kind, is_there in (
        ("lava", np.isin(game.grid, (LAVA_MID, LAVA_TOP))),
        ("coin", game.grid == COIN),
        ("saw", (game.sprites & _SAW > 0) & bool(game.visible.saw)),
    ):
        for row, column in np.argwhere(is_there).tolist():
            yield kind, _edges(column + _HALF, row + _HALF), {"cell": [row, column]}
    for bits, shift in zip(_CRATES, _CRATE_SHIFTS, strict=True):
        is_there = (game.sprites & bits > 0) & bool(game.visible.crate)
        for row, column in np.argwhere(is_there).tolist():
            theme = (int(game.sprites[row, column]) & bits) >> shift
            facts = {"cell": [row, column], "theme": theme - 1}
            yield "crate", _edges(column + _HALF, row + _HALF), facts
    x, y = float(game.player.x), float(game.player.y)
    if game.visible.agent:
        height = 2 * PLAYER_RADIUS_Y
        feet = y - PLAYER_RADIUS_Y
        # Its picture reaches above it.
        edges = (
            x - PLAYER_RADIUS_X,
            feet + height * (1 + AGENT_LIFT),
            x + PLAYER_RADIUS_X,
            feet,
        )
        yield "agent", edges, {"x": x, "y": y, "theme": int(game.player.theme)}
    if game.visible.enemy:
        enemies = game.enemies
        for slot in np.flatnonzero(enemies.exists).tolist():
            x, y = float(enemies.x[slot]), float(enemies.y[slot])
            facts = {
                "slot": slot,
                "x": x,
                "row": int(y),
                "vx": float(enemies.vx[slot]),
                "theme": int(enemies.theme[slot]),
            }
            yield "enemy", _edges(x, y), facts


def _edges(x: float, y: float) -> tuple[float, float, float, float]:
    return x - _HALF, y + _HALF, x + _HALF, y - _HALF
