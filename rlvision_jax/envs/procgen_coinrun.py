"""The bytes of a saved CoinRun game as a record, and back without a difference.

Layout: little endian, packed; bool and int are int32, a string is its int32 length and its bytes.
Source: openai/procgen, `serialize` in `procgen/src/game.cpp`, `basic-abstract-game.cpp`,
`entity.cpp`, `grid.h` and `games/coinrun.cpp`.
"""

import struct
from typing import NamedTuple

import numpy as np
from jaxtyping import Int32

from rlvision_jax.envs.procgen_randgen import RandGen
from rlvision_jax.envs.procgen_state import END_MARKER, STATE_VERSION, check_state

ENTITY = np.dtype(
    [(name, "<f4") for name in ("x", "y", "vx", "vy", "rx", "ry")]
    + [(name, "<i4") for name in ("type", "image_type", "image_theme", "render_z")]
    + [(name, "<i4") for name in ("will_erase", "collides_with_entities")]
    + [(name, "<f4") for name in ("collision_margin", "rotation", "vrot")]
    + [(name, "<i4") for name in ("is_reflected", "fire_time", "spawn_time", "life_time")]
    + [(name, "<i4") for name in ("expire_time", "use_abs_coords")]
    + [("friction", "<f4")]
    + [(name, "<i4") for name in ("smart_step", "avoids_collisions", "auto_erase")]
    + [(name, "<f4") for name in ("alpha", "health", "theta", "grow_rate", "alpha_decay")]
    + [("climber_spawn_x", "<f4")]
)
"""One entity. Flags are 0 or 1. `climber_spawn_x` is another game's."""

_GAME = b"coinrun"
_WORLD_SIZE = 64


class CoinRunState(NamedTuple):
    """Everything that a game of CoinRun saves, in the order of its bytes, under Procgen's names.

    `state._replace(background_index=3)` edits a field. Flags are 0 or 1. Lengths are in tiles,
    velocities in tiles per step, times in steps.

    Attributes:
      paint_vel_info, use_generated_assets, use_monochrome_assets, restrict_themes,
        use_backgrounds, center_agent, debug_mode, distribution_mode (0 easy, 1 hard),
        use_sequential_levels, level_seed_low, level_seed_high: options; they travel with the game.
      use_easy_jump, plain_assets, physics_mode, grid_step, game_type: unused in CoinRun.
      game_n: index of the environment that saved the game.
      level_seed_rand_gen: draws the level seeds.
      rand_gen: draws the level, then once a step.
      reward, done, level_complete: of the last step; shown again after `set_state`.
      action, last_move_action, move_action, special_action: the last ones.
      timeout: limit of `cur_time`.
      current_level_seed, prev_level_seed: of this level and the one that the last step ended in.
      episodes_remaining, episode_done, last_reward_timer, last_reward: bookkeeping of episodes.
      default_action: what a forced reset plays.
      cur_time: steps of this episode.
      is_waiting_for_step: always 0 in a saved game.
      grid_size: number of cells.
      entities: the agent, then saws, enemies and crates, then trails; read-only when decoded.
      use_procgen_background, background_index, bg_tile_ratio, bg_pct_x: the background; the last
        says where the level lies in it, 0 to 1.
      mixrate, maxspeed, max_jump, gravity, air_control: constants of motion.
      action_vx, action_vy, action_vrot: the last action's direction.
      center_x, center_y, unit, view_dim, x_off, y_off, visibility, min_visibility: the view;
        each drawing computes it anew.
      step_rand_int: the last draw of `rand_gen`; breaks ties between the axes of motion.
      asset_rand_gen, fixed_asset_seed: of generated art; never used.
      main_width, main_height: of the grid.
      out_of_bounds_object: what lies around the grid.
      grid: cells, row 0 at the bottom, column 0 at the left; read-only when decoded.
      last_agent_y: the agent's y after the last step.
      wall_theme: material of the ground.
      has_support: whether something carried the agent when the last action was taken.
      facing_right: unused.
      is_on_crate: whether the last step ended on a crate.
      char_dim, random_agent_start, has_useful_vel_info: constants.
    """

    paint_vel_info: int
    use_generated_assets: int
    use_monochrome_assets: int
    restrict_themes: int
    use_backgrounds: int
    center_agent: int
    debug_mode: int
    distribution_mode: int
    use_sequential_levels: int
    use_easy_jump: int
    plain_assets: int
    physics_mode: int
    grid_step: int
    level_seed_low: int
    level_seed_high: int
    game_type: int
    game_n: int

    level_seed_rand_gen: RandGen
    rand_gen: RandGen

    reward: float
    done: int
    level_complete: int
    action: int
    timeout: int
    current_level_seed: int
    prev_level_seed: int
    episodes_remaining: int
    episode_done: int
    last_reward_timer: int
    last_reward: float
    default_action: int
    fixed_asset_seed: int
    cur_time: int
    is_waiting_for_step: int
    grid_size: int

    entities: np.ndarray

    use_procgen_background: int
    background_index: int
    bg_tile_ratio: float
    bg_pct_x: float
    char_dim: float
    last_move_action: int
    move_action: int
    special_action: int
    mixrate: float
    maxspeed: float
    max_jump: float
    action_vx: float
    action_vy: float
    action_vrot: float
    center_x: float
    center_y: float
    random_agent_start: int
    has_useful_vel_info: int
    step_rand_int: int

    asset_rand_gen: RandGen

    main_width: int
    main_height: int
    out_of_bounds_object: int
    unit: float
    view_dim: float
    x_off: float
    y_off: float
    visibility: float
    min_visibility: float

    grid: Int32[np.ndarray, "64 64"]

    last_agent_y: float
    wall_theme: int
    has_support: int
    facing_right: int
    is_on_crate: int
    gravity: float
    air_control: float


def _words_between(first: str, last: str) -> tuple[slice, struct.Struct]:
    """Where the fields from `first` to `last` lie in the record, and their layout in bytes."""
    places = slice(CoinRunState._fields.index(first), CoinRunState._fields.index(last) + 1)
    kinds = [CoinRunState.__annotations__[name] for name in CoinRunState._fields[places]]
    return places, struct.Struct("<" + "".join("f" if kind is float else "i" for kind in kinds))


_OPTIONS = _words_between("paint_vel_info", "game_n")
_EPISODE = _words_between("reward", "grid_size")
_DRAWING = _words_between("use_procgen_background", "step_rand_int")
_VIEW = _words_between("main_width", "min_visibility")
_AGENT = _words_between("last_agent_y", "air_control")

_WORD = struct.Struct("<i")
_TWO_WORDS = struct.Struct("<2i")
_GRID_SIZES = struct.pack("<3i", _WORLD_SIZE, _WORLD_SIZE, _WORLD_SIZE**2)
_HEADER = struct.pack("<2i", STATE_VERSION, len(_GAME)) + _GAME
_FOOTER = struct.pack("<I", END_MARKER)


def decode_state(state: bytes) -> CoinRunState:
    """Reads a saved game of CoinRun.

    Args:
      state: bytes as `ProcgenEnv.get_state` returns them for one environment.

    Raises:
      ValueError: if `state` is not bytes, of another game or version, cut short or damaged, or
        its world is not of 64x64 cells.

    Example:
      >>> from rlvision_jax import envs
      >>> env = envs.make("procgen:coinrun", num_envs=1, num_levels=1, start_level=7)
      >>> state = decode_state(env.get_state()[0])
      >>> env.close()
      >>> state.current_level_seed, state.entities["type"][0], state.grid.shape
      (7, np.int32(0), (64, 64))
      >>> decode_state(encode_state(state)).cur_time
      0
    """
    check_state(state, _GAME.decode())
    options, offset = _unpack(_OPTIONS, state, len(_HEADER))
    level_seed_rand_gen, offset = _rand_gen(state, offset)
    rand_gen, offset = _rand_gen(state, offset)
    episode, offset = _unpack(_EPISODE, state, offset)
    (count,) = _WORD.unpack_from(state, offset)
    entities = np.frombuffer(state, ENTITY, count, offset + _WORD.size)
    offset += _WORD.size + count * ENTITY.itemsize
    drawing, offset = _unpack(_DRAWING, state, offset)
    asset_rand_gen, offset = _rand_gen(state, offset)
    view, offset = _unpack(_VIEW, state, offset)
    if state[offset : offset + len(_GRID_SIZES)] != _GRID_SIZES:
        raise ValueError(f"not a state of coinrun: its world is {view[0]}x{view[1]}, not 64x64")
    offset += len(_GRID_SIZES)
    cells = np.frombuffer(state, "<i4", _WORLD_SIZE**2, offset)
    agent, _ = _unpack(_AGENT, state, offset + cells.nbytes)
    values = (
        *options,
        level_seed_rand_gen,
        rand_gen,
        *episode,
        entities,
        *drawing,
        asset_rand_gen,
        *view,
        cells.reshape(_WORLD_SIZE, _WORLD_SIZE),
        *agent,
    )
    return CoinRunState._make(values)


def encode_state(state: CoinRunState) -> bytes:
    """The bytes of a game, for `ProcgenEnv.set_state`; undoes `decode_state` exactly.

    Raises:
      ValueError: if a field is of the wrong type, shape or range, or the library could not read
        the result, for instance because there is no agent among the entities.
    """
    if state.entities.dtype != ENTITY or state.entities.ndim != 1:
        raise ValueError(
            "entities must be one row of procgen_coinrun.ENTITY records; got shape "
            f"{state.entities.shape} of {state.entities.dtype}"
        )
    if state.grid.shape != (_WORLD_SIZE, _WORLD_SIZE) or state.grid.dtype != np.int32:
        raise ValueError(
            f"grid must be int32 of shape (64, 64); got {state.grid.dtype} of {state.grid.shape}"
        )
    encoded = b"".join(
        (
            _HEADER,
            _pack(_OPTIONS, state),
            _rand_gen_bytes(state.level_seed_rand_gen),
            _rand_gen_bytes(state.rand_gen),
            _pack(_EPISODE, state),
            _WORD.pack(len(state.entities)),
            state.entities.tobytes(),
            _pack(_DRAWING, state),
            _rand_gen_bytes(state.asset_rand_gen),
            _pack(_VIEW, state),
            _GRID_SIZES,
            state.grid.tobytes(),
            _pack(_AGENT, state),
            _FOOTER,
        )
    )
    check_state(encoded, _GAME.decode())
    return encoded


def _unpack(
    fields: tuple[slice, struct.Struct], state: bytes, offset: int
) -> tuple[tuple[int | float, ...], int]:
    _, layout = fields
    return layout.unpack_from(state, offset), offset + layout.size


def _pack(fields: tuple[slice, struct.Struct], state: CoinRunState) -> bytes:
    places, layout = fields
    try:
        return layout.pack(*state[places])
    except (struct.error, OverflowError):
        values = dict(zip(CoinRunState._fields[places], state[places], strict=True))
        raise ValueError(
            f"each of these must be an integer of 32 bits, or a number where Procgen keeps a "
            f"float; got {values}"
        ) from None


def _rand_gen(state: bytes, offset: int) -> tuple[RandGen, int]:
    is_seeded, length = _TWO_WORDS.unpack_from(state, offset)
    start = offset + _TWO_WORDS.size
    return RandGen(is_seeded, state[start : start + length]), start + length


def _rand_gen_bytes(generator: RandGen) -> bytes:
    return _TWO_WORDS.pack(generator.is_seeded, len(generator.text)) + generator.text
