"""Edits as requests make them: those of `counterfactuals`, and what is refused."""

import pathlib
import re

import numpy as np
import pytest

from rlvision_jax.envs.coinrun import counterfactuals
from rlvision_jax.envs.coinrun.constants import (
    LAVA_MID,
    LAVA_TOP,
    PLAYER_RADIUS_Y,
    SPACE,
    WALL_MID,
    WALL_TOP,
)
from rlvision_jax.live import RequestError
from rlvision_jax.live.edits import parse_edit

# A free place above the ground near where each level begins, and others.
COLUMN, ROW = 4, 3
CELL, OTHER, SKY = [ROW, COLUMN], [ROW, COLUMN + 1], [ROW + 2, COLUMN]
BY_COLUMN, OTHER_BY_COLUMN = (COLUMN, ROW), (COLUMN + 1, ROW)
SAW = {"edit": "add_saw", "cell": CELL}
CRATE = {"edit": "add_crate", "cell": CELL, "theme": 2}
ENEMY = {"edit": "add_enemy", "x": 4.25, "row": ROW, "vx": -0.15, "theme": 3}
ACT = {"action": 7}


def add_enemy(game):
    return counterfactuals.add_enemy(game, 4.25, ROW, vx=-0.15, theme=3)


def slot_of(moment):
    return int(np.flatnonzero(moment.state.enemies.exists)[-1])


@pytest.mark.parametrize(
    ("event", "change"),
    [
        (SAW, lambda game: counterfactuals.add_saw(game, BY_COLUMN)),
        (CRATE, lambda game: counterfactuals.add_crate(game, BY_COLUMN, 2)),
        (ENEMY, add_enemy),
        (
            {"edit": "move_coin", "cell": CELL},
            lambda game: counterfactuals.move_coin(game, BY_COLUMN),
        ),
        (
            {"edit": "move_agent", "x": 3.5, "y": 4.25},
            lambda game: counterfactuals.move_agent(game, 3.5, 4.25),
        ),
        (
            {"edit": "set_velocity", "x": -0.25, "y": 1.5},
            lambda game: counterfactuals.set_velocity(game, -0.25, 1.5),
        ),
        (
            {"edit": "set_background", "background": 7},
            lambda game: counterfactuals.set_background(game, 7),
        ),
        (
            {"edit": "set_ground_theme", "theme": 5},
            lambda game: counterfactuals.set_ground_theme(game, 5),
        ),
        (
            {"edit": "set_player_theme", "theme": 1},
            lambda game: counterfactuals.set_player_theme(game, 1),
        ),
        (
            {"edit": "set_visible", "kind": "agent", "visible": False},
            lambda game: counterfactuals.set_visible(game, "agent", False),
        ),
    ],
    ids=lambda value: value["edit"] if isinstance(value, dict) else "",
)
def test_an_edit_is_its_counterfactual_and_is_seen(after, games, rules, event, change):
    edited, expected = after(event), change(games.state(0, 0))
    picture = rules.draw(expected)
    np.testing.assert_array_equal(edited.frame, picture.frame)
    np.testing.assert_array_equal(edited.picture.masks, picture.masks)
    assert (edited.frame != after().frame).any()


@pytest.mark.parametrize(
    ("added", "moved", "removed"),
    [
        (SAW, {"edit": "move_saw", "source": CELL, "target": OTHER}, {"edit": "remove_saw"}),
        (
            CRATE,
            {"edit": "move_crates", "source": CELL, "target": OTHER},
            {"edit": "remove_crates"},
        ),
    ],
    ids=["saw", "crate"],
)
def test_moved_is_added_elsewhere_and_removed_is_not_added(after, added, moved, removed):
    there = after(added, moved)
    np.testing.assert_array_equal(there.frame, after({**added, "cell": OTHER}).frame)
    assert (there.frame != after(added).frame).any()
    gone = after(added, moved, {**removed, "cell": OTHER})
    np.testing.assert_array_equal(gone.frame, after().frame)


def test_an_enemy_moves_and_goes(after):
    slot = slot_of(after(ENEMY))
    moved = after(ENEMY, {"edit": "move_enemy", "slot": slot, "x": 5.5, "row": ROW + 1})
    np.testing.assert_array_equal(moved.frame, after({**ENEMY, "x": 5.5, "row": ROW + 1}).frame)
    gone = after(ENEMY, {"edit": "remove_enemy", "slot": slot})
    np.testing.assert_array_equal(gone.frame, after().frame)


@pytest.mark.parametrize(("added", "kind"), [(SAW, "saw"), (CRATE, "crate"), (ENEMY, "enemy")])
def test_removing_a_kind_removes_what_was_added(after, added, kind):
    bare = {"edit": "remove", "kind": kind}
    np.testing.assert_array_equal(after(added, bare).frame, after(bare).frame)
    assert (after(added, bare).frame != after(added).frame).any()


def test_cells_show_their_surfaces(after):
    def column(moment):
        return np.asarray(moment.state.grid)[: ROW + 2, COLUMN]

    ground = int(np.flatnonzero(column(after()) == WALL_TOP)[-1])
    above = {"cell": [ground + 1, COLUMN], "content": "wall"}
    walled = column(after({"edit": "set_cell", **above}))
    assert walled[ground : ground + 2].tolist() == [WALL_MID, WALL_TOP]
    lava = after({"edit": "set_cell", "cell": [ground, COLUMN], "content": "lava"})
    assert column(lava)[ground] == LAVA_TOP
    two = {"edit": "set_cell", "cell": [ground + 1, COLUMN], "content": "lava"}
    both = column(after({"edit": "set_cell", "cell": [ground, COLUMN], "content": "lava"}, two))
    assert both[ground : ground + 2].tolist() == [LAVA_MID, LAVA_TOP]
    emptied = {"edit": "set_cell", "cell": [ground + 1, COLUMN], "content": "empty"}
    again = after({"edit": "set_cell", **above}, emptied)
    np.testing.assert_array_equal(column(again), column(after()))
    assert column(again)[ground + 1] == SPACE


def test_paint_stays_on_later_frames(after):
    paint = {"edit": "blank", "pixels": [[0, 63], [40, 12]], "color": [9, 8, 7]}
    over = {"edit": "blank", "pixels": [[40, 12]], "color": [1, 2, 3]}
    painted, bare = after(paint, ACT, over, ACT), after(ACT, ACT)
    expected = bare.frame.copy()
    expected[0, 63], expected[40, 12] = (9, 8, 7), (1, 2, 3)
    np.testing.assert_array_equal(painted.frame, expected)
    # Paint is on the picture, not in the game.
    np.testing.assert_array_equal(painted.picture.frame, bare.frame)


def test_the_removed_hazard_does_not_end_the_game(after, games, report):
    """Where an added saw kills at once, and none is there, the agent lives."""
    player = games.state(0, 0).player
    saw = {"edit": "add_saw", "cell": [int(player.y), int(player.x)]}
    assert after(saw, ACT).end == "saw"
    assert after(saw, {"edit": "remove", "kind": "saw"}, ACT).end is None


@pytest.mark.parametrize(
    ("events", "message"),
    [
        ([{"edit": "add_bomb"}], r'event 1: unknown edit "add_bomb"; expected one of "remove", '),
        ([{"edit": ["add_saw"]}], "unknown edit"),
        ([SAW, {"edit": "add_saw"}], r'event 2: edit "add_saw" lacks "cell"'),
        ([{**SAW, "size": 2}], r'edit "add_saw" has no "size"; expected "cell"'),
        ([{**SAW, "cell": [64, 0]}], r"row of cell of edit .* from 0 to 63; got 64"),
        ([{**SAW, "cell": [0, -1]}], "column of cell .* got -1"),
        ([{**SAW, "cell": [0.5, 1]}], r"row of cell .* must be a whole number"),
        ([{**SAW, "cell": 3}], r"must be \[row, column\]; got 3"),
        ([{"edit": "remove_saw", "cell": CELL}], r"cell \[3, 4\] holds no saw"),
        ([{"edit": "move_crates", "source": CELL, "target": OTHER}], "holds no crate"),
        ([{"edit": "remove_enemy", "slot": 34}], "slot 34 holds no enemy; those that do"),
        ([{"edit": "set_velocity", "x": 0.6, "y": 0}], "x of edit .* from -0.5 to 0.5; got 0.6"),
        ([{"edit": "set_velocity", "x": True, "y": 0}], "got True"),
        ([{"edit": "set_background", "background": 62}], "from 0 to 61; got 62"),
        ([{"edit": "set_cell", "cell": CELL, "content": "coin"}], 'one of "empty", "wall", "lava"'),
        ([{"edit": "set_visible", "kind": "saw", "visible": 1}], "must be true or false; got 1"),
        ([{"edit": "remove", "kind": "agent"}], 'kind of edit "remove" must be one of'),
        ([{**ENEMY, "x": 0.9}], "an enemy cannot stand in a wall, as it would at x 0.9 in row 3"),
        (
            [ENEMY, {"edit": "set_cell", "cell": CELL, "content": "wall"}],
            "a wall cannot be put on an enemy",
        ),
        ([{"edit": "blank", "pixels": [[64, 0]], "color": [0, 0, 0]}], r"got \[64, 0\]"),
        ([{"edit": "blank", "pixels": [], "color": [0, 0, 0]}], "Name the pixels to paint"),
        ([{"edit": "blank", "pixels": [[1, 1]], "color": [0, 0, 256]}], "from 0 to 255; got 256"),
        ([{"action": 15}], "action of the event must be .* 0 to 14; got 15"),
        ([{"jump": 1}], r'expected {"action": number} or'),
    ],
)
def test_impossible_events_are_refused(after, events, message):
    with pytest.raises(RequestError, match=message):
        after(*events)


def test_a_36th_enemy_is_refused(after):
    there = int(np.asarray(after().state.enemies.exists).sum())
    full = [{**ENEMY, "x": 3.0 + i / 64} for i in range(35 - there)]
    assert np.asarray(after(*full).state.enemies.exists).all()
    with pytest.raises(RequestError, match="at most 35 enemies"):
        after(*full, ENEMY)


def test_every_edit_is_documented():
    page = pathlib.Path(__file__).parents[2].joinpath("docs", "live.md").read_text()
    with pytest.raises(RequestError) as refusal:
        parse_edit("no such edit", {})
    _, _, names = str(refusal.value).partition("expected one of ")
    assert names.count(",") == 18
    for name in re.findall('"(.*?)"', names):
        assert f"`{name}`" in page, name


def test_the_agent_stands_where_it_is_put(after):
    ground = int(np.flatnonzero(np.asarray(after().state.grid)[:, COLUMN] == WALL_TOP)[-1])
    y = ground + 1 + PLAYER_RADIUS_Y
    stood = after({"edit": "move_agent", "x": COLUMN + 0.5, "y": y}, {"action": 4})
    assert float(stood.state.player.y) == pytest.approx(y, abs=1e-6)  # float32 of a sum
