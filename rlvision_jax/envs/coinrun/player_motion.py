"""How the agent moves in one step: support, velocity, sub-steps against walls and crates.

Source: openai/procgen, `set_action_xy`, `update_agent_velocity` and `is_blocked_ents` in
`procgen/src/games/coinrun.cpp`; `basic_step_object`, `sub_step` and `push_obj` in
`procgen/src/basic-abstract-game.cpp`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, UInt8

from rlvision_jax.envs.coinrun.collision import (
    RADIUS_X,
    RADIUS_Y,
    REACH_Y,
    cell_of,
    cells_at,
    is_wall,
)
from rlvision_jax.envs.coinrun.constants import MAX_JUMP, MAX_SPEED, WALL_MID
from rlvision_jax.envs.coinrun.crates import crates_around, crates_below
from rlvision_jax.envs.coinrun.exact import product
from rlvision_jax.envs.coinrun.types import Player

_NO_MOVE = 4
_NUM_MOVES = 9

_GRAVITY = np.float32(0.2)
_MAX_JUMP = np.float32(MAX_JUMP)
_MAX_SPEED = np.float32(MAX_SPEED)
# Share of the velocity that a step renews: on the ground, and in the air.
_GROUND_CONTROL = np.float32(0.2)
_AIR_CONTROL = _GROUND_CONTROL * np.float32(0.15)

# Where the feet are, from the centre. Procgen subtracts and adds 0.49 and subtracts
# 0.5787f + 0.01 in double, then rounds to float. In float32 these find the same cell of the
# world at every position.
_LEFT_FOOT = np.float32(0.49)
_RIGHT_FOOT = np.float32(0.48999998)
_UNDER_FEET = np.float32(0.58870006)

# Walls are felt at the corners of a slightly smaller box.
_CORNERS_X = np.array([-1, 1], np.float32)[:, None] * (RADIUS_X * np.float32(0.98))
_CORNERS_Y = np.array([-1, 1], np.float32)[None, :] * (RADIUS_Y * np.float32(0.98))

# An agent at most moves at (0.5, 1.5) tiles a step: in int(4 * speed) sub-steps, but no fewer
# than 4. No square root is taken: GPUs may round it differently.
_MIN_SUB_STEPS = 4
_MAX_SUB_STEPS = 6
_SQUARED_SPEED_OF_5 = np.float32(1.25**2)
_SQUARED_SPEED_OF_6 = np.float32(1.5**2)
# [sub-steps - 4, number]: number / sub-steps as C++ rounds it, for the same reason.
_SHARES = np.array(
    [[number / n for number in range(_MAX_SUB_STEPS + 1)] for n in range(4, _MAX_SUB_STEPS + 1)],
    np.float32,
)

# A crate pushes the agent, who may land in the next crate: Procgen follows five such pushes.
_MAX_PUSHES = 5


class _World(NamedTuple):
    """What stays the same during a step.

    Attributes:
      grid: as in `State`.
      find_crate: whether an agent at (x, y) touches a crate that carries it, the y of the one
        that acts first, and whether it can be told.
      max_pushes: how many crates that push the agent one after another are followed.
      zero: see `exact.rounded`.
    """

    grid: UInt8[Array, "64 64"]
    find_crate: Callable[[Array, Array], tuple[Array, Array, Array]]
    max_pushes: int
    zero: Int32[Array, ""]


class _Body(NamedTuple):
    """The agent during a step.

    Attributes:
      x, y, vy: as in `Player`.
      is_on_crate: whether a crate has carried it in this step.
      free_x, free_y: sub-steps in which nothing was in the way.
      is_stuck: whether both axes were blocked at once; then it moves no more.
      is_unfinished: whether crates pushed it more often than was followed, or to where it cannot
        be told.
    """

    x: Array
    y: Array
    vy: Array
    is_on_crate: Array
    free_x: Array
    free_y: Array
    is_stuck: Array
    is_unfinished: Array


def press(
    player: Player, grid: UInt8[Array, "64 64"], action: Int32[Array, ""], zero: Int32[Array, ""]
) -> tuple[Player, Int32[Array, ""]]:
    """Turns an action into velocity.

    Args:
      player: before the step.
      grid: as in `State`.
      action: index into `ACTION_NAMES`; anything else presses nothing.
      zero: see `exact.rounded`.

    Returns:
      The agent with its new velocity and support, on no crate; and the vertical direction that
      counts: 1 (a jump), 0 or -1 (down).
    """
    move = jnp.where((action >= 0) & (action < _NUM_MOVES), action, _NO_MOVE)
    action_vx, pressed_y = move // 3 - 1, move % 3 - 1
    has_support = _has_support(player, grid)
    jumps = has_support & (pressed_y > 0)
    action_vy = jnp.where(jumps, 1, jnp.minimum(pressed_y, 0))

    control = jnp.where(has_support, _GROUND_CONTROL, _AIR_CONTROL)
    impulse = control * _MAX_SPEED
    vx = product(1 - control, player.vx, zero) + impulse * action_vx.astype(jnp.float32)
    vx = jnp.where(jnp.abs(vx) < impulse, 0, vx)

    # With support vy is 0, and "down" adds gravity once more.
    falling_vy = jnp.where(has_support & (pressed_y < 0), -_GRAVITY, player.vy) - _GRAVITY
    vy = jnp.where(jumps, _MAX_JUMP, jnp.clip(falling_vy, -_MAX_JUMP, _MAX_JUMP))
    faces_left = jnp.where(action_vx == 0, player.faces_left, action_vx < 0)
    player = player._replace(
        vx=vx,
        vy=vy,
        action_vx=action_vx,
        faces_left=faces_left,
        has_support=has_support,
        is_on_crate=jnp.zeros_like(player.is_on_crate),
    )
    return player, action_vy


def _has_support(player: Player, grid: Array) -> Array:
    columns = cell_of(jnp.stack([player.x - _LEFT_FOOT, player.x + _RIGHT_FOOT]))
    row = cell_of(player.y - _UNDER_FEET)
    is_on_wall = jnp.any(is_wall(cells_at(grid, row[None], columns, WALL_MID)))
    return (player.is_on_crate | is_on_wall) & (player.vy == 0)


def move_player(
    player: Player,
    grid: UInt8[Array, "64 64"],
    sprites: UInt8[Array, "64 64"],
    action_vy: Int32[Array, ""],
    steps_x_first: Bool[Array, ""],
    zero: Int32[Array, ""],
) -> Player:
    """Moves the agent by its velocity.

    Args:
      player: as `press` returns it; `is_on_crate` may be set already, by an enemy.
      grid, sprites: as in `State`.
      action_vy: as `press` returns it.
      steps_x_first: which axis goes first if no action and no larger velocity decides.
      zero: see `exact.rounded`.
    """
    speed_x, speed_y = jnp.abs(player.vx), jnp.abs(player.vy)
    x_first = jnp.where(speed_x == speed_y, steps_x_first, speed_x > speed_y)
    x_first = ((player.action_vx != 0) | x_first) & (action_vy == 0)
    squared = product(player.vx, player.vx, zero) + product(player.vy, player.vy, zero)
    num_steps = (
        _MIN_SUB_STEPS
        + (squared >= _SQUARED_SPEED_OF_5).astype(jnp.int32)
        + (squared >= _SQUARED_SPEED_OF_6).astype(jnp.int32)
    )
    shares = jnp.asarray(_SHARES)[num_steps - _MIN_SUB_STEPS]

    def sub_steps(find_crate: Callable, max_pushes: int, is_stuck: Array) -> _Body:
        world = _World(grid, find_crate, max_pushes, zero)

        def sub_step(index: Array, body: _Body) -> _Body:
            moved = _sub_step(body, player.vx, shares[1], x_first, world)
            goes_on = (index < num_steps) & ~body.is_stuck
            return jax.tree.map(lambda new, old: jnp.where(goes_on, new, old), moved, body)

        body = _Body(
            x=player.x,
            y=player.y,
            vy=player.vy,
            is_on_crate=player.is_on_crate,
            free_x=jnp.zeros_like(num_steps),
            free_y=jnp.zeros_like(num_steps),
            is_stuck=is_stuck,
            is_unfinished=jnp.zeros_like(is_stuck),
        )
        return jax.lax.fori_loop(0, _MAX_SUB_STEPS, sub_step, body)

    falls_through = action_vy < 0
    below = crates_below(sprites, player, falls_through)

    def find_below(x: Array, y: Array) -> tuple[Array, Array, Array]:
        return *below.touch(x, y), below.cover(x, y)

    def find_anywhere(x: Array, y: Array) -> tuple[Array, Array, Array]:
        around = crates_around(sprites, player.last_y, falls_through, x, y)
        return *around.touch(x, y), jnp.ones_like(falls_through)

    def do_again(body: _Body) -> _Body:
        # Without something of the loop's own the compiler takes the work out of the loop.
        again = sub_steps(find_anywhere, _MAX_PUSHES, is_stuck=~body.is_unfinished)
        return again._replace(is_unfinished=jnp.zeros_like(body.is_unfinished))

    # One push from a crate below nearly always settles it. A loop that seldom runs even once
    # costs a batch of games nothing; a `lax.cond` would run for all of them.
    body = sub_steps(find_below, 1, is_stuck=jnp.zeros_like(falls_through))
    body = jax.lax.while_loop(lambda body: body.is_unfinished, do_again, body)
    return player._replace(
        x=body.x,
        y=body.y,
        vx=player.vx * shares[body.free_x],
        vy=body.vy * shares[body.free_y],
        is_on_crate=body.is_on_crate,
    )


def _sub_step(body: _Body, vx: Array, share: Array, x_first: Array, world: _World) -> _Body:
    """One part of a step along both axes, one after the other."""
    dx = product(vx, share, world.zero)
    none = jnp.zeros_like(dx)
    dy = product(body.vy, share, world.zero)
    body, first = _move(body, jnp.where(x_first, dx, none), jnp.where(x_first, none, dy), world)
    # A crate may have stopped the fall.
    dy = product(body.vy, share, world.zero)
    body, second = _move(body, jnp.where(x_first, none, dx), jnp.where(x_first, dy, none), world)
    is_x_blocked = jnp.where(x_first, first, second)
    is_y_blocked = jnp.where(x_first, second, first)
    return body._replace(
        free_x=body.free_x + ~is_x_blocked,
        free_y=body.free_y + ~is_y_blocked,
        is_stuck=is_x_blocked & is_y_blocked,
    )


def _move(body: _Body, dx: Array, dy: Array, world: _World) -> tuple[_Body, Array]:
    """A displacement along one axis, and whether something was in its way.

    As in Procgen a displacement of nothing counts as vertical, whichever axis it was meant for.
    """
    x, y, is_blocked = _slide(world.grid, body.x, body.y, dx, dy)
    meets_crates = (dx == 0) & (body.vy < 0)
    in_crate, crate_y, is_known = world.find_crate(x, y)
    in_crate &= meets_crates
    is_pushed, is_all_known = in_crate, is_known
    for _ in range(world.max_pushes):
        side = jnp.sign(y - crate_y)
        # In double in Procgen; the difference is exact in float32 too.
        push = (crate_y - y) + side * REACH_Y
        _, pushed_y, _ = _slide(world.grid, x, y, jnp.zeros_like(push), push)
        y = jnp.where(in_crate, pushed_y, y)
        still_in_crate, crate_y, is_known = world.find_crate(x, y)
        in_crate &= still_in_crate
        is_all_known &= is_known
    is_followed = ~in_crate & (is_all_known | ~meets_crates)
    body = body._replace(
        x=x,
        y=y,
        vy=jnp.where(is_pushed, 0, body.vy),
        is_on_crate=body.is_on_crate | is_pushed,
        is_unfinished=body.is_unfinished | ~is_followed,
    )
    return body, is_blocked | is_pushed


def _slide(grid: Array, x: Array, y: Array, dx: Array, dy: Array) -> tuple[Array, Array, Array]:
    """Where a displacement along one axis ends, and whether a wall ended it."""
    new_x, new_y = x + dx, y + dy
    columns = cell_of(new_x + _CORNERS_X)
    rows = cell_of(new_y + _CORNERS_Y)
    cells = cells_at(grid, rows, columns, WALL_MID)
    is_blocked = jnp.any(is_wall(cells))
    x_at_wall = jnp.where(
        dx > 0,
        jnp.floor(new_x + RADIUS_X) - RADIUS_X,
        jnp.ceil(new_x - RADIUS_X) + RADIUS_X,
    )
    y_at_wall = jnp.where(
        dy > 0,
        jnp.floor(new_y + RADIUS_Y) - RADIUS_Y,
        jnp.ceil(new_y - RADIUS_Y) + RADIUS_Y,
    )
    is_horizontal = dx != 0
    new_x = jnp.where(is_blocked & is_horizontal, x_at_wall, new_x)
    new_y = jnp.where(is_blocked & ~is_horizontal, y_at_wall, new_y)
    return new_x, new_y, is_blocked
