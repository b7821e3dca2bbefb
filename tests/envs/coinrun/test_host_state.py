"""Games pass between Procgen and the device without a trace."""

import jax
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import host_state
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import CRATE, ENEMY, MAX_ENEMIES, PLAYER, SAW, TRAIL
from rlvision_jax.envs.procgen import ACTION_NAMES, decode_state, encode_state

NUM_ENVS = 16
RIGHT, RIGHT_UP = ACTION_NAMES.index("right"), ACTION_NAMES.index("right+up")
# Enough for several episodes: the agent mostly runs and jumps to the right.
ACTIONS = np.random.default_rng(0).choice(
    15, (360, NUM_ENVS), p=[0.02] * 7 + [0.3, 0.44] + [0.02] * 6
)


def there_and_back(state):
    """The bytes of a game after a stay on the device."""
    decoded = decode_state(state)
    game = jax.device_put(host_state.from_procgen(decoded))
    return encode_state(host_state.to_procgen(game, host_state.config_of(decoded)))


@pytest.mark.parametrize(
    "options",
    [
        {"distribution_mode": "hard"},
        {"distribution_mode": "easy"},
        {
            "distribution_mode": "hard",
            "num_levels": 3,
            "start_level": 40,
            "use_backgrounds": False,
            "restrict_themes": True,
            "paint_velocity": True,
        },
        {"use_monochrome_assets": True, "use_sequential_levels": True, "debug_mode": 10},
    ],
    ids=["hard", "easy", "plain", "monochrome"],
)
def test_procgen_plays_on_as_if_nothing_had_happened(make_env, options):
    ours, original = (make_env(num_envs=NUM_ENVS, seed=5, **options) for _ in range(2))
    for row in ACTIONS[:60]:
        original.step(row)
    ours.set_state([there_and_back(state) for state in original.get_state()])
    np.testing.assert_array_equal(ours.observe().observation, original.observe().observation)
    episodes = 0
    for row in ACTIONS[60:]:
        ours_now, original_now = ours.step(row), original.step(row)
        for name, value in original_now._asdict().items():
            # Not known to an environment that did not begin the episode itself.
            if name != "prev_level_seed":
                np.testing.assert_array_equal(getattr(ours_now, name), value, err_msg=name)
        episodes += original_now.first.sum() + original_now.level_complete.sum()
    assert episodes > NUM_ENVS


def test_generators_come_back_word_by_word(make_env):
    env = make_env(seed=5)
    for row in ACTIONS[:, :2]:
        env.step(row)
    state = env.get_state()[0]
    before, after = decode_state(state), decode_state(there_and_back(state))
    assert after.level_seed_rand_gen == before.level_seed_rand_gen
    assert after.rand_gen == before.rand_gen
    assert after.asset_rand_gen == before.asset_rand_gen


def test_a_new_game_differs_only_in_the_order_of_what_stands_still(make_env):
    env = make_env(distribution_mode="hard", num_envs=NUM_ENVS, seed=5)
    for number, state in enumerate(env.get_state()):
        before, after = decode_state(state), decode_state(there_and_back(state))
        for name in before._fields:
            if name not in ("entities", "grid", "game_n", "move_action"):
                assert getattr(after, name) == getattr(before, name), name
        assert (before.game_n, after.game_n) == (number, 0)
        np.testing.assert_array_equal(after.grid, before.grid)
        assert sorted(after.entities.tolist()) == sorted(before.entities.tolist())
        for kind in (PLAYER, ENEMY):
            of_kind = [state.entities[state.entities["type"] == kind] for state in (before, after)]
            np.testing.assert_array_equal(*of_kind)


def test_conversion_is_stable(make_env):
    """What the device holds is the same after any number of conversions."""
    env = make_env(distribution_mode="hard", num_envs=NUM_ENVS, seed=7)
    for row in ACTIONS[:40]:
        env.step(row)
    for state in env.get_state():
        once = there_and_back(state)
        assert there_and_back(once) == once
        games = [host_state.from_procgen(decode_state(data)) for data in (state, once)]
        jax.tree.map(np.testing.assert_array_equal, *games)


def test_states_of_many_games_can_be_stacked(make_env):
    env = make_env(distribution_mode="hard", num_envs=NUM_ENVS, seed=7)
    games = [host_state.from_procgen(decode_state(state)) for state in env.get_state()]
    batch = jax.tree.map(lambda *leaves: np.stack(leaves), *games)
    assert batch.grid.shape == (NUM_ENVS, 64, 64)
    np.testing.assert_array_equal(batch.level_seed, env.observe().level_seed)


def test_the_state_says_what_is_seen(make_env):
    """A level read by eye from Procgen's records."""
    env = make_env(distribution_mode="hard", num_envs=NUM_ENVS, seed=7)
    for row in ACTIONS[:20]:
        env.step(row)
    for state in env.get_state():
        decoded = decode_state(state)
        game = host_state.from_procgen(decoded)
        crates = {}
        for x, y, kind, theme in decoded.entities[["x", "y", "type", "image_theme"]]:
            cell = int(y), int(x)
            if kind == SAW:
                assert game.sprites[cell] & 1
            if kind == CRATE:
                crates.setdefault(cell, []).append(theme + 1)
        for cell, themes in crates.items():
            layers = (game.sprites[cell] >> 1) & 7, (game.sprites[cell] >> 4) & 7
            assert [theme for theme in layers if theme] == themes
        assert np.count_nonzero(game.sprites > 1) == len(crates)
        enemies = decoded.entities[decoded.entities["type"] == ENEMY]
        assert game.enemies.exists.sum() == len(enemies)
        np.testing.assert_array_equal(game.enemies.x[game.enemies.exists], enemies["x"])
        trails = decoded.entities[decoded.entities["type"] == TRAIL]
        assert game.trails.exists.sum() == len(trails)
        dropped_last = trails[trails["life_time"] == 0]["x"]
        slots = np.arange(len(dropped_last))
        np.testing.assert_array_equal(game.trails.x[0, slots], dropped_last[::-1])
        np.testing.assert_array_equal(game.trails.x[0, slots], game.enemies.x[slots])


def test_options_are_read_from_the_game(make_env):
    options = {
        "num_levels": 20,
        "start_level": 100,
        "distribution_mode": "hard",
        "use_backgrounds": False,
        "restrict_themes": True,
        "use_monochrome_assets": True,
        "use_sequential_levels": True,
        "paint_velocity": True,
        "debug_mode": 6,
    }
    states = [make_env(**chosen).get_state()[0] for chosen in (options, {})]
    assert host_state.config_of(decode_state(states[0])) == CoinRunConfig(**options)
    assert host_state.config_of(decode_state(states[1])) == CoinRunConfig(distribution_mode="easy")


def test_games_of_other_options_are_refused(make_env):
    game = decode_state(make_env(distribution_mode="easy", num_levels=5).get_state()[0])
    same = CoinRunConfig(distribution_mode="easy", invisible=("saw",))
    assert host_state.from_procgen(game, same).level_set.high == 5
    with pytest.raises(ValueError, match="played with distribution_mode 'easy', not 'hard'; make"):
        host_state.from_procgen(game, CoinRunConfig())
    with pytest.raises(ValueError, match="played with restrict_themes False, not True"):
        host_state.from_procgen(game, CoinRunConfig(distribution_mode="easy", restrict_themes=True))


@pytest.fixture
def rich(make_env):
    """A hard game in which there is every kind of entity."""
    env = make_env(distribution_mode="hard", num_envs=64, seed=2)
    for _ in range(3):
        env.step([RIGHT] * 64)
    for state in map(decode_state, env.get_state()):
        if {PLAYER, SAW, ENEMY, CRATE, TRAIL} == set(state.entities["type"]):
            return state
    raise AssertionError("no such game")


def with_entity(state, kind, **fields):
    """The first entity of a kind, with other fields."""
    entities = state.entities.copy()
    index = np.argmax(entities["type"] == kind)
    for name, value in fields.items():
        entities[name][index] = value
    return state._replace(entities=entities)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"distribution_mode": 2}, "distribution_mode must be one of .* got 2"),
        ({"debug_mode": 16}, "debug_mode must be an integer from 0 to 15; got 16"),
        ({"use_generated_assets": 1}, "has use_generated_assets 0; this game has 1"),
        ({"center_agent": 0}, "has center_agent 1; this game has 0"),
        ({"gravity": 0.5}, r"has gravity 0\.2.*; this game has 0\.5"),
        ({"timeout": 10}, "has timeout 1000; this game has 10"),
        ({"background_index": 62}, "background_index must be from 0 to 61; got 62"),
        ({"wall_theme": -1}, "wall_theme must be from 0 to 5; got -1"),
    ],
)
def test_games_with_what_the_device_lacks_are_refused(rich, fields, message):
    with pytest.raises(ValueError, match=message):
        host_state.from_procgen(rich._replace(**fields))


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (SAW, {"x": 10.25}, r"must lie at the centres of cells; got x 10\.25"),
        (CRATE, {"y": 70.5}, r"must lie at the centres of cells; got .* y 70\.5"),
        (CRATE, {"image_theme": 4}, "crate has themes 0 to 3"),
        (SAW, {"image_theme": 1}, "saw has themes 0 to 0"),
        (SAW, {"vx": 0.1}, r"vx of each saw must be up to 0; got \[0\.1"),
        (SAW, {"alpha": 0.5}, r"each saw .* has alpha 1\.0; got 0\.5"),
        (ENEMY, {"vy": 0.2}, r"each enemy .* has vy 0\.0; got 0\.2"),
        (ENEMY, {"vx": 0.6}, r"vx of each enemy must be up to 0\.5; got"),
        (ENEMY, {"y": 3.25}, r"enemies must walk at the height of a cell's centre; got \[.*3\.25"),
        (ENEMY, {"x": 99.0}, "enemies must be within the world; got x"),
        (ENEMY, {"x": 0.5, "y": 2.5}, "enemies must be outside of walls and barriers; got"),
        (ENEMY, {"render_z": 0}, "each enemy .* has render_z 1; got 0"),
        (ENEMY, {"type": 9}, r"no entities of the types \[9\]"),
        (TRAIL, {"life_time": 9}, "a trail is erased at the age of 9; got older ones"),
        (TRAIL, {"rx": 0.4}, r"each trail .* has rx 0\.3.*; got 0\.4"),
        (TRAIL, {"life_time": 0, "alpha": 0.5, "rx": 0.3, "ry": 0.2}, "the oldest first"),
        (PLAYER, {"x": np.nan}, "must be in or near the world; got x nan"),
        (PLAYER, {"vx": 2.0}, r"vx of each agent must be up to 0\.9; got \[2"),
        (PLAYER, {"vy": np.inf}, "vy must be finite; got inf"),
        (CRATE, {"type": PLAYER}, "the agent must be the first entity and the only one"),
    ],
)
def test_entities_that_the_device_cannot_hold_are_refused(rich, kind, fields, message):
    with pytest.raises(ValueError, match=message):
        host_state.from_procgen(with_entity(rich, kind, **fields))


def with_entities(state, added):
    is_trail = state.entities["type"] == TRAIL
    parts = (state.entities[~is_trail], added, state.entities[is_trail])
    return state._replace(entities=np.concatenate(parts))


def test_crowds_that_the_device_cannot_hold_are_refused(rich):
    one = {kind: rich.entities[rich.entities["type"] == kind][:1] for kind in (SAW, ENEMY, CRATE)}
    late_crate = np.concatenate([rich.entities, one[CRATE]])
    with pytest.raises(ValueError, match="a saw must be the first in its cell"):
        host_state.from_procgen(with_entities(rich, one[SAW]))
    with pytest.raises(ValueError, match="a cell holds two crates; got three"):
        host_state.from_procgen(with_entities(rich, np.repeat(one[CRATE], 2)))
    with pytest.raises(ValueError, match="at most 35 enemies; got"):
        host_state.from_procgen(with_entities(rich, np.repeat(one[ENEMY], MAX_ENEMIES)))
    trail = rich.entities[rich.entities["life_time"] == 0][:1]
    assert trail["type"] == TRAIL
    many_trails = np.concatenate([rich.entities, np.repeat(trail, MAX_ENEMIES)])
    with pytest.raises(ValueError, match="at most 35 trails are dropped at one step; got more"):
        host_state.from_procgen(rich._replace(entities=many_trails))
    with pytest.raises(ValueError, match="trails must be listed after saws and crates"):
        host_state.from_procgen(rich._replace(entities=late_crate))


def test_unknown_cells_are_refused(rich):
    grid = rich.grid.copy()
    grid[5, 5] = 30
    with pytest.raises(ValueError, match=r"cells of a CoinRun grid .* also has \[30\]"):
        host_state.from_procgen(rich._replace(grid=grid))


@pytest.mark.parametrize("kind", [PLAYER, SAW, ENEMY, CRATE, TRAIL])
@pytest.mark.parametrize("hidden", [{"alpha": 0}, {"render_z": 2}], ids=["alpha", "depth"])
def test_kinds_that_are_not_drawn_are_recognised(make_env, rich, kind, hidden):
    entities = rich.entities.copy()
    for name, value in hidden.items():
        entities[name] = np.where(entities["type"] == kind, value, entities[name])
    state = rich._replace(entities=entities)
    game = host_state.from_procgen(state)
    names = {PLAYER: "agent", SAW: "saw", ENEMY: "enemy", CRATE: "crate", TRAIL: "trail"}
    assert [name for name, seen in game.visible._asdict().items() if not seen] == [names[kind]]
    env = make_env()
    ours = host_state.to_procgen(game, host_state.config_of(state))
    env.set_state([encode_state(state), encode_state(ours)])
    frames = env.observe().observation
    np.testing.assert_array_equal(frames[0], frames[1])


def test_a_kind_of_which_only_some_are_drawn_is_refused(rich):
    added = np.repeat(rich.entities[rich.entities["type"] == CRATE][:1], 2)
    added["y"] = 60.5
    added["x"], added["alpha"] = [40.5, 41.5], [0, 1]
    with pytest.raises(ValueError, match="either all entities of a kind are drawn or none; crate"):
        host_state.from_procgen(with_entities(rich, added))
