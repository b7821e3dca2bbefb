"""Whether CoinRun on the device is Procgen's CoinRun, level by level, step by step, pixel by pixel.

From the repository's root: `python -m benchmarks.parity --episodes 2000`. Both play the same
actions from the same `seed`, and take single steps from places that play seldom reaches; everything
that a time step holds is compared at every step. So are whole levels from their seeds. Exits with 1
unless all agree: levels, single steps, rewards, ends and level seeds always; of the frames of play
at least 99.9% in every pixel, and no pixel off by more than one.
"""

import argparse
import sys

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._one_step import PLACES, compare_steps
from benchmarks._play import Wanderer
from benchmarks._record import write_result
from rlvision_jax import checkpoint, envs
from rlvision_jax.envs import FORCE_RESET, HostEnv, TimeStep
from rlvision_jax.envs.coinrun import CoinRunConfig, from_procgen, generate_level
from rlvision_jax.envs.procgen import decode_state
from rlvision_jax.training import evaluate

MODES = ("easy", "hard")
_LEVELS_AT_ONCE = 256
_SCALARS = tuple(name for name in TimeStep._fields if name != "observation")


def compare_levels(mode: str, count: int) -> dict[str, object]:
    """Makes `count` random levels in both worlds and counts those that differ."""
    options = {"distribution_mode": mode, "num_envs": _LEVELS_AT_ONCE}
    procgen = envs.make("procgen:coinrun", seed=1, **options)
    config = CoinRunConfig(distribution_mode=mode)
    generate = jax.jit(jax.vmap(lambda seed: generate_level(seed, config)))
    compared, different = 0, []
    moment = procgen.reset()
    while compared < count:
        levels = jax.device_get(generate(jnp.asarray(moment.level_seed)))
        for index, state in enumerate(procgen.get_state()):
            game = from_procgen(decode_state(state), config)
            level = jax.tree.map(lambda leaf, index=index: leaf[index], levels)
            theirs = (
                game.level_seed,
                game.grid,
                game.sprites,
                _occupied(game.enemies),
                game.player.theme,
                game.scenery,
                game.step_rng,
            )
            ours = level._replace(enemies=_occupied(level.enemies))
            same = jax.tree.map(np.array_equal, jax.tree.leaves(theirs), jax.tree.leaves(ours))
            if not all(same):
                different.append(int(moment.level_seed[index]))
        compared += _LEVELS_AT_ONCE
        moment = procgen.step(np.full(_LEVELS_AT_ONCE, FORCE_RESET, np.int32))
    procgen.close()
    return {
        "part": "levels",
        "mode": mode,
        "levels": compared,
        "levels_different": len(different),
        "first_different_seeds": different[:10],
    }


def _occupied(enemies: tuple) -> list[np.ndarray]:
    """The enemies without the empty slots."""
    exists = np.asarray(enemies[-1])
    return [np.asarray(values)[exists] for values in enemies]


def compare_episodes(
    mode: str, episodes: int, num_envs: int, *, paint_velocity: bool, seed: int
) -> dict[str, object]:
    """Plays both side by side until `episodes` have ended, and counts what differs."""
    options = {"distribution_mode": mode, "paint_velocity": paint_velocity}
    options |= {"num_envs": num_envs, "seed": seed}
    worlds: tuple[HostEnv, HostEnv] = (
        envs.make("procgen:coinrun", **options, copy=False),
        envs.make_host("coinrun", **options),
    )
    wander = Wanderer(num_envs, seed)
    steps = frames = frames_different = pixels_different = largest = ended = completed = 0
    differences = dict.fromkeys(_SCALARS, 0)
    seeds = set()
    theirs, ours = (world.reset() for world in worlds)
    while True:
        off = np.abs(theirs.observation.astype(np.int16) - ours.observation)
        frames += num_envs
        frames_different += int(off.any(axis=(1, 2, 3)).sum())
        pixels_different += int(off.any(axis=3).sum())
        largest = max(largest, int(off.max()))
        for name in _SCALARS:
            differences[name] += int((getattr(theirs, name) != getattr(ours, name)).sum())
        ended += int((theirs.terminated | theirs.truncated).sum())
        completed += int(theirs.level_complete.sum())
        seeds |= set(theirs.level_seed.tolist())
        if ended >= episodes:
            break
        actions = wander()
        for world in worlds:
            world.send(actions)
        theirs, ours = (world.recv() for world in worlds)
        steps += num_envs
    for world in worlds:
        world.close()
    return {
        "part": "episodes",
        "mode": mode,
        "paint_velocity": paint_velocity,
        "seed": seed,
        "env_steps": steps,
        "episodes": ended,
        "episodes_completed": completed,
        "levels": len(seeds),
        "frames": frames,
        "frames_different": frames_different,
        "pixels_different": pixels_different,
        "largest_pixel_difference": largest,
        "differences": differences,
    }


def compare_places(mode: str, count: int, num_envs: int, *, seed: int) -> list[dict[str, object]]:
    """Single steps from placed states, `count` from each kind of place."""
    options = {"distribution_mode": mode, "num_envs": num_envs, "seed": seed}
    worlds = envs.make("procgen:coinrun", **options), envs.make_host("coinrun", **options)
    for world in worlds:
        world.reset()
    rows = [
        {"part": "steps", "mode": mode, "places": name, **compare_steps(worlds, place, seed, count)}
        for name, place in PLACES.items()
    ]
    for world in worlds:
        world.close()
    return rows


class Recorded:
    """A host environment that remembers how each level ended."""

    def __init__(self, env: HostEnv):
        self._env = env
        self.name, self.num_envs = env.name, env.num_envs
        self.num_actions, self.observation_shape = env.num_actions, env.observation_shape
        self.ends: list[tuple[int, int, bool, float]] = []

    def reset(self) -> TimeStep:
        return self._env.reset()

    def step(self, actions: np.ndarray) -> TimeStep:
        moment = self._env.step(actions)
        for index in np.flatnonzero(moment.terminated | moment.truncated):
            end = (moment.prev_level_seed, moment.level_complete, moment.reward)
            seed, complete, reward = (values[index] for values in end)
            self.ends.append((int(index), int(seed), bool(complete), float(reward)))
        return moment


def compare_policy(agent: str, num_levels: int, num_envs: int) -> dict[str, object]:
    """Evaluates an agent in both worlds on the same levels, and compares them level by level."""
    policy, params, config = checkpoint.load(checkpoint.shipped(agent))
    ends, results = [], []
    for name in ("procgen:coinrun", "coinrun"):
        env = envs.make_host(name, num_envs=num_envs, seed=0, **config["env_options"])
        recorded = Recorded(env)
        results.append(evaluate(policy, params, recorded, jax.random.key(0), num_levels))  # type: ignore[arg-type]
        ends.append(recorded.ends)
        env.close()
    return {
        "part": "policy",
        "agent": agent,
        "options": config["env_options"],
        "levels_counted": num_levels,
        "completed_in_procgen": results[0].num_completed,
        "completed_on_device": results[1].num_completed,
        "levels_ended": len(ends[0]),
        "levels_that_ended_otherwise": sum(a != b for a, b in zip(*ends, strict=True)),
        "evaluations_equal": results[0] == results[1],
    }


def agrees(row: dict) -> bool:
    """Whether a row is within what docs/coinrun.md claims."""
    if row["part"] == "levels":
        return row["levels_different"] == 0
    if row["part"] == "steps":
        return row["steps_different"] == row["frames_different"] == 0
    if row["part"] == "policy":
        return row["evaluations_equal"] and row["levels_that_ended_otherwise"] == 0
    identical = 1.0 - row["frames_different"] / row["frames"]
    exact = not any(row["differences"].values())
    return exact and identical >= 0.999 and row["largest_pixel_difference"] <= 1


def main() -> None:
    parser = argparse.ArgumentParser(description="CoinRun on the device against Procgen's.")
    parser.add_argument("--episodes", type=int, default=2000, help="episodes in all")
    parser.add_argument("--levels", type=int, default=20_000, help="levels made from seeds, in all")
    parser.add_argument("--steps", type=int, default=20_000, help="from placed states, in all")
    parser.add_argument("--policy-levels", type=int, default=2000, help="played by the agent")
    parser.add_argument("--num-envs", type=int, default=64, help="games played side by side")
    parser.add_argument("--seed", type=int, default=0, help="first of the seeds of level streams")
    arguments = parser.parse_args()
    rows = []
    for mode in MODES:
        rows.append(compare_levels(mode, arguments.levels // len(MODES)))
        print(rows[-1], flush=True)
        share = arguments.steps // (len(MODES) * len(PLACES))
        rows += compare_places(mode, share, arguments.num_envs, seed=arguments.seed)
        print(*rows[-len(PLACES) :], sep="\n", flush=True)
    cases = [(mode, paint) for mode in MODES for paint in (False, True)]
    for seed, (mode, paint_velocity) in enumerate(cases, start=arguments.seed):
        share = arguments.episodes // len(cases)
        rows.append(
            compare_episodes(
                mode, share, arguments.num_envs, paint_velocity=paint_velocity, seed=seed
            )
        )
        print(rows[-1], flush=True)
    if arguments.policy_levels:
        rows.append(compare_policy("coinrun", arguments.policy_levels, arguments.num_envs))
        print(rows[-1], flush=True)
    notes = (
        "Procgen 0.10.7 (wheel procgen-mirror) and rlvision_jax's CoinRun play the same actions; "
        "every field of every time step is compared. Half of the games press right and jump."
    )
    print(write_result("parity", rows, notes=notes))
    failed = [row for row in rows if not agrees(row)]
    if failed:
        sys.exit(f"{len(failed)} of {len(rows)} comparisons differ more than is claimed")


if __name__ == "__main__":
    main()
