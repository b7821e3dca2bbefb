"""Procgen's record of a CoinRun game as the device's state, and back (host only: NumPy arrays).

The device's state leaves out what no frame, reward or later level depends on: the bookkeeping of
episodes, the ages of entities, and the order of saws among enemies and of crates far apart.

- Entities are moved from the last to the first. The agent is the first, so it moves after every
  enemy; enemies do not touch each other, and saws and crates stand still.
- Whether a hazard touches the agent is asked of each entity and joined by "or". Of several crates
  that could carry it the one made last acts; crates in one column or side by side keep that order.
- Of two sprites only the later hides the earlier. Saws and crates fill one cell each; rounding
  lets neighbours overlap by a line of pixels. Enemies keep their order, and so do trails, which
  lie over saws and crates. A saw is made before the crates next to it, and is listed before them.
"""

import dataclasses
from typing import Any

import numpy as np

from rlvision_jax.envs.coinrun import host_entities, mersenne_twister
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import (
    CELLS,
    NUM_BACKGROUNDS,
    NUM_GROUND_THEMES,
    TIME_LIMIT,
    VISIBLE_TILES,
    WALL_MID,
    WORLD_SIZE,
)
from rlvision_jax.envs.coinrun.types import LevelSet, MersenneTwister, Player, Scenery, State
from rlvision_jax.envs.procgen_coinrun import CoinRunState
from rlvision_jax.envs.procgen_randgen import RandGen

_MODES = {0: "easy", 1: "hard"}
# Our name of an option -> Procgen's.
_FLAGS = {
    "use_backgrounds": "use_backgrounds",
    "restrict_themes": "restrict_themes",
    "use_monochrome_assets": "use_monochrome_assets",
    "use_sequential_levels": "use_sequential_levels",
    "paint_velocity": "paint_vel_info",
}
# Options of which each game brings its own, or that Procgen does not have.
_NOT_COMPARED = {"num_levels", "start_level", "invisible", "coin", "themes", "change_seed"}

# What the device version takes for granted.
_CONSTANTS: dict[str, int | float] = {
    "use_generated_assets": 0,
    "center_agent": 1,
    "grid_step": 0,
    "timeout": TIME_LIMIT,
    "episodes_remaining": 0,
    "default_action": 4,
    "is_waiting_for_step": 0,
    "grid_size": WORLD_SIZE**2,
    "use_procgen_background": 0,
    "bg_tile_ratio": 0.0,
    "mixrate": float(np.float32(0.2)),
    "maxspeed": 0.5,
    "max_jump": 1.5,
    "random_agent_start": 1,
    "has_useful_vel_info": 1,
    "main_width": WORLD_SIZE,
    "main_height": WORLD_SIZE,
    "out_of_bounds_object": WALL_MID,
    "visibility": float(VISIBLE_TILES),
    "gravity": float(np.float32(0.2)),
    "air_control": float(np.float32(0.15)),
}
# What nothing depends on, as a new game has it.
_DEFAULTS: dict[str, int | float] = {
    "use_easy_jump": 0,
    "plain_assets": 0,
    "physics_mode": 0,
    "game_type": 0,
    "game_n": 0,
    "action": 4,
    "episode_done": 0,
    "last_reward_timer": 0,
    "last_reward": -1.0,
    "fixed_asset_seed": 82037353,
    "char_dim": 5.0,
    "last_move_action": 7,
    "move_action": 4,
    "special_action": 0,
    "action_vy": 0.0,
    "action_vrot": 0.0,
    "step_rand_int": 0,
    "min_visibility": 0.0,
}
# The seed of a C++ generator that nobody seeded: that of generated art.
_UNSEEDED = 5489

# Pixels per tile, and tiles per picture, as the game rounds them.
_UNIT = np.float32(64) / np.float32(VISIBLE_TILES)
_VIEW = np.float32(64) / _UNIT


def config_of(state: CoinRunState) -> CoinRunConfig:
    """The options with which Procgen plays a game, its level set included.

    Raises:
      ValueError: if the game uses what the device version lacks.
    """
    if state.distribution_mode not in _MODES:
        raise ValueError(
            f"distribution_mode must be one of {_MODES}; got {state.distribution_mode}"
        )
    low, high = state.level_seed_low, state.level_seed_high
    options: dict[str, Any] = {
        "num_levels": 0 if (low, high) == (0, 2**31 - 1) else high - low,
        "start_level": low,
        "distribution_mode": _MODES[state.distribution_mode],
        "debug_mode": state.debug_mode,
    }
    options |= {name: bool(getattr(state, theirs)) for name, theirs in _FLAGS.items()}
    return CoinRunConfig(**options)


def from_procgen(state: CoinRunState, config: CoinRunConfig | None = None) -> State:
    """The device's state of a game that Procgen saved.

    Args:
      state: as `decode_state` returns it.
      config: options to continue with. They must be the game's, but for the level set, which the
        state brings, and what Procgen has no option for: objects that later levels do not show, and
        how they are changed.

    Returns:
      The state of one game, of NumPy's arrays; `jax.tree.map(lambda *x: np.stack(x), *states)`
      makes a batch. `prev_level_seed` is known at the start of an episode only and 0 elsewhere.

    Raises:
      ValueError: if the options differ, or the game holds what the device version lacks: an
        option, a constant of motion, or an object that CoinRun itself never makes.
    """
    found = config_of(state)
    if config is not None:
        _check_same_options(found, config)
    for name, value in _CONSTANTS.items():
        if getattr(state, name) != value:
            raise ValueError(
                f"the device version of CoinRun has {name} {value}; this game has "
                f"{getattr(state, name)}"
            )
    return read(state)


def read(state: CoinRunState) -> State:
    """`from_procgen`, of a game with any options and constants of motion."""
    unknown = np.setdiff1d(state.grid, CELLS)
    if unknown.size:
        raise ValueError(f"cells of a CoinRun grid are of {CELLS}; this one also has {unknown}")
    _check_choice("background_index", state.background_index, NUM_BACKGROUNDS)
    _check_choice("wall_theme", state.wall_theme, NUM_GROUND_THEMES)
    objects = host_entities.read(state)
    agent = objects.agent
    return State(
        grid=_array(state.grid, np.uint8),
        sprites=_array(objects.sprites, np.uint8),
        player=Player(
            x=_array(agent["x"], np.float32),
            y=_array(agent["y"], np.float32),
            vx=_array(agent["vx"], np.float32),
            vy=_array(agent["vy"], np.float32),
            last_y=_array(state.last_agent_y, np.float32),
            action_vx=_array(state.action_vx, np.int32),
            theme=_array(agent["image_theme"], np.int32),
            faces_left=_array(agent["is_reflected"], np.bool_),
            has_support=_array(state.has_support, np.bool_),
            is_on_crate=_array(state.is_on_crate, np.bool_),
        ),
        enemies=objects.enemies,
        trails=objects.trails,
        scenery=Scenery(
            ground_theme=_array(state.wall_theme, np.int32),
            background=_array(state.background_index, np.int32),
            background_shift=_array(state.bg_pct_x, np.float32),
        ),
        visible=objects.visible,
        time=_array(state.cur_time, np.int32),
        level_seed=_array(state.current_level_seed, np.int32),
        prev_level_seed=_array(0 if state.cur_time else state.prev_level_seed, np.int32),
        level_set=LevelSet(
            _array(state.level_seed_low, np.int32), _array(state.level_seed_high, np.int32)
        ),
        level_rng=_read_generator(state.level_seed_rand_gen),
        step_rng=_read_generator(state.rand_gen),
    )


def to_procgen(state: State, config: CoinRunConfig) -> CoinRunState:
    """A game of the device as Procgen would save it; Procgen continues from it exactly.

    What the device does not hold is as in a new game: `reward` and `level_complete` 0, `done` 1
    at the start of an episode only, entities as old as the episode.

    Args:
      state: of one game, of NumPy's or JAX's arrays.
      config: the options that it is played with; the level set is the state's. From the next level
        on, Procgen shows all kinds of object and plays levels as they are, whatever
        `config.invisible`, `coin` and `themes` say.
    """
    flags = {theirs: int(getattr(config, name)) for name, theirs in _FLAGS.items()}
    words = np.random.RandomState(_UNSEEDED).get_state(legacy=False)["state"]["key"]
    fields: dict[str, Any] = {
        **dict.fromkeys(CoinRunState._fields),
        **_CONSTANTS,
        **_DEFAULTS,
        **flags,
        "debug_mode": config.debug_mode,
        "distribution_mode": int(config.distribution_mode == "hard"),
        "asset_rand_gen": RandGen.from_words(words, len(words))._replace(is_seeded=0),
    }
    return write(state, CoinRunState(**fields))


def write(state: State, base: CoinRunState) -> CoinRunState:
    """`to_procgen`, with the options, constants and bookkeeping of another record."""
    player, scenery = state.player, state.scenery
    time, level_seed = int(state.time), int(state.level_seed)
    x, y = np.float32(player.x), np.float32(player.y)
    return base._replace(
        level_seed_low=int(state.level_set.low),
        level_seed_high=int(state.level_set.high),
        level_seed_rand_gen=RandGen.from_words(*mersenne_twister.to_words(state.level_rng)),
        rand_gen=RandGen.from_words(*mersenne_twister.to_words(state.step_rng)),
        reward=0.0,
        done=int(time == 0),
        level_complete=0,
        current_level_seed=level_seed,
        # Procgen takes note of it at every step.
        prev_level_seed=level_seed if time else int(state.prev_level_seed),
        cur_time=time,
        entities=host_entities.write(state),
        background_index=int(scenery.background),
        bg_pct_x=float(scenery.background_shift),
        action_vx=float(player.action_vx),
        center_x=float(x),
        center_y=float(y),
        unit=float(_UNIT),
        view_dim=float(_VIEW),
        x_off=float(_UNIT * (x - _VIEW / np.float32(2))),
        y_off=float(_UNIT * (y - _VIEW / np.float32(2))),
        grid=np.asarray(state.grid, np.int32),
        last_agent_y=float(player.last_y),
        wall_theme=int(scenery.ground_theme),
        has_support=int(player.has_support),
        facing_right=int(not player.faces_left),
        is_on_crate=int(player.is_on_crate),
    )


def _check_same_options(found: CoinRunConfig, wanted: CoinRunConfig) -> None:
    for field in dataclasses.fields(CoinRunConfig):
        theirs, ours = getattr(found, field.name), getattr(wanted, field.name)
        if field.name not in _NOT_COMPARED and theirs != ours:
            raise ValueError(
                f"this game is played with {field.name} {theirs!r}, not {ours!r}; make the "
                "environment with the game's options (host_state.config_of tells them)"
            )


def _check_choice(name: str, value: int, count: int) -> None:
    if not 0 <= value < count:
        raise ValueError(f"{name} must be from 0 to {count - 1}; got {value}")


def _read_generator(generator: RandGen) -> MersenneTwister:
    return mersenne_twister.from_words(generator.words, generator.position)


def _array(value: Any, dtype: type) -> Any:
    """An array of NumPy in the place of JAX's."""
    return np.asarray(value, dtype)
