"""A game that lives on the device, small enough to follow by hand, and its host version."""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from uncut_policy import UncutPolicy

from rlvision_jax.envs import TimeStep

SHAPE = (4, 4, 3)


@dataclasses.dataclass(frozen=True)
class LinearPolicy(UncutPolicy):
    """Policy logits and value are linear in the brightness of the frame's four rows."""

    def __post_init__(self):
        # As a list where an agent is loaded.
        object.__setattr__(self, "observation_shape", tuple(self.observation_shape))

    def init(self, key):
        return {"kernel": 0.01 * jax.random.normal(key, (4, self.num_actions + 1))}

    def apply(self, params, observations):
        outputs = observations[:, :, 0, 0] / 255.0 @ params["kernel"]
        return outputs[:, :-1], outputs[:, -1]


class Game(NamedTuple):
    """Everything of one game: what is shown, where it stands, and where levels come from."""

    signal: jax.Array
    time: jax.Array
    level_seed: jax.Array
    prev_level_seed: jax.Array
    level_set: jax.Array


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("frames", "level_set"), meta_fields=("name",)
)
@dataclasses.dataclass(frozen=True)
class SignalEnv:
    """Every frame shows one of four signals; naming it is rewarded with 1.

    An episode on level n takes n % 3 + 2 steps; it is complete if its last signal was named. The
    episodes of levels divisible by 5 are truncated, the others terminated. A level's successor
    is the one after the next, within the set.
    """

    frames: jax.Array
    level_set: jax.Array
    name: str = "signal"

    num_actions = 4
    observation_shape = SHAPE

    def reset(self, key, level_set=None):
        level_set = self.level_set if level_set is None else level_set
        seed_key, signal_key = jax.random.split(key)
        seed = jax.random.randint(seed_key, (), level_set[0], level_set[1])
        zero = jnp.int32(0)
        game = Game(jax.random.randint(signal_key, (), 0, 4), zero, seed, zero, level_set)
        return game, self._moment(game, jnp.float32(0), jnp.bool_(False), jnp.bool_(False))

    def step(self, key, state, action):
        right = action == state.signal
        time = state.time + 1
        done = time == state.level_seed % 3 + 2
        low, high = state.level_set
        game = Game(
            signal=jax.random.randint(key, (), 0, 4),
            time=jnp.where(done, 0, time),
            level_seed=jnp.where(
                done, low + (state.level_seed - low + 2) % (high - low), state.level_seed
            ),
            prev_level_seed=jnp.where(done, state.level_seed, state.prev_level_seed),
            level_set=state.level_set,
        )
        return game, self._moment(game, right.astype(jnp.float32), done, done & right)

    def _moment(self, game, reward, done, complete):
        truncated = done & (game.prev_level_seed % 5 == 0)
        return TimeStep(
            observation=self.frames[game.signal],
            reward=reward,
            terminated=done & ~truncated,
            truncated=truncated,
            first=game.time == 0,
            level_seed=game.level_seed,
            prev_level_seed=game.prev_level_seed,
            level_complete=complete,
        )


def make(num_levels=20, start_level=0, name="signal"):
    frames = np.zeros((4, *SHAPE), np.uint8)
    for signal in range(4):
        frames[signal, signal] = 255
    return SignalEnv(
        jnp.asarray(frames), jnp.asarray([start_level, start_level + num_levels]), name=name
    )


class SignalBatch:
    """The same game behind the contract of host environments."""

    num_actions = 4
    observation_shape = SHAPE

    def __init__(self, env, num_envs, key, step_key=None):
        self.name, self.num_envs = env.name, num_envs
        self._env = env
        self._step_key = jax.random.key(0) if step_key is None else step_key
        self._count = 0
        self._games, moment = jax.vmap(env.reset)(jax.random.split(key, num_envs))
        self._moment = TimeStep(*map(np.asarray, moment))

    def reset(self):
        return self._moment

    def observe(self):
        return self._moment

    def step(self, actions):
        self.send(actions)
        return self.recv()

    def send(self, actions):
        keys = jax.random.split(jax.random.fold_in(self._step_key, self._count), self.num_envs)
        self._count += 1
        self._games, moment = _step(self._env, keys, self._games, jnp.asarray(actions))
        self._moment = TimeStep(*map(np.asarray, moment))

    def recv(self):
        return self._moment

    def get_state(self):
        rows = np.concatenate(
            [np.asarray(x).reshape(self.num_envs, -1) for x in self._games], axis=1
        )
        return [np.append(row, self._count).astype(np.int32).tobytes() for row in rows]

    def set_state(self, states):
        rows = np.stack([np.frombuffer(state, np.int32) for state in states])
        self._count = int(rows[0, -1])
        self._games = Game(*jnp.asarray(rows[:, :4].T), level_set=jnp.asarray(rows[:, 4:6]))
        moment = jax.vmap(self._env._moment)(
            self._games, *(jnp.zeros(self.num_envs, kind) for kind in (float, bool, bool))
        )
        self._moment = TimeStep(*map(np.asarray, moment))

    def close(self):
        pass


@jax.jit
def _step(env, keys, games, actions):
    return jax.vmap(env.step)(keys, games, actions)
