"""Whether XLA rounds every operation of CoinRun for itself, as Procgen's C++ does.

From the repository's root: `python -m benchmarks.roundings`. XLA's simplifier adds up constants
first where it can, and so rounds once where Procgen rounds twice. Two processes step and draw the
same states, one of them without that simplifier; what comes out must be equal in every bit. The
states are from play, with agents anywhere in the world, half of them on borders of rows: far more
of them than Procgen itself can be brought into, see `benchmarks.parity`. Exits with 1 if any
differs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt32

from benchmarks._one_step import present_states
from benchmarks._play import Wanderer
from benchmarks._record import write_result
from rlvision_jax import envs
from rlvision_jax.envs.coinrun import CoinRunConfig, State, advance, load_assets, render
from rlvision_jax.envs.coinrun.constants import PLAYER_RADIUS_Y

MODES = ("easy", "hard")
_AT_ONCE = 4096
_GAMES, _EVERY, _TIMES = 64, 12, 5
_WITHOUT = "--xla_disable_hlo_passes=algsimp"


def states_of_play(mode: str) -> State:
    """States of games at different times, as a batch."""
    env = envs.make_host(
        "coinrun", num_envs=_GAMES, seed=5, distribution_mode=mode, paint_velocity=True
    )
    wander = Wanderer(_GAMES, seed=5)
    env.reset()
    kept = []
    for step in range(_TIMES * _EVERY):
        env.step(wander())
        if (step + 1) % _EVERY == 0:
            kept.append(present_states(env))
    return jax.tree.map(lambda *fields: np.concatenate(fields), *kept)


def placed_anywhere(states: State, random: np.random.Generator) -> State:
    """As many states as are stepped at once, with other agents and enemies in other rows."""

    def either(share: float, chosen: np.ndarray, otherwise: np.ndarray | float) -> np.ndarray:
        return np.where(random.random(_AT_ONCE) < share, chosen, otherwise).astype(np.float32)

    def uniform(low: float, high: float) -> np.ndarray:
        return random.uniform(low, high, _AT_ONCE).astype(np.float32)

    index = np.arange(_AT_ONCE) % len(states.time)
    states = jax.tree.map(lambda field: field[index], states)
    on_border = random.integers(1, 62, _AT_ONCE).astype(np.float32) + np.float32(PLAYER_RADIUS_Y)
    y = either(0.5, on_border, uniform(1, 62))
    player = states.player._replace(
        x=either(0.5, states.player.x + uniform(-2, 2), uniform(1, 62)),
        y=y,
        vx=uniform(-0.5, 0.5),
        vy=either(0.5, uniform(-1.5, 1.5), 0),
        last_y=y + either(0.5, uniform(-1, 2), 0),
    )
    rows = random.integers(-2, 30, (_AT_ONCE, 1)).astype(np.float32)
    enemies = states.enemies._replace(y=states.enemies.y + rows)
    return states._replace(player=player, enemies=enemies)


def digest(leaf: Array) -> UInt32[Array, ""]:
    """A number that changes with nearly any bit of an array."""
    words = leaf.view(jnp.uint32) if leaf.dtype == jnp.float32 else leaf.astype(jnp.uint32)
    weights = jnp.arange(words.size, dtype=jnp.uint32) * np.uint32(2654435761) | np.uint32(1)
    return jnp.sum(words.ravel() * weights, dtype=jnp.uint32)


def work(mode: str, count: int, path: Path) -> None:
    """Steps and draws `count` states or a few more; saves a row of digests for each."""
    config = CoinRunConfig(distribution_mode=mode, paint_velocity=True)
    assets, states = load_assets(config), states_of_play(mode)

    @jax.jit
    @jax.vmap
    def digests(state: State, action: Int32[Array, ""]) -> UInt32[Array, " leaf"]:
        state, outcome = advance(state, action)
        frame = render(assets, config, state)
        leaves = jax.tree.leaves((state.player, state.enemies, state.trails, outcome, frame))
        return jnp.stack([digest(leaf) for leaf in leaves])

    random = np.random.default_rng(0)
    rows = []
    while len(rows) * _AT_ONCE < count:
        actions = random.integers(0, 9, _AT_ONCE).astype(np.int32)
        rows.append(np.asarray(digests(placed_anywhere(states, random), actions)))
    np.save(path, np.concatenate(rows))


def compare(mode: str, count: int) -> dict[str, object]:
    """Runs both processes and counts the states and frames that differ."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for name, flags in (("with", ""), ("without", _WITHOUT)):
            path = Path(folder) / f"{name}.npy"
            command = [sys.executable, "-m", "benchmarks.roundings", "--mode", mode]
            command += ["--states", str(count), "--into", str(path)]
            flags = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
            subprocess.run(command, check=True, env={**os.environ, "XLA_FLAGS": flags})
            found.append(np.load(path))
    differs = found[0] != found[1]
    return {
        "mode": mode,
        "states": len(differs),
        "states_different": int(differs[:, :-1].any(1).sum()),
        "frames_different": int(differs[:, -1].sum()),
    }


def main() -> None:
    """Compares, and writes `results/roundings.json`."""
    parser = argparse.ArgumentParser(description="CoinRun with XLA's simplifier and without.")
    parser.add_argument("--states", type=int, default=500_000, help="in each mode")
    parser.add_argument("--mode", choices=MODES, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.into:
        work(arguments.mode, arguments.states, arguments.into)
        return
    rows = []
    for mode in MODES:
        rows.append(compare(mode, arguments.states))
        print(rows[-1], flush=True)
    notes = f"Without: XLA_FLAGS={_WITHOUT}. Digests of 32 bits of every state and frame."
    print(write_result("roundings", rows, notes=notes))
    if any(row["states_different"] or row["frames_different"] for row in rows):
        sys.exit("XLA's simplifier changes what CoinRun computes")


if __name__ == "__main__":
    main()
