"""Procgen's list of entities as the device's arrays, and back (host only: NumPy arrays).

Source: openai/procgen, `procgen/src/entity.cpp` and `procgen/src/games/coinrun.cpp`.
"""

from typing import Any, NamedTuple

import jax
import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8

from rlvision_jax.envs.coinrun.constants import (
    CRATE,
    ENEMY,
    ENEMY_BARRIER,
    MAX_ENEMIES,
    NUM_CRATE_THEMES,
    NUM_ENEMY_THEMES,
    NUM_PLAYER_THEMES,
    PLAYER,
    PLAYER_RADIUS_X,
    PLAYER_RADIUS_Y,
    SAW,
    TRAIL,
    TRAIL_AGES,
    WALL_MID,
    WALL_TOP,
    WORLD_SIZE,
)
from rlvision_jax.envs.coinrun.types import Enemies, State, Trails, Visible
from rlvision_jax.envs.procgen_coinrun import ENTITY, CoinRunState

# Tiles per step. A faster agent would move in more than 6 parts, and a faster enemy meet cells
# beyond its neighbours.
_MAX_SPEED_X = {"agent": 0.9, "enemy": 0.5}
# What turns an enemy round, and the half width with which it feels that.
_ENEMY_WALLS, _ENEMY_CORNER = (WALL_MID, WALL_TOP, ENEMY_BARRIER), np.float32(0.49)
# Tiles around the world where the agent may be.
_MARGIN = 2

KIND_TYPES = {"agent": PLAYER, "saw": SAW, "enemy": ENEMY, "crate": CRATE, "trail": TRAIL}
"""Procgen's type of each kind of `Visible`."""

_NUM_THEMES = {"agent": NUM_PLAYER_THEMES, "enemy": NUM_ENEMY_THEMES, "crate": NUM_CRATE_THEMES}
# Depths that Procgen draws at, and one that it does not.
_DEPTHS, _HIDDEN_DEPTH = (-1, 0, 1), 2

# Fields of all entities, then of each kind, where they are not 0.
_EVERY_ENTITY = {
    "fire_time": -1,
    "spawn_time": -1,
    "friction": 1,
    "auto_erase": 1,
    "health": 1,
    "theta": -100,
}
_BOX = {"rx": 0.5, "ry": 0.5, "expire_time": -1, "alpha": 1, "grow_rate": 1, "alpha_decay": 1}
_WALKER = {**_BOX, "render_z": 1, "smart_step": 1}
_TRAIL = {
    "vy": 0.01,
    "rx": 0.3,
    "ry": 0.2,
    "image_type": TRAIL,
    "expire_time": TRAIL_AGES - 1,
    "alpha": 0.5,
    "grow_rate": 1.05,
    "alpha_decay": 0.8,
}
_KIND_FIELDS = {
    "agent": {**_WALKER, "rx": PLAYER_RADIUS_X, "ry": PLAYER_RADIUS_Y},
    "saw": _BOX,
    "enemy": _WALKER,
    "crate": {**_BOX, "image_type": CRATE},
    "trail": _TRAIL,
}
# Fields in which entities of a kind differ. The age of others than trails does not matter.
_OWN_FIELDS = {
    "agent": ("x", "y", "vx", "vy", "image_theme", "is_reflected"),
    "saw": ("x", "y"),
    "enemy": ("x", "y", "vx", "image_theme"),
    "crate": ("x", "y", "image_theme"),
    "trail": ("x", "y", "life_time"),
}
_SAW_IMAGE, _ENEMY_IMAGE, _ENEMY_IMAGE_STEPS = 2, 6, 5
_TRAIL_GROWTH = {"rx": "grow_rate", "ry": "grow_rate", "alpha": "alpha_decay"}

# Of a cell of `sprites`.
_SAW_BIT, _CRATE_BITS, _CRATE_SHIFTS = 1, 7, (1, 4)


class Objects(NamedTuple):
    """The entities of a game: the agent's record, and the others as `State` has them."""

    agent: np.void
    sprites: UInt8[np.ndarray, "64 64"]
    enemies: Enemies
    trails: Trails
    visible: Visible


def read(state: CoinRunState) -> Objects:
    """The entities of a game.

    Raises:
      ValueError: if one is not as CoinRun makes it or not where the device can hold it, or they
        are listed in an order that Procgen would show.
    """
    entities = state.entities
    unknown = np.setdiff1d(entities["type"], list(KIND_TYPES.values()))
    if unknown.size:
        raise ValueError(f"CoinRun has no entities of the types {unknown}")
    kinds = {kind: entities[entities["type"] == number] for kind, number in KIND_TYPES.items()}
    if len(kinds["agent"]) != 1 or entities["type"][0] != PLAYER:
        raise ValueError("the agent must be the first entity and the only one of its type")
    _check_agent(kinds["agent"][0])
    is_hidden = {
        kind: _is_hidden(kind, records, bool(state.use_monochrome_assets))
        for kind, records in kinds.items()
    }
    for kind, records in kinds.items():
        _check_records(kind, records, state.cur_time, is_hidden[kind])
    visible: Any = [np.asarray(not is_hidden[kind]) for kind in Visible._fields]
    return Objects(
        agent=kinds["agent"][0],
        sprites=_read_sprites(entities),
        enemies=_read_enemies(kinds["enemy"], state.grid),
        trails=_read_trails(entities),
        visible=Visible(*visible),
    )


def write(state: State) -> np.ndarray:
    """The entities of a game as Procgen lists them; a hidden kind lies where nothing is drawn."""
    player, enemies, trails = jax.tree.map(np.asarray, (state.player, state.enemies, state.trails))
    sprites, time = np.asarray(state.sprites), int(state.time)
    # The oldest first; of those dropped at one step, that of the last enemy first.
    ages, slots = np.nonzero(trails.exists[::-1, ::-1])
    ages, slots = TRAIL_AGES - 1 - ages, MAX_ENEMIES - 1 - slots
    kinds = {
        "agent": _records(
            "agent",
            time,
            x=player.x,
            y=player.y,
            vx=player.vx,
            vy=player.vy,
            image_theme=player.theme,
            is_reflected=player.faces_left,
        ),
        "saw": _records("saw", time, **_centres(sprites & _SAW_BIT)),
        "enemy": _records(
            "enemy",
            time,
            x=enemies.x[enemies.exists],
            y=enemies.y[enemies.exists],
            vx=enemies.vx[enemies.exists],
            image_theme=enemies.theme[enemies.exists],
        ),
        "crate": np.concatenate(
            [_crate_records(time, (sprites >> shift) & _CRATE_BITS) for shift in _CRATE_SHIFTS]
        ),
        "trail": _records(
            "trail", time, x=trails.x[ages, slots], y=trails.y[ages, slots], life_time=ages
        ),
    }
    for kind, is_visible in state.visible._asdict().items():
        if not is_visible:
            kinds[kind]["render_z"] = _HIDDEN_DEPTH
    return np.concatenate(list(kinds.values()))


def _records(kind: str, time: int, **own: npt.ArrayLike) -> np.ndarray:
    """Entities of a kind as Procgen has them after `time` steps, from `_OWN_FIELDS`."""
    records = np.zeros(np.size(own["x"]), ENTITY)
    fields = {"type": KIND_TYPES[kind], "life_time": time, **_EVERY_ENTITY, **_KIND_FIELDS[kind]}
    for name, value in (fields | own).items():
        records[name] = value
    if kind == "saw":
        records["image_type"] = _SAW_IMAGE + time % 2
    elif kind == "enemy":
        records["image_type"] = _ENEMY_IMAGE + time // _ENEMY_IMAGE_STEPS % 2
        # Nothing has turned it yet when the level begins.
        records["is_reflected"] = (records["vx"] > 0) & (time > 0)
    elif kind == "trail":
        for name, factor in _TRAIL_GROWTH.items():
            steps = np.array([_TRAIL[name], *[_TRAIL[factor]] * (TRAIL_AGES - 1)], np.float32)
            records[name] = np.multiply.accumulate(steps)[records["life_time"]]
    return records


def _crate_records(time: int, layer: UInt8[np.ndarray, "64 64"]) -> np.ndarray:
    """Crates of one layer, 1 + theme in each cell that has one."""
    return _records("crate", time, image_theme=layer.T[layer.T > 0] - 1, **_centres(layer))


def _centres(layer: UInt8[np.ndarray, "64 64"]) -> dict[str, np.ndarray]:
    columns, rows = np.nonzero(layer.T)
    return {"x": columns + 0.5, "y": rows + 0.5}


def _is_hidden(kind: str, records: np.ndarray, monochrome: bool) -> bool:
    is_drawn = np.isin(records["render_z"], _DEPTHS)
    # Rectangles of one colour are drawn whatever their alpha.
    if not monochrome:
        is_drawn &= records["alpha"] != 0
    if not is_drawn.all() and is_drawn.any():
        raise ValueError(f"either all entities of a kind are drawn or none; {kind}: {is_drawn}")
    return not is_drawn.all()


def _check_agent(agent: np.void) -> None:
    for name in ("x", "y"):
        if not -_MARGIN <= agent[name] <= WORLD_SIZE + _MARGIN:
            raise ValueError(f"the agent must be in or near the world; got {name} {agent[name]}")
    if not np.isfinite(agent["vy"]):
        raise ValueError(f"the agent's vy must be finite; got {agent['vy']}")


def _check_records(kind: str, records: np.ndarray, time: int, is_hidden: bool) -> None:
    """Raises ValueError unless the fields that the device does not hold are as they must be."""
    if kind == "trail" and not np.isin(records["life_time"], range(TRAIL_AGES)).all():
        raise ValueError(f"a trail is erased at the age of {TRAIL_AGES}; got older ones")
    max_speed = _MAX_SPEED_X.get(kind, 0)
    if not (np.abs(records["vx"]) <= max_speed).all():
        raise ValueError(f"vx of each {kind} must be up to {max_speed}; got {records['vx']}")
    themes = records["image_theme"]
    if not np.isin(themes, range(_NUM_THEMES.get(kind, 1))).all():
        raise ValueError(f"{kind} has themes 0 to {_NUM_THEMES.get(kind, 1) - 1}; got {themes}")
    own = _OWN_FIELDS[kind]
    expected = _records(kind, time, **{name: records[name] for name in own})
    ignored = {"life_time", *(("alpha", "render_z") if is_hidden else ())}
    for name in records.dtype.names or ():
        differs = records[name] != expected[name]
        if name not in ignored and differs.any():
            raise ValueError(
                f"each {kind} of the device version has {name} {expected[name][differs][0]}; got "
                f"{records[name][differs][0]}"
            )


def _read_sprites(entities: np.ndarray) -> UInt8[np.ndarray, "64 64"]:
    static = entities[np.isin(entities["type"], (SAW, CRATE))]
    sprites = np.zeros((WORLD_SIZE, WORLD_SIZE), np.uint8)
    columns_with_crates = set()
    last_crate, shift = None, _CRATE_SHIFTS[0]
    for record in static:
        column, row = record["x"] - 0.5, record["y"] - 0.5
        place = f"x {record['x']}, y {record['y']}"
        if column not in range(WORLD_SIZE) or row not in range(WORLD_SIZE):
            raise ValueError(f"saws and crates must lie at the centres of cells; got {place}")
        cell = int(row), int(column)
        if record["type"] == SAW:
            if sprites[cell]:
                raise ValueError(f"a saw must be the first in its cell; got another at {place}")
            sprites[cell] = _SAW_BIT
        else:
            if last_crate != (cell[0] - 1, cell[1]):
                # A new pile; if there is an earlier one in its way, it is in the second layer.
                near = {cell[1] - 1, cell[1], cell[1] + 1}
                shift = _CRATE_SHIFTS[bool(near & columns_with_crates)]
            free = [shift for shift in _CRATE_SHIFTS if not sprites[cell] >> shift & _CRATE_BITS]
            if not free:
                raise ValueError(f"a cell holds two crates; got three at {place}")
            shift = shift if shift in free else free[0]
            sprites[cell] |= (record["image_theme"] + 1) << shift
            columns_with_crates.add(cell[1])
            last_crate = cell
    return sprites


def _read_enemies(records: np.ndarray, grid: np.ndarray) -> Enemies:
    if len(records) > MAX_ENEMIES:
        raise ValueError(f"a level has at most {MAX_ENEMIES} enemies; got {len(records)}")
    if not np.isin(records["y"] - 0.5, range(WORLD_SIZE)).all():
        raise ValueError(f"enemies must walk at the height of a cell's centre; got {records['y']}")
    rows = records["y"].astype(int)
    for side in (-_ENEMY_CORNER, _ENEMY_CORNER):
        columns = np.floor(records["x"] + side)
        if not ((columns >= 0) & (columns < WORLD_SIZE)).all():
            raise ValueError(f"enemies must be within the world; got x {records['x']}")
        if np.isin(grid[rows, columns.astype(int)], _ENEMY_WALLS).any():
            raise ValueError(
                "enemies must be outside of walls and barriers; got them at x "
                f"{records['x']}, y {records['y']}"
            )
    empty = np.zeros(MAX_ENEMIES - len(records), np.float32)
    x, y, vx, theme = (
        np.concatenate([records[name], empty]) for name in ("x", "y", "vx", "image_theme")
    )
    leaves: Any = x, y, vx, theme.astype(np.uint8), np.arange(MAX_ENEMIES) < len(records)
    return Enemies(*leaves)


def _read_trails(entities: np.ndarray) -> Trails:
    is_trail = entities["type"] == TRAIL
    is_static = np.isin(entities["type"], (SAW, CRATE))
    ages = entities["life_time"][is_trail]
    first_trail = np.argmax(is_trail) if is_trail.any() else len(entities)
    if is_static[first_trail:].any() or (np.diff(ages) > 0).any():
        raise ValueError("trails must be listed after saws and crates, the oldest first")
    trails = entities[is_trail]
    # How many trails of its age are listed after each one.
    slots = np.searchsorted(-ages, -ages, side="right") - 1 - np.arange(len(ages))
    if (slots >= MAX_ENEMIES).any():
        raise ValueError(f"at most {MAX_ENEMIES} trails are dropped at one step; got more")
    x, y = np.zeros((2, TRAIL_AGES, MAX_ENEMIES), np.float32)
    exists = np.zeros((TRAIL_AGES, MAX_ENEMIES), np.bool_)
    x[ages, slots], y[ages, slots], exists[ages, slots] = trails["x"], trails["y"], True
    leaves: Any = x, y, exists
    return Trails(*leaves)
