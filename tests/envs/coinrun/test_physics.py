"""Single steps on small worlds built by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import collision, mersenne_twister, player_motion
from rlvision_jax.envs.coinrun.constants import (
    COIN,
    ENEMY_BARRIER,
    LAVA_TOP,
    MAX_ENEMIES,
    PLAYER_RADIUS_Y,
    SPACE,
    TIME_LIMIT,
    TRAIL_AGES,
    WALL_MID,
    WALL_TOP,
)
from rlvision_jax.envs.coinrun.physics import FailureCause, advance
from rlvision_jax.envs.coinrun.types import (
    Enemies,
    LevelSet,
    Player,
    Scenery,
    State,
    Trails,
    Visible,
)
from rlvision_jax.envs.procgen import ACTION_NAMES, FORCE_RESET

LEFT, DOWN, NONE, UP, RIGHT, RIGHT_UP = (
    ACTION_NAMES.index(name) for name in ("left", "down", "none", "up", "right", "right+up")
)
SAW_BIT, CRATE_BIT, LATE_CRATE_BIT = 1, 2, 16
GROUND_Y = 1 + PLAYER_RADIUS_Y
# Float32 keeps numbers below 8 to within 2.4e-7; a step adds up at most a dozen of them.
FLOAT32 = 5e-6


def test_standing_height_is_rounded_once_in_every_row():
    """Compiled, the two additions of Procgen's test become one of another number."""
    rows = np.arange(64, dtype=np.int32)
    top = rows.astype(np.float32) + np.float32(1)
    heights = jax.jit(collision.standing_on)(rows)
    np.testing.assert_array_equal(heights, top + np.float32(PLAYER_RADIUS_Y))


step = jax.jit(advance)


def game(*, x=10.5, y=GROUND_Y, vx=0.0, vy=0.0, cells=(), sprites=(), enemies=(), time=0):
    """A room with the ground in row 0, the agent, and what is listed.

    Args:
      cells, sprites: (column, row, content).
      enemies: (x, y, vx).
    """
    grid = np.full((64, 64), SPACE, np.uint8)
    grid[0] = WALL_TOP
    grid[-1] = grid[:, 0] = grid[:, -1] = WALL_MID
    objects = np.zeros((64, 64), np.uint8)
    for array, contents in ((grid, cells), (objects, sprites)):
        for column, row, content in contents:
            array[row, column] = content
    placed = np.zeros((3, MAX_ENEMIES), np.float32)
    placed[:, : len(enemies)] = np.transpose(enemies) if enemies else 0
    rows = jnp.zeros((TRAIL_AGES, MAX_ENEMIES), jnp.float32)
    no, zero = jnp.bool_(False), jnp.int32(0)
    x, y, vx, vy = (jnp.float32(value) for value in (x, y, vx, vy))
    generator = mersenne_twister.seeded(jnp.uint32(0))
    return State(
        grid=jnp.asarray(grid),
        sprites=jnp.asarray(objects),
        player=Player(x, y, vx, vy, y, zero, zero, no, no, no),
        enemies=Enemies(
            *jnp.asarray(placed),
            theme=jnp.zeros(MAX_ENEMIES, jnp.uint8),
            exists=jnp.arange(MAX_ENEMIES) < len(enemies),
        ),
        trails=Trails(rows, rows, rows > 0),
        scenery=Scenery(zero, zero, jnp.float32(0)),
        visible=Visible(*[~no] * 5),
        time=jnp.int32(time),
        level_seed=zero,
        prev_level_seed=zero,
        level_set=LevelSet(zero, jnp.int32(1)),
        level_rng=generator,
        step_rng=generator,
    )


def play(state, *actions):
    for action in actions:
        state, outcome = step(state, jnp.int32(action))
    return state, outcome


def test_a_jump_rises_by_its_velocity_and_loses_a_fifth_of_a_tile_per_step():
    state, heights = game(), []
    for action in (UP, *[NONE] * 9):
        state, _ = play(state, action)
        heights.append(float(state.player.y) - GROUND_Y)
    rises = np.array([1.5, 1.3, 1.1, 0.9, 0.7, 0.5, 0.3, 0.1, -0.1, -0.3])
    np.testing.assert_allclose(heights, np.cumsum(rises), atol=FLOAT32)


def test_up_does_nothing_without_support():
    in_the_air, _ = play(game(y=5, vy=0.3), UP)
    np.testing.assert_allclose(in_the_air.player.vy, 0.1, atol=FLOAT32)
    assert not in_the_air.player.has_support


def test_speed_approaches_half_a_tile_per_step_on_the_ground_and_slower_in_the_air():
    on_ground, _ = play(game(), RIGHT, RIGHT)
    np.testing.assert_allclose(on_ground.player.vx, 0.1 + 0.8 * 0.1, atol=FLOAT32)
    in_the_air, _ = play(game(y=9, vx=0.4), RIGHT)
    np.testing.assert_allclose(in_the_air.player.vx, 0.97 * 0.4 + 0.03 * 0.5, atol=FLOAT32)


def test_a_speed_below_one_step_of_acceleration_becomes_nothing():
    stopped, _ = play(game(vx=0.12), NONE)
    assert stopped.player.vx == 0
    still_moving, _ = play(game(vx=0.13), NONE)
    assert still_moving.player.vx > 0.1


def test_the_agent_looks_where_it_last_went():
    left, _ = play(game(), LEFT)
    waiting, _ = play(left, NONE)
    right, _ = play(waiting, RIGHT)
    assert [bool(state.player.faces_left) for state in (left, waiting, right)] == [1, 1, 0]
    assert [int(state.player.action_vx) for state in (left, waiting, right)] == [-1, 0, 1]


def test_a_wall_stops_the_agent_at_its_face():
    state, _ = play(game(x=10.3, vx=0.5, cells=[(11, 1, WALL_MID)]), RIGHT)
    assert state.player.x == 10.5
    # A quarter of the way is free: 10.3 + 0.125 ends within the 0.01 that corners leave out.
    np.testing.assert_allclose(state.player.vx, 0.5 / 4, atol=FLOAT32)


def test_landing_scales_the_fall_by_the_free_part_of_the_way():
    state, _ = play(game(y=GROUND_Y + 0.5, vy=-0.6), NONE)
    # At 0.8 tiles a step in quarters: two reach to 0.1 above the ground, the other two do not.
    np.testing.assert_allclose(state.player.vy, -0.8 / 2, atol=FLOAT32)
    np.testing.assert_allclose(state.player.y, GROUND_Y, atol=FLOAT32)
    resting, _ = play(state, NONE, NONE)
    assert resting.player.vy == 0


@pytest.mark.parametrize(("action", "falls_through"), [(NONE, False), (DOWN, True)])
def test_a_crate_carries_the_agent_unless_it_holds_down(action, falls_through):
    on_top = GROUND_Y + 1
    state, _ = play(game(y=on_top + 0.1, sprites=[(10, 1, CRATE_BIT)]), NONE)
    np.testing.assert_allclose(state.player.y, on_top, atol=FLOAT32)
    assert state.player.is_on_crate
    state, _ = play(state, action)
    assert state.player.has_support
    assert bool(state.player.is_on_crate) != falls_through
    expected = on_top - 0.4 if falls_through else on_top
    np.testing.assert_allclose(state.player.y, expected, atol=FLOAT32)


def test_the_agent_walks_and_jumps_through_crates():
    crates = [(11, 1, CRATE_BIT), (10, 3, CRATE_BIT)]
    walking, _ = play(game(x=10.3, vx=0.5, sprites=crates), RIGHT)
    np.testing.assert_allclose(walking.player.x, 10.8, atol=FLOAT32)
    jumping, _ = play(game(sprites=crates), UP)
    np.testing.assert_allclose(jumping.player.y, GROUND_Y + 1.5, atol=FLOAT32)


@pytest.mark.parametrize(("lower_is_late", "y"), [(True, 6.5787), (False, 3.4213)])
def test_of_two_piles_the_one_made_last_pushes_first(lower_is_late, y):
    """As the agent falls at 1.5 tiles a step, its side gets into both crates at once.

    It is then at 5.4, above the centre of the lower crate and below that of the upper. Pushed
    by the lower first it gets above the centre of the upper; else both push it down.
    """
    lower, upper = (LATE_CRATE_BIT, CRATE_BIT) if lower_is_late else (CRATE_BIT, LATE_CRATE_BIT)
    crates = [(10, 4, lower), (10, 5, upper)]
    state, _ = play(game(x=9.15, vx=0.48 / 0.97, y=6.9, vy=-1.3, sprites=crates), NONE)
    np.testing.assert_allclose(state.player.y, y, atol=FLOAT32)
    assert state.player.vy == 0


def test_an_enemy_in_a_crate_supports_the_falling_agent():
    """Procgen's oversight: the crate that an enemy walks through counts as the agent's."""
    scene = {"y": 9.0, "vy": -0.5, "sprites": [(30, 1, CRATE_BIT)]}
    state, _ = play(game(enemies=[(30.5, 1.5, 0.15)], **scene), NONE)
    assert state.player.is_on_crate
    elsewhere, _ = play(game(enemies=[(20.5, 1.5, 0.15)], **scene), NONE)
    assert not elsewhere.player.is_on_crate
    rising, _ = play(game(enemies=[(30.5, 1.5, 0.15)], **{**scene, "vy": 0.5}), NONE)
    assert not rising.player.is_on_crate


@pytest.mark.parametrize(
    ("obstacle", "speed"), [(WALL_MID, 0.75 * 0.15), (WALL_TOP, 0.15), (ENEMY_BARRIER, 0.15)]
)
def test_an_enemy_turns_at_an_obstacle_and_is_slowed_by_one_kind(obstacle, speed):
    before = game(x=5.5, cells=[(31, 1, obstacle)], enemies=[(30.45, 1.5, 0.15)])
    state, _ = play(before, NONE)
    np.testing.assert_allclose(state.enemies.vx[0], -speed, atol=FLOAT32)
    # 30.45 and two quarters of 0.15 are 30.525: mirrored at 30.5, then two quarters back.
    np.testing.assert_allclose(state.enemies.x[0], 30.475 - 0.075, atol=FLOAT32)


def test_an_enemy_between_a_wall_and_a_crate_stops():
    """Procgen's oversight: the agent's fall makes the crate block it too."""
    before = game(
        x=5.5,
        y=9,
        vy=-0.5,
        cells=[(31, 1, WALL_MID)],
        sprites=[(30, 1, CRATE_BIT)],
        enemies=[(30.49, 1.5, 0.15)],
    )
    state, _ = play(before, NONE)
    assert state.enemies.vx[0] == 0
    np.testing.assert_allclose(state.enemies.x[0], 31 - (30.49 + 0.0375 - 30), atol=FLOAT32)


def test_trails_rise_and_go_after_nine_steps():
    state, _ = play(game(x=5.5, enemies=[(30.5, 1.5, 0.15)]), NONE)
    enemy_x = float(state.enemies.x[0])
    assert state.trails.exists.sum() == 1
    state, _ = play(state, *[NONE] * 8)
    assert np.asarray(state.trails.exists[:, 0]).all()
    assert not np.asarray(state.trails.exists[:, 1:]).any()
    oldest_x, oldest_y = state.trails.x[-1, 0], state.trails.y[-1, 0]
    np.testing.assert_allclose([oldest_x, oldest_y], [enemy_x, 1.25 + 8 * 0.01], atol=FLOAT32)
    state, _ = play(state, NONE)
    assert state.trails.x[-1, 0] > oldest_x


@pytest.mark.parametrize(
    ("scene", "cause"),
    [
        ({}, FailureCause.NONE),
        ({"x": 10.55, "sprites": [(11, 1, SAW_BIT)]}, FailureCause.SAW),
        ({"sprites": [(11, 1, SAW_BIT)]}, FailureCause.NONE),
        ({"enemies": [(11.5, 1.5, -0.15)]}, FailureCause.ENEMY_LEFT),
        ({"enemies": [(9.5, 1.5, 0.15)]}, FailureCause.ENEMY_RIGHT),
        ({"enemies": [(10.0, 1.5, 0.0)]}, FailureCause.ENEMY_LEFT),
        ({"enemies": [(11.4, 1.5, -0.15), (9.6, 1.5, 0.15)]}, FailureCause.ENEMY_RIGHT),
        ({"enemies": [(9.6, 1.5, 0.15), (11.4, 1.5, -0.15)]}, FailureCause.ENEMY_LEFT),
        ({"cells": [(10, 1, LAVA_TOP)]}, FailureCause.LAVA),
        ({"cells": [(11, 1, LAVA_TOP)]}, FailureCause.NONE),
        ({"y": 66.0}, FailureCause.OUT_OF_BOUNDS),
        ({"time": TIME_LIMIT - 1}, FailureCause.TIMEOUT),
        ({"time": TIME_LIMIT - 2}, FailureCause.NONE),
        (
            {"cells": [(10, 1, LAVA_TOP)], "sprites": [(10, 1, SAW_BIT)], "time": TIME_LIMIT},
            FailureCause.SAW,
        ),
        (
            {"enemies": [(10.5, 1.5, 0.15)], "sprites": [(10, 1, SAW_BIT)]},
            FailureCause.ENEMY_RIGHT,
        ),
        ({"cells": [(10, 1, LAVA_TOP)], "time": TIME_LIMIT}, FailureCause.LAVA),
    ],
)
def test_cause_of_failure(scene, cause):
    _, outcome = play(game(**scene), NONE)
    assert FailureCause(int(outcome.cause)) is cause
    assert bool(outcome.done) == (cause is not FailureCause.NONE)
    assert not outcome.level_complete
    assert outcome.reward == 0


@pytest.mark.parametrize("saws", [[], [(10, 1, SAW_BIT)]])
def test_the_coin_completes_the_level_even_at_death(saws):
    _, outcome = play(game(cells=[(10, 1, COIN)], sprites=saws, time=TIME_LIMIT), NONE)
    assert outcome.level_complete
    assert outcome.done
    assert outcome.reward == 10
    assert outcome.cause == FailureCause.NONE


def test_a_forced_reset_presses_nothing_and_ends_the_episode():
    before = game(vx=0.4, sprites=[(20, 1, CRATE_BIT)])
    forced, outcome = play(before, FORCE_RESET)
    idle, _ = play(before, NONE)
    jax.tree.map(np.testing.assert_array_equal, forced, idle)
    assert outcome.done
    assert outcome.cause == FailureCause.NONE


@pytest.mark.parametrize("action", range(9, 15))
def test_the_keys_of_other_games_press_nothing(action):
    before = game(vx=0.4)
    jax.tree.map(np.testing.assert_array_equal, play(before, action), play(before, NONE))


def test_a_tie_between_the_axes_is_broken_by_the_generator():
    """The agent leaves a ledge in the second of four parts of the step: at (0.2, -0.2)."""
    ledge = [(10, 1, WALL_TOP)]
    before = game(x=11.4, vx=0.25, y=GROUND_Y + 1, cells=ledge)
    fallen = set()
    for seed in range(8):
        rng = mersenne_twister.seeded(jnp.uint32(seed))
        is_x_first = int(mersenne_twister.draw(rng)[0]) % 2 == 0
        state, _ = play(before._replace(step_rng=rng), NONE)
        assert abs(state.player.vx) == np.float32(0.2)
        fallen.add((is_x_first, round(GROUND_Y + 1 - float(state.player.y), 5)))
    # The second part falls too if x goes first.
    assert fallen == {(True, 0.15), (False, 0.1)}


def test_feet_find_the_same_cells_in_float32_as_in_double():
    """At every position that could tell: the 200 floats around each border of a cell."""
    near = np.arange(-100, 101, dtype=np.int32)
    floor = jax.jit(lambda x, offset: collision.cell_of(x + offset))
    radius_y = float(np.float32(PLAYER_RADIUS_Y))
    for offset, rounded_once in (
        (-player_motion._LEFT_FOOT, -(0.5 - 0.01)),
        (player_motion._RIGHT_FOOT, 0.5 - 0.01),
        (-player_motion._UNDER_FEET, -(radius_y + 0.01)),
    ):
        borders = np.float32(np.arange(64) - rounded_once)
        borders = borders[borders > 0]
        floats = (borders.view(np.int32)[:, None] + near[None]).view(np.float32)
        expected = np.floor((floats.astype(np.float64) + rounded_once).astype(np.float32))
        np.testing.assert_array_equal(floor(floats, offset), expected)
        assert (expected == 5).any()
