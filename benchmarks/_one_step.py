"""Single steps of Procgen and of the device from the same states, which play seldom reaches.

An agent stands where a comparison turns over: on borders of cells, at the very top of a crate
anywhere in the world, where it just begins to touch something. Play meets such places once in
thousands of episodes, if ever; a number that is rounded otherwise shows here.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from rlvision_jax.envs import FORCE_RESET, HostEnv
from rlvision_jax.envs.coinrun import State, from_procgen
from rlvision_jax.envs.coinrun.constants import (
    CRATE,
    ENEMY,
    PLAYER_RADIUS_X,
    PLAYER_RADIUS_Y,
    SAW,
    SPACE,
    WALL_TOP,
    WORLD_SIZE,
)
from rlvision_jax.envs.procgen import ACTION_NAMES, decode_state, encode_state
from rlvision_jax.envs.procgen_coinrun import CoinRunState

LEFT, LEFT_UP, DOWN, NONE, UP, RIGHT, RIGHT_UP = (
    ACTION_NAMES.index(name)
    for name in ("left", "left+up", "down", "none", "up", "right", "right+up")
)
_HALF = np.float32(0.5)
_RADIUS_X, _RADIUS_Y = np.float32(PLAYER_RADIUS_X), np.float32(PLAYER_RADIUS_Y)

# Crates of a pile are no further apart, tiles.
_PILE = 4
# x, y, vx and vy.
_Agent = tuple[float, float, float, float]


class Place(NamedTuple):
    """Where to step from.

    Attributes:
      agent: where the agent is and how it moves; may move the other entities of the record.
      keys: actions to choose from.
    """

    agent: Callable[[np.random.Generator, CoinRunState], _Agent]
    keys: Sequence[int]


def beside_walls(random: np.random.Generator, record: CoinRunState) -> _Agent:
    """Places where the agent's corners lie on borders of cells, and speeds that tie."""
    column = random.integers(1, 22)
    near = random.choice([0.5, 0, 0.49, 0.51, 0.01, 0.99])
    x = column + near + random.choice([0, 1e-6, -1e-6, 0.01, -0.01])
    grounds = np.flatnonzero(record.grid[:, int(x)] == WALL_TOP)
    ground = grounds.max() + 1 if len(grounds) else 1
    y = ground + PLAYER_RADIUS_Y + random.choice([0, 0, 1e-6, -1e-6, 0.1, 1, -0.3, 0.3])
    vx = random.choice([0, 0.25, -0.25, 0.5, -0.5, random.uniform(-0.5, 0.5)])
    return x, y, vx, random.choice([0, 0, -0.2, 1.5, -1.5, random.uniform(-1.5, 1.5)])


def beside_crates(random: np.random.Generator, record: CoinRunState) -> _Agent:
    """Places from which a fall ends on a crate, or in the side of a pile."""
    crates = record.entities[record.entities["type"] == CRATE]
    if not len(crates):
        return beside_walls(random, record)
    crate = random.choice(crates)
    side = random.choice([-1, 1])
    x = crate["x"] + side * random.uniform(0.9, 1.45)
    y = crate["y"] + _HALF + PLAYER_RADIUS_Y + random.uniform(0, 1.5)
    vy = random.choice([-1.5, -1.3, random.uniform(-1.5, 0), 0])
    return x, y, -side * random.uniform(0, 0.5), vy


def on_tops_of_crates(random: np.random.Generator, record: CoinRunState) -> _Agent:
    """Heights within three roundings of a crate's top, the crate in any row of the world."""
    crate = _raised(random, record, CRATE)
    if crate is None:
        return beside_walls(random, record)
    y = _some_roundings(random, crate["y"] + _HALF + _RADIUS_Y)
    x = crate["x"] + random.choice([0, random.uniform(-1.1, 1.1)])
    vx = random.choice([0, 0.1, -0.1, random.uniform(-0.5, 0.5)])
    return x, y, vx, random.choice([0, -0.2, -0.4, random.uniform(-1.5, 0)])


def in_reach_of_objects(random: np.random.Generator, record: CoinRunState) -> _Agent:
    """Where the agent just begins, or just fails, to touch a saw or an enemy in any row."""
    thing = _raised(random, record, random.choice([SAW, ENEMY]))
    if thing is None:
        return beside_walls(random, record)
    x, y = (
        _some_roundings(random, thing[axis] + random.choice([-1, 1]) * (_HALF + radius))
        for axis, radius in (("x", _RADIUS_X), ("y", _RADIUS_Y))
    )
    if random.integers(2):
        x = thing["x"] + random.uniform(-0.9, 0.9)
    elif random.integers(2):
        y = thing["y"] + random.uniform(-1, 1)
    # In the air a step takes 0.2 from vy, and 0.03 of vx: this one is not moved.
    return x, y, 0, random.choice([0.2, 0.2, random.uniform(-1.5, 1.5)])


def _raised(random: np.random.Generator, record: CoinRunState, kind: int) -> np.void | None:
    """Puts an entity of a kind into the air of another row, if there is one; its new record.

    Crates move with those of their pile, whose order and layers stay what they were.
    """
    entities = record.entities
    is_kind = entities["type"] == kind
    if not is_kind.any():
        return None
    index = random.choice(np.flatnonzero(is_kind))
    moves = np.arange(len(entities)) == index
    if kind == CRATE:
        moves = is_kind & (np.abs(entities["x"] - entities["x"][index]) < _PILE)
    y = entities["y"][moves] + (random.integers(3, WORLD_SIZE - 6) - int(entities["y"][index]))
    x = entities["x"][moves]
    is_inside = (y > 1) & (y < WORLD_SIZE - 1)
    rows, columns = np.clip(y.astype(int), 0, WORLD_SIZE - 1), x.astype(int)
    is_in_air = record.grid[rows[:, None], columns[:, None] + np.arange(-1, 2)] == SPACE
    others = entities[is_kind & ~moves]
    is_free = np.abs(others["x"] - x[:, None]) + np.abs(others["y"] - y[:, None]) > 1
    if is_inside.all() and is_in_air.all() and is_free.all():
        entities["y"][moves] = y
    return entities[index]


def _some_roundings(random: np.random.Generator, value: float) -> np.float32:
    """A number up to three float32 numbers away."""
    value = np.float32(value)
    return value + np.float32(random.integers(-3, 4)) * np.spacing(value)


def speeds_at_a_border(random: np.random.Generator, record: CoinRunState) -> _Agent:
    """Speeds around those at which a step is divided more finely, in the open air."""
    del record
    border = np.float32(random.choice([1.25, 1.5]) ** 2)
    squared = random.choice([np.nextafter(border, np.float32(0)), border])
    while True:
        # What becomes of it in the air: 0.97 of vx, and 0.2 less of vy.
        vx = random.uniform(-0.5, 0.5, 1000).astype(np.float32)
        moved_x = (1 - np.float32(0.2) * np.float32(0.15)) * vx
        vy = np.float32(0.2) - np.sqrt(squared - moved_x**2)
        (exact,) = np.nonzero(moved_x**2 + (vy - np.float32(0.2)) ** 2 == squared)
        if len(exact):
            return random.uniform(2, 5), random.uniform(35, 40), vx[exact[0]], vy[exact[0]]


PLACES = {
    "beside walls": Place(beside_walls, [NONE, LEFT, LEFT_UP, DOWN, UP, RIGHT, RIGHT_UP]),
    "beside crates": Place(beside_crates, [NONE, NONE, LEFT, DOWN, RIGHT, RIGHT_UP]),
    "on tops of crates": Place(on_tops_of_crates, [NONE, NONE, LEFT, DOWN, UP, RIGHT, RIGHT_UP]),
    "in reach of objects": Place(in_reach_of_objects, [NONE]),
    "at borders of speed": Place(speeds_at_a_border, [NONE]),
}


def place_agents(
    env: HostEnv, place: Place, random: np.random.Generator
) -> tuple[list[CoinRunState], np.ndarray]:
    """States of new levels with their agents placed, and an action for each.

    Args:
      env: Procgen's CoinRun; it goes on to new levels, where nothing is placed yet.
      place: where the agents are.
      random: draws places and actions.
    """
    env.step(np.full(env.num_envs, FORCE_RESET, np.int32))
    env.step(np.full(env.num_envs, NONE, np.int32))
    records = [_placed(decode_state(saved), place, random) for saved in env.get_state()]
    return records, random.choice(place.keys, env.num_envs).astype(np.int32)


def _placed(record: CoinRunState, place: Place, random: np.random.Generator) -> CoinRunState:
    record = record._replace(entities=record.entities.copy())
    agent = np.array(place.agent(random, record), np.float32)
    for name, value in zip(("x", "y", "vx", "vy"), agent, strict=True):
        record.entities[name][0] = value
    # The height before the last step, which tells the crates below the agent, may be any.
    last_y = agent[1] + np.float32(random.choice([0, 0, 0, random.uniform(-1, 4)]))
    is_on_crate = int(random.integers(0, 5) == 4)
    return record._replace(last_agent_y=float(last_y), is_on_crate=is_on_crate)


def compare_steps(
    worlds: tuple[HostEnv, HostEnv], place: Place, seed: int, count: int
) -> dict[str, int]:
    """Steps both worlds once from each of `count` placed states or a few more.

    Args:
      worlds: Procgen's CoinRun and the device's, of the same options; their games are lost.
      place: where the agents are.
      seed: of places and actions.
      count: steps to compare.

    Returns:
      Numbers of steps, of those whose time step or state differs in anything, of frames that
      differ, and of steps that end an episode; of these no state is compared, as the next level
      shows.
    """
    theirs, ours = worlds
    random = np.random.default_rng(seed)
    found = dict.fromkeys(("steps", "steps_different", "frames_different", "ends"), 0)
    while found["steps"] < count:
        records, actions = place_agents(theirs, place, random)
        for world in worlds:
            world.set_state([encode_state(record) for record in records])
            world.send(actions)
        their_step, our_step = (world.recv() for world in worlds)
        differ = np.zeros(len(actions), bool)
        for name in ("reward", "first", "terminated", "truncated", "level_complete"):
            differ |= getattr(their_step, name) != getattr(our_step, name)
        goes_on = ~their_step.first
        for _, fields_differ in differences(present_states(ours), present_states(theirs)):
            differ |= fields_differ & goes_on
        frames_differ = (their_step.observation != our_step.observation).any((1, 2, 3)) & goes_on
        found["steps"] += len(actions)
        found["steps_different"] += int(differ.sum())
        found["frames_different"] += int(frames_differ.sum())
        found["ends"] += int((~goes_on).sum())
    return found


def present_states(env: HostEnv) -> State:
    """The present states of all games, as a batch."""
    return batch([decode_state(saved) for saved in env.get_state()])


def batch(records: Sequence[CoinRunState]) -> State:
    """States of the device, from Procgen's."""
    games = [from_procgen(record) for record in records]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *games)


def differences(ours: State, theirs: State) -> Iterator[tuple[str, np.ndarray]]:
    """Which games differ in any bit, field by field of two batches of states.

    What is compared of an enemy or a trail is that it exists and, if so, its fields.
    """
    # Not known in the middle of an episode.
    ours = ours._replace(prev_level_seed=theirs.prev_level_seed)
    pairs = zip(jax.tree_util.tree_leaves_with_path(ours), jax.tree.leaves(theirs), strict=True)
    for (path, our_leaf), their_leaf in pairs:
        name = jax.tree_util.keystr(path)
        our_leaf, their_leaf = np.asarray(our_leaf), np.asarray(their_leaf)
        if our_leaf.dtype == np.float32:
            our_leaf, their_leaf = our_leaf.view(np.uint32), their_leaf.view(np.uint32)
        differs = our_leaf != their_leaf
        group = name.split(".")[1]
        if group in ("enemies", "trails") and not name.endswith(".exists"):
            differs &= np.asarray(getattr(theirs, group).exists)
        yield name, differs.reshape(len(differs), -1).any(1)
