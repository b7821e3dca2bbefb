"""Games to draw, and Procgen's pictures of them, for the tests of what is drawn."""

import dataclasses

import jax
import numpy as np

from rlvision_jax.envs.coinrun import host_state
from rlvision_jax.envs.coinrun import types as t
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import MAX_ENEMIES, TRAIL_AGES
from rlvision_jax.envs.procgen import ACTION_NAMES, ProcgenEnv, decode_state, encode_state
from rlvision_jax.envs.procgen_config import ProcgenConfig

CELLS = np.array([100, 100, 100, 100, 1, 15, 16, 17, 18, 18, 19], np.uint8)
RIGHT = [ACTION_NAMES.index(name) for name in ("right", "right+up")]


def played(config: CoinRunConfig, *, num_envs: int, num_steps: int, every: int, seed: int = 0):
    """Frames of Procgen's games and their states; the agent mostly runs and jumps to the right."""
    random = np.random.default_rng(seed)
    weights = np.full(len(ACTION_NAMES), 0.3 / len(ACTION_NAMES))
    weights[RIGHT] += 0.35
    env = ProcgenEnv(ProcgenConfig(num_envs=num_envs, seed=seed, **procgen_options(config)))
    frames, states = [env.reset().observation], [*map(decode_state, env.get_state())]
    for step in range(1, num_steps + 1):
        moment = env.step(random.choice(len(ACTION_NAMES), num_envs, p=weights))
        if step % every == 0:
            frames.append(moment.observation)
            states += map(decode_state, env.get_state())
    env.close()
    return np.concatenate(frames), stacked([host_state.from_procgen(state) for state in states])


def drawn_by_procgen(config: CoinRunConfig, states: t.State) -> np.ndarray:
    """Procgen's frames of the device's states."""
    count = len(states.time)
    env = ProcgenEnv(ProcgenConfig(num_envs=count, **procgen_options(config)))
    games = [jax.tree.map(lambda field, i=i: np.asarray(field)[i], states) for i in range(count)]
    env.set_state([encode_state(host_state.to_procgen(game, config)) for game in games])
    frames = env.observe().observation
    env.close()
    return frames


def scribbled(count: int, seed: int = 0) -> t.State:
    """States that no level has: cells and sprites at random, crowds, the agent anywhere."""
    random = np.random.default_rng(seed)
    _, states = played(CoinRunConfig(), num_envs=count, num_steps=1, every=2, seed=seed)
    crates = random.integers(0, 5, (2, count, 64, 64))
    sprites = random.integers(0, 2, (count, 64, 64)) | crates[0] << 1 | crates[1] << 4
    is_there = random.random((count, 64, 64)) < 0.15
    x, y = random.uniform(-3, 67, (2, count)).astype(np.float32)
    trails = (TRAIL_AGES, MAX_ENEMIES)

    def near(center, shape, reach):
        offsets = random.uniform(-reach, reach, (count, *shape))
        return (center.reshape(-1, *[1] * len(shape)) + offsets).astype(np.float32)

    def flags(*shape):
        return random.random((count, *shape)) < 0.5

    return states._replace(
        grid=random.choice(CELLS, (count, 64, 64)),
        sprites=np.where(is_there, sprites, 0).astype(np.uint8),
        player=states.player._replace(
            x=x,
            y=y,
            vx=random.uniform(-0.6, 0.6, count).astype(np.float32),
            vy=random.uniform(-1.6, 1.6, count).astype(np.float32),
            action_vx=random.integers(-1, 2, count, np.int32),
            theme=random.integers(0, 5, count, np.int32),
            faces_left=flags(),
            has_support=flags(),
        ),
        enemies=t.Enemies(
            x=near(x, (MAX_ENEMIES,), 8),
            y=near(y, (MAX_ENEMIES,), 8),
            vx=random.uniform(-0.15, 0.15, (count, MAX_ENEMIES)).astype(np.float32),
            theme=random.integers(0, 9, (count, MAX_ENEMIES), np.uint8),
            exists=flags(MAX_ENEMIES),
        ),
        trails=t.Trails(x=near(x, trails, 4), y=near(y, trails, 4), exists=flags(*trails)),
        scenery=t.Scenery(
            ground_theme=random.integers(0, 6, count, np.int32),
            background=random.integers(0, 62, count, np.int32),
            background_shift=random.uniform(0, 1, count).astype(np.float32),
        ),
        time=random.integers(0, 1000, count, np.int32),
    )


def procgen_options(config: CoinRunConfig) -> dict:
    """The config as options of Procgen's environment."""
    # What the device alone has stays at its default here.
    known = {field.name for field in dataclasses.fields(ProcgenConfig)}
    options = {name: value for name, value in vars(config).items() if name in known}
    return {"game": "coinrun", "num_threads": 1, **options}


def stacked(games: list) -> t.State:
    return jax.tree.map(lambda *fields: np.stack(fields), *games)
