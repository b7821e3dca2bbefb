"""Steps of the installed Procgen and of the device from the same state: no bit may differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlvision_jax.envs.coinrun import host_state
from rlvision_jax.envs.coinrun.constants import CRATE, PLAYER_RADIUS_Y, WALL_TOP
from rlvision_jax.envs.coinrun.physics import advance
from rlvision_jax.envs.procgen import (
    ACTION_NAMES,
    FORCE_RESET,
    decode_state,
    encode_state,
)

NUM_ENVS = 12
LEFT, LEFT_UP, DOWN, NONE, UP, RIGHT, RIGHT_UP = (
    ACTION_NAMES.index(name)
    for name in ("left", "left+up", "down", "none", "up", "right", "right+up")
)
# How far an agent is above the cell that it stands in, and above the centre of a crate.
ABOVE_GROUND = PLAYER_RADIUS_Y
ABOVE_CRATE = 0.5 + PLAYER_RADIUS_Y

step = jax.jit(jax.vmap(advance))


def read(env):
    """The present states of all games, as a batch."""
    return stack([host_state.from_procgen(decode_state(saved)) for saved in env.get_state()])


def stack(games):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *games)


def where(condition, chosen, otherwise):
    """Takes each game from one batch or the other."""

    def choose(x, y):
        return np.where(condition.reshape(-1, *[1] * (x.ndim - 1)), x, y)

    return jax.tree.map(choose, chosen, otherwise)


def assert_same(ours, theirs, is_compared):
    """Compares all bits of the games for which `is_compared`."""

    def check(path, our_leaf, their_leaf, exists=True):
        our_leaf, their_leaf = np.asarray(our_leaf), np.asarray(their_leaf)
        if our_leaf.dtype == np.float32:
            our_leaf, their_leaf = our_leaf.view(np.uint32), their_leaf.view(np.uint32)
        differs = (our_leaf != their_leaf) & exists
        assert not differs[is_compared].any(), jax.tree_util.keystr(path)

    # Not known in the middle of an episode.
    known = {"prev_level_seed": theirs.prev_level_seed}
    ours, theirs = ours._replace(**known), theirs._replace(**known)
    for kind in ("enemies", "trails"):
        our_group, their_group = getattr(ours, kind), getattr(theirs, kind)
        np.testing.assert_array_equal(
            our_group.exists[is_compared], their_group.exists[is_compared]
        )
        for name, their_leaf in their_group._asdict().items():
            check((kind, name), getattr(our_group, name), their_leaf, their_group.exists)
        ours, theirs = ours._replace(**{kind: None}), theirs._replace(**{kind: None})
    jax.tree_util.tree_map_with_path(check, ours, theirs)


class Players:
    """Four ways to play; half of the games run to the right, which ends episodes soonest."""

    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.last = np.full(NUM_ENVS, RIGHT)

    def actions(self):
        any_key = self.random.integers(0, len(ACTION_NAMES), NUM_ENVS)
        runs = self.random.choice([RIGHT, RIGHT_UP], NUM_ENVS, p=[0.6, 0.4])
        is_kept = self.random.random(NUM_ENVS) < 0.85
        holds = np.where(is_kept, self.last, self.random.integers(0, 9, NUM_ENVS))
        climbs = self.random.choice(
            [RIGHT, RIGHT_UP, LEFT_UP, DOWN, NONE], NUM_ENVS, p=[0.2, 0.35, 0.2, 0.1, 0.15]
        )
        self.last = np.choose(np.arange(NUM_ENVS) % 6, [any_key, runs, holds, climbs, runs, runs])
        return self.last.astype(np.int32)


@pytest.mark.parametrize("mode", ["hard", "easy"])
def test_every_step_of_many_episodes(make_env, mode):
    env = make_env(num_envs=NUM_ENVS, distribution_mode=mode, seed=4)
    players = Players(seed=4)
    ours = read(env)
    episodes = rewards = 0
    for _ in range(130):
        actions = players.actions()
        ours, outcome = jax.tree.map(np.asarray, step(ours, jnp.asarray(actions)))
        moment, theirs = env.step(actions), read(env)
        np.testing.assert_array_equal(outcome.reward, moment.reward)
        np.testing.assert_array_equal(outcome.done, moment.first)
        np.testing.assert_array_equal(outcome.level_complete, moment.level_complete)
        assert ((outcome.cause == 0) == (~moment.first | moment.level_complete)).all()
        # Where an episode has ended, Procgen is in the next level already.
        goes_on = ~moment.first
        assert_same(ours, theirs, goes_on)
        ours = where(goes_on, ours, theirs)
        episodes += moment.first.sum()
        rewards += moment.reward.sum()
    assert episodes > 10
    assert rewards > 10


def beside_walls(random, record):
    """Places where the agent's corners lie on borders of cells, and speeds that tie."""
    column = random.integers(1, 22)
    near = random.choice([0.5, 0, 0.49, 0.51, 0.01, 0.99])
    x = column + near + random.choice([0, 1e-6, -1e-6, 0.01, -0.01])
    grounds = np.flatnonzero(record.grid[:, int(x)] == WALL_TOP)
    ground = grounds.max() + 1 if len(grounds) else 1
    y = ground + ABOVE_GROUND + random.choice([0, 0, 1e-6, -1e-6, 0.1, 1, -0.3, 0.3])
    vx = random.choice([0, 0.25, -0.25, 0.5, -0.5, random.uniform(-0.5, 0.5)])
    return x, y, vx, random.choice([0, 0, -0.2, 1.5, -1.5, random.uniform(-1.5, 1.5)])


def beside_crates(random, record):
    """Places from which a fall ends on a crate, or in the side of a pile."""
    crates = record.entities[record.entities["type"] == CRATE]
    if not len(crates):
        return beside_walls(random, record)
    crate = random.choice(crates)
    side = random.choice([-1, 1])
    x = crate["x"] + side * random.uniform(0.9, 1.45)
    y = crate["y"] + ABOVE_CRATE + random.uniform(0, 1.5)
    vy = random.choice([-1.5, -1.3, random.uniform(-1.5, 0), 0])
    return x, y, -side * random.uniform(0, 0.5), vy


def speeds_at_a_border(random, record):
    """Speeds around those at which a step is divided more finely, in the open air."""
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


@pytest.mark.parametrize(
    ("place", "keys"),
    [
        (beside_walls, [NONE, LEFT, LEFT_UP, DOWN, UP, RIGHT, RIGHT_UP]),
        (beside_crates, [NONE, NONE, LEFT, DOWN, RIGHT, RIGHT_UP]),
        (speeds_at_a_border, [NONE]),
    ],
)
def test_a_step_from_places_that_play_seldom_reaches(make_env, place, keys):
    """Embedded in walls, on borders of cells, falling past piles that push the agent about."""
    env = make_env(num_envs=48, distribution_mode="hard", seed=6)
    random = np.random.default_rng(6)
    compared = 0
    for _ in range(8):
        env.step(np.full(48, FORCE_RESET))
        env.step(np.full(48, NONE))
        records = []
        for saved in env.get_state():
            record = decode_state(saved)
            entities = record.entities.copy()
            agent = np.array(place(random, record), np.float32)
            entities["x"][0], entities["y"][0], entities["vx"][0], entities["vy"][0] = agent
            # The height before the last step, which tells the crates below the agent, may be any.
            last_y = agent[1] + np.float32(random.choice([0, 0, 0, random.uniform(-1, 4)]))
            fields = {"last_agent_y": float(last_y), "is_on_crate": random.integers(0, 5) // 4}
            records.append(record._replace(entities=entities, **fields))
        env.set_state([encode_state(record) for record in records])
        ours = stack([host_state.from_procgen(record) for record in records])
        actions = random.choice(keys, 48).astype(np.int32)
        ours, outcome = jax.tree.map(np.asarray, step(ours, jnp.asarray(actions)))
        moment = env.step(actions)
        np.testing.assert_array_equal(outcome.reward, moment.reward)
        np.testing.assert_array_equal(outcome.done, moment.first)
        assert_same(ours, read(env), ~moment.first)
        compared += np.count_nonzero(~moment.first)
    assert compared > 300


# Found by an evaluation: its 70th step ends on a crate whose top the agent reaches to the last bit.
LANDING_LEVEL = 9623
LANDING = "68688536c6b768968888828886876888876888866286888888838888888888688808886e88"


def test_an_agent_lands_on_a_crate_that_it_just_reaches(make_env):
    env = make_env(num_envs=1, distribution_mode="easy", num_levels=1, start_level=LANDING_LEVEL)
    ours = read(env)
    landings = 0
    for key in LANDING:
        actions = np.array([int(key, 16)], np.int32)
        ours, outcome = jax.tree.map(np.asarray, step(ours, jnp.asarray(actions)))
        moment = env.step(actions)
        np.testing.assert_array_equal(outcome.done, moment.first)
        assert_same(ours, read(env), ~moment.first)
        landings += int(ours.player.is_on_crate[0])
    assert moment.first[0]
    assert landings
