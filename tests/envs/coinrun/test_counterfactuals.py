"""Changed games are those that the same change of Procgen's own record makes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import counterfactuals, host_state
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import (
    COIN,
    CRATE,
    ENEMY,
    LAVA_MID,
    LAVA_TOP,
    SAW,
    SPACE,
    TRAIL,
    WALL_TOP,
)
from rlvision_jax.envs.coinrun.counterfactuals import edit
from rlvision_jax.envs.coinrun.rendering import render
from rlvision_jax.envs.procgen import ACTION_NAMES, decode_state, encode_state

RIGHT = ACTION_NAMES.index("right")
# Cells of an object to be visible around the agent's cell (13 are, in all).
NEAR = 5
TYPES = {"saw": SAW, "enemy": ENEMY, "crate": CRATE, "trail": TRAIL}


@pytest.fixture(scope="module")
def games():
    """Games after some steps, as Procgen saves them, among them every kind of object near by."""
    from rlvision_jax import envs

    env = envs.make("procgen:coinrun", num_envs=256, seed=8, num_threads=1)
    actions = np.random.default_rng(3).choice([1, 4, 7, 8], (25, 256), p=[0.05, 0.05, 0.5, 0.4])
    for row in actions:
        env.step(row)
    states = [decode_state(state) for state in env.get_state()]
    env.close()
    return [state for state in states if state.cur_time]


def on_device(state):
    return jax.device_put(host_state.from_procgen(state))


def near(state, cells):
    agent = state.entities[0]
    return [
        (x, y)
        for x, y in cells
        if abs(x - int(agent["x"])) <= NEAR and abs(y - int(agent["y"])) <= NEAR
    ]


def cells_of(state, kind):
    """Cells (column, row) near the agent that hold an object of a kind."""
    if kind in TYPES:
        of_kind = state.entities[state.entities["type"] == TYPES[kind]]
        cells = np.stack([of_kind["x"], of_kind["y"]], axis=-1).astype(int)
    else:
        contents = [COIN] if kind == "coin" else [LAVA_MID, LAVA_TOP]
        cells = np.argwhere(np.isin(state.grid.T, contents))
    return near(state, map(tuple, cells.tolist()))


def game_with(games, kind):
    return next(state for state in games if cells_of(state, kind) and free_cells(state))


def free_cells(state):
    """Cells near the agent with nothing in them, on the ground, and not the agent's own."""
    agent = state.entities[0]
    taken = {(int(x), int(y)) for x, y in state.entities[["x", "y"]].tolist()}
    grounded = (state.grid[1:] == SPACE) & (state.grid[:-1] == WALL_TOP)
    cells = near(state, [(x, y + 1) for x, y in np.argwhere(grounded.T).tolist()])
    return [cell for cell in cells if cell not in taken and abs(cell[0] + 0.5 - agent["x"]) > 2]


def free_cell(state):
    return free_cells(state)[0]


# The same changes, made by hand in Procgen's record.
def without(state, *kinds):
    return state._replace(entities=state.entities[~np.isin(state.entities["type"], kinds)])


def with_fields(state, chosen, **fields):
    entities = state.entities.copy()
    for name, value in fields.items():
        entities[name][chosen] = value
    return state._replace(entities=entities)


def with_new(state, games, kind, **fields):
    """Adds an entity, modelled on one of another game at the same time."""
    model = next(
        record
        for game in games
        if game.cur_time == state.cur_time
        for record in game.entities
        if record["type"] == TYPES[kind]
    ).copy()
    for name, value in fields.items():
        model[name] = value
    is_trail = state.entities["type"] == TRAIL
    parts = state.entities[~is_trail], model[None], state.entities[is_trail]
    return state._replace(entities=np.concatenate(parts))


def with_cells(state, chosen, content):
    grid = state.grid.copy()
    grid[chosen] = content
    return state._replace(grid=grid)


def index_at(state, kind, cell):
    """Which entity of a kind lies in a cell."""
    x, y = state.entities["x"].astype(int), state.entities["y"].astype(int)
    return (state.entities["type"] == TYPES[kind]) & (x == cell[0]) & (y == cell[1])


@pytest.fixture(scope="module")
def draw(load):
    """Draws a device state; monochrome or not."""
    jitted = jax.jit(render, static_argnums=1)

    def draw_game(game, monochrome=False):
        config = CoinRunConfig(use_monochrome_assets=monochrome)
        return jitted(load(config), config, game)

    return draw_game


@pytest.fixture
def check_same_game(make_env, draw):
    """Checks that a change is the one made by hand, in both worlds, and that it is seen."""

    def check(state, change, by_hand, *, is_seen=True):
        env = make_env(distribution_mode="hard", num_envs=3)
        env.set_state([encode_state(game) for game in (edit(state, change), by_hand, state)])
        frames = env.observe().observation
        np.testing.assert_array_equal(frames[0], frames[1])
        np.testing.assert_array_equal(draw(change(on_device(state))), frames[1])
        assert (frames[1] != frames[2]).any() == is_seen
        for action in np.random.default_rng(0).choice([4, 7, 8], 40):
            step = env.step([action] * 3)
            for value in (step.observation, step.reward, step.first, step.level_seed):
                np.testing.assert_array_equal(value[0], value[1])

    return check


@pytest.mark.parametrize("kind", ["saw", "enemy", "crate", "trail"])
def test_removing_a_kind_of_entity(check_same_game, games, kind):
    state = game_with(games, kind)

    def change(game):
        return counterfactuals.remove(game, kind)

    check_same_game(state, change, without(state, TYPES[kind]))


@pytest.mark.parametrize(("kind", "contents"), [("lava", [LAVA_MID, LAVA_TOP]), ("coin", [COIN])])
def test_removing_a_kind_of_cell(check_same_game, games, kind, contents):
    state = game_with(games, kind)

    def change(game):
        return counterfactuals.remove(game, kind)

    by_hand = with_cells(state, np.isin(state.grid, contents), SPACE)
    check_same_game(state, change, by_hand)


def test_removing_one_saw(check_same_game, games):
    state = game_with(games, "saw")
    cell = cells_of(state, "saw")[0]

    def change(game):
        return counterfactuals.remove_saw(game, cell)

    by_hand = state._replace(entities=state.entities[~index_at(state, "saw", cell)])
    check_same_game(state, change, by_hand)


def test_removing_the_crates_of_a_cell(check_same_game, games):
    state = game_with(games, "crate")
    cell = cells_of(state, "crate")[0]

    def change(game):
        return counterfactuals.remove_crates(game, cell)

    by_hand = state._replace(entities=state.entities[~index_at(state, "crate", cell)])
    check_same_game(state, change, by_hand)


def test_removing_one_enemy(check_same_game, games):
    state = game_with(games, "enemy")
    slot = 0

    def change(game):
        return counterfactuals.remove_enemy(game, slot)

    first = np.argmax(state.entities["type"] == ENEMY)
    by_hand = state._replace(entities=np.delete(state.entities, first))
    is_seen = (int(state.entities["x"][first]), int(state.entities["y"][first])) in cells_of(
        state, "enemy"
    )
    check_same_game(state, change, by_hand, is_seen=is_seen)


def test_adding_a_saw(check_same_game, games):
    state = game_with(games, "crate")
    column, row = free_cell(state)

    def change(game):
        return counterfactuals.add_saw(game, (column, row))

    by_hand = with_new(state, games, "saw", x=column + 0.5, y=row + 0.5)
    check_same_game(state, change, by_hand)


def test_adding_crates_on_top_of_each_other(check_same_game, games):
    state = game_with(games, "enemy")
    column, row = free_cell(state)

    def change(game):
        game = counterfactuals.add_crate(game, (column, row), theme=1)
        return counterfactuals.add_crate(game, (column, row), theme=3)

    place = {"x": column + 0.5, "y": row + 0.5}
    by_hand = with_new(state, games, "crate", image_theme=1, **place)
    by_hand = with_new(by_hand, games, "crate", image_theme=3, **place)
    check_same_game(state, change, by_hand)


def test_a_third_crate_takes_the_place_of_the_second(games):
    state = game_with(games, "crate")
    cell = free_cell(state)

    def change(game):
        for theme in (1, 2, 3):
            game = counterfactuals.add_crate(game, cell, theme)
        return game

    edited = edit(state, change)
    assert edited.entities["image_theme"][index_at(edited, "crate", cell)].tolist() == [1, 3]


@pytest.mark.parametrize("vx", [-0.15, 0.15])
def test_adding_an_enemy(check_same_game, games, vx):
    state = game_with(games, "enemy")
    column, row = free_cell(state)
    x = np.float32(column + 0.625)
    change = functools.partial(counterfactuals.add_enemy, x=x, row=row, vx=vx, theme=5)
    fields = {"x": x, "y": row + 0.5, "vx": vx, "image_theme": 5, "is_reflected": vx > 0}
    check_same_game(state, change, with_new(state, games, "enemy", **fields))


def test_adding_a_wall_lava_and_a_coin(check_same_game, games):
    state = game_with(games, "saw")
    column, row = free_cell(state)
    for content in (WALL_TOP, LAVA_TOP, COIN):
        change = functools.partial(counterfactuals.set_cell, cell=(column, row), content=content)
        check_same_game(state, change, with_cells(state, (row, column), content))


def test_moving_the_coin(check_same_game, games):
    state = game_with(games, "coin")
    column, row = free_cell(state)

    def change(game):
        return counterfactuals.move_coin(game, (column, row))

    by_hand = with_cells(with_cells(state, state.grid == COIN, SPACE), (row, column), COIN)
    check_same_game(state, change, by_hand)


@pytest.mark.parametrize("kind", ["saw", "crate"])
def test_moving_what_stands_still(check_same_game, games, kind):
    state = game_with(games, kind)
    source, (column, row) = cells_of(state, kind)[0], free_cell(state)
    move = {"saw": counterfactuals.move_saw, "crate": counterfactuals.move_crates}[kind]

    def change(game):
        return move(game, source, (column, row))

    place = {"x": column + 0.5, "y": row + 0.5}
    by_hand = with_fields(state, index_at(state, kind, source), **place)
    check_same_game(state, change, by_hand)


@pytest.mark.parametrize("kind", ["saw", "crate"])
def test_moving_nothing_changes_nothing(games, kind):
    state = game_with(games, kind)
    move = {"saw": counterfactuals.move_saw, "crate": counterfactuals.move_crates}[kind]
    game = on_device(state)
    moved = move(game, free_cell(state), cells_of(state, kind)[0])
    np.testing.assert_array_equal(moved.sprites, game.sprites)


def test_moving_an_enemy(check_same_game, games):
    state = game_with(games, "enemy")
    column, row = free_cell(state)

    def change(game):
        return counterfactuals.move_enemy(game, 0, column + 0.5, row)

    first = np.argmax(state.entities["type"] == ENEMY)
    by_hand = with_fields(state, first, x=column + 0.5, y=row + 0.5)
    check_same_game(state, change, by_hand)


def test_moving_the_agent(make_env, check_same_game, games):
    """Onto a pile of crates, which it would fall through if its last height were forgotten."""
    state = game_with(games, "crate")
    column, row = max(cells_of(state, "crate"), key=lambda cell: cell[1])
    x, y = np.float32(column + 0.5), np.float32(row + 2.7)
    state = with_fields(state, 0, vx=0, vy=0)

    def change(game):
        return counterfactuals.move_agent(game, x, y)

    by_hand = with_fields(state, 0, x=x, y=y)
    by_hand = by_hand._replace(last_agent_y=float(y), is_on_crate=0)
    check_same_game(state, change, by_hand)
    env = make_env(distribution_mode="hard")
    env.set_state([encode_state(edit(state, change))] * 2)
    for _ in range(20):
        env.step([ACTION_NAMES.index("none")] * 2)
    # On the crate: one tile above its bottom, plus its own half height.
    assert decode_state(env.get_state()[0]).entities["y"][0] == pytest.approx(row + 1 + 0.5787)


@pytest.mark.parametrize("velocity", [(-0.5, 1.5), (0.3125, 0.0)])
def test_another_velocity(check_same_game, games, velocity):
    state = game_with(games, "crate")
    vx, vy = velocity

    def change(game):
        return counterfactuals.set_velocity(game, vx, vy)

    # Velocity is painted nowhere in these frames: the steps that follow show it.
    by_hand = with_fields(state, 0, vx=vx, vy=vy)
    check_same_game(state, change, by_hand, is_seen=False)
    moved = edit(state, change).entities[0]
    assert (moved["vx"], moved["vy"]) == velocity


def test_a_velocity_beyond_what_the_agent_reaches_is_refused(games):
    game = on_device(games[0])
    with pytest.raises(ValueError, match=r"velocity y .* from -1.5 to 1.5 tiles per step; got 2"):
        counterfactuals.set_velocity(game, 0.0, 2.0)
    traced = jax.jit(counterfactuals.set_velocity)(game, 9.0, -9.0)
    assert (float(traced.player.vx), float(traced.player.vy)) == (0.5, -1.5)


def test_other_themes_and_backgrounds(check_same_game, games):
    state = game_with(games, "crate")
    theme = (state.entities["image_theme"][0] + 1) % 5

    def change(game):
        return counterfactuals.set_player_theme(game, theme)

    check_same_game(state, change, with_fields(state, 0, image_theme=theme))

    theme = (state.wall_theme + 1) % 6

    def change(game):
        return counterfactuals.set_ground_theme(game, theme)

    check_same_game(state, change, state._replace(wall_theme=theme))

    # A picture wider than high, and another.
    state = state._replace(background_index=0, bg_pct_x=0.75)
    background, shift = 1, 0.25
    change = functools.partial(counterfactuals.set_background, background=background)
    by_hand = state._replace(background_index=background)
    check_same_game(state, change, by_hand)
    change = functools.partial(change, shift=shift)
    by_hand = by_hand._replace(bg_pct_x=shift)
    check_same_game(state, change, by_hand)


@pytest.mark.parametrize("kind", ["saw", "enemy", "crate", "trail"])
@pytest.mark.parametrize("monochrome", [False, True])
def test_what_is_invisible_is_drawn_as_if_removed(make_env, draw, games, kind, monochrome):
    state = game_with(games, kind)._replace(use_monochrome_assets=int(monochrome))
    hidden = edit(state, lambda game: counterfactuals.set_visible(game, kind, False))
    shown = edit(hidden, lambda game: counterfactuals.set_visible(game, kind, True))
    env = make_env(num_envs=4)
    env.set_state(
        [encode_state(game) for game in (hidden, without(state, TYPES[kind]), shown, state)]
    )
    frames = env.observe().observation
    np.testing.assert_array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[2], frames[3])
    assert (frames[0] != frames[2]).any()
    on_the_device = counterfactuals.set_visible(on_device(state), kind, False)
    np.testing.assert_array_equal(draw(on_the_device, monochrome), frames[0])


def test_an_invisible_saw_kills(make_env, games):
    state = with_fields(game_with(games, "saw"), 0, vx=0, vy=0)
    column, row = free_cell(state)

    def above_a_saw(game):
        game = counterfactuals.remove(counterfactuals.remove(game, "enemy"), "saw")
        game = counterfactuals.add_saw(game, (column, row))
        game = counterfactuals.set_visible(game, "saw", False)
        return counterfactuals.move_agent(game, column + 0.5, row + 1.7)

    env = make_env()
    deadly = edit(state, above_a_saw)
    env.set_state([encode_state(deadly), encode_state(without(deadly, SAW))])
    ended = np.zeros(2, bool)
    for _ in range(5):
        ended |= env.step([ACTION_NAMES.index("none")] * 2).terminated
    assert ended.tolist() == [True, False]


def test_nothing_has_just_happened_in_a_changed_game(games):
    state = game_with(games, "saw")._replace(reward=10.0, done=1, level_complete=1)
    edited = edit(state, lambda game: counterfactuals.remove(game, "saw"))
    assert (edited.reward, edited.done, edited.level_complete) == (0.0, 0, 0)


def test_bookkeeping_and_options_outlive_a_change(games):
    state = game_with(games, "saw")._replace(center_agent=0, game_n=7, last_reward=2.0)
    edited = edit(state, lambda game: counterfactuals.remove(game, "saw"))
    for name in ("center_agent", "game_n", "last_reward", "rand_gen", "level_seed_rand_gen"):
        assert getattr(edited, name) == getattr(state, name)


CHANGES = [
    lambda game: counterfactuals.remove(game, "saw"),
    lambda game: counterfactuals.remove(game, "lava"),
    lambda game: counterfactuals.add_crate(game, (9, 3), 2),
    lambda game: counterfactuals.move_saw(game, (9, 3), (4, 5)),
    lambda game: counterfactuals.move_coin(game, (9, 3)),
    lambda game: counterfactuals.add_enemy(game, 8.25, 4, theme=3),
    lambda game: counterfactuals.move_agent(game, 7.5, 9.25),
    lambda game: counterfactuals.set_background(game, 60, 0.75),
    lambda game: counterfactuals.set_visible(game, "saw", False),
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_a_batch_are_those_of_each_game(games, change):
    states = [on_device(state) for state in games[:8]]
    batch = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    together = jax.jit(jax.vmap(change))(batch)
    for index, state in enumerate(states):
        alone = change(state)
        jax.tree.map(
            lambda one, all_of_them, index=index: np.testing.assert_array_equal(
                one, all_of_them[index]
            ),
            alone,
            together,
        )
        types = jax.tree.map(lambda leaf: np.asarray(leaf).dtype, (state, alone))
        assert types[0] == types[1]


@pytest.mark.parametrize("cell", [(-1, 3), (3, -1), (64, 3), (3, 64)])
def test_cells_outside_the_grid_are_refused_or_change_nothing(games, cell):
    state = on_device(games[0])
    changes = [
        counterfactuals.add_saw,
        counterfactuals.remove_saw,
        counterfactuals.add_crate,
        counterfactuals.remove_crates,
        counterfactuals.move_coin,
        lambda game, cell: counterfactuals.set_cell(game, cell, COIN),
    ]
    for change in changes:
        with pytest.raises(ValueError, match="of a cell must be from 0 to 63; got"):
            change(state, cell)
    traced = jax.jit(counterfactuals.add_saw)(state, jax.tree.map(jnp.int32, cell))
    np.testing.assert_array_equal(traced.sprites, state.sprites)


def test_numbers_out_of_range_are_refused(games):
    state = on_device(games[0])
    with pytest.raises(ValueError, match="slot of an enemy must be from 0 to 34; got 35"):
        counterfactuals.remove_enemy(state, 35)
    with pytest.raises(ValueError, match="theme of a crate must be from 0 to 3; got 4"):
        counterfactuals.add_crate(state, (3, 3), 4)
    with pytest.raises(ValueError, match="theme of an enemy must be from 0 to 8; got 9"):
        counterfactuals.add_enemy(state, 3.5, 3, theme=9)
    with pytest.raises(ValueError, match="theme of the agent must be from 0 to 4; got -1"):
        counterfactuals.set_player_theme(state, -1)
    with pytest.raises(ValueError, match="theme of the ground must be from 0 to 5; got 6"):
        counterfactuals.set_ground_theme(state, 6)
    with pytest.raises(ValueError, match="background must be from 0 to 61; got 62"):
        counterfactuals.set_background(state, 62)
    with pytest.raises(ValueError, match=r"content of a cell must be one of .* got 2"):
        counterfactuals.set_cell(state, (3, 3), 2)


def test_unknown_kinds_are_refused(as_in_production, games):
    state = on_device(games[0])
    with pytest.raises(ValueError, match=r'unknown kind of object to remove "wall"; .* "saw"'):
        counterfactuals.remove(state, "wall")
    with pytest.raises(ValueError, match='unknown kind of object to hide "lava"'):
        counterfactuals.set_visible(state, "lava", False)


def test_games_that_the_device_cannot_hold_are_refused_after_the_change(games):
    state = game_with(games, "enemy")
    with pytest.raises(ValueError, match="enemies must be outside of walls"):
        edit(state, lambda game: counterfactuals.add_enemy(game, 30.5, 0))
    with pytest.raises(ValueError, match="the agent must be in or near the world"):
        edit(state, lambda game: counterfactuals.move_agent(game, 80, 3))
    with pytest.raises(ValueError, match=r"vx of each enemy must be up to 0\.5"):
        edit(state, lambda game: counterfactuals.add_enemy(game, *free_cell(state), vx=0.7))
