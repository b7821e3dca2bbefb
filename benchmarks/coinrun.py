"""Environment steps per second of CoinRun on the device, beside Procgen's own C++.

From the repository's root: `python -m benchmarks.coinrun`. Hard mode, backgrounds, actions that see
whole levels, games in the middle of their episodes. Procgen runs on all cores of this machine, the
device version on JAX's default device; they take turns. `--ppo` also times PPO that never leaves
the device.

The floor of drawing is the time to read and write the bytes of a frame once, at the device's own
speed of copying, measured here.
"""

import argparse
import functools
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from benchmarks._play import Wanderer
from benchmarks._record import summary, write_result
from rlvision_jax import envs
from rlvision_jax.envs import TimeStep
from rlvision_jax.envs.coinrun import CoinRun
from rlvision_jax.models import ACTIVATION_DTYPES
from rlvision_jax.training import PPOConfig, TrainConfig
from rlvision_jax.training.device_training import DeviceTrainer
from rlvision_jax.training.trainer import run_keys
from rlvision_jax.training.update import initial_learner

_FRAME_BYTES = 64 * 64 * 3
_WARM_UP_STEPS = 50


def _actions(num_envs: int, num_steps: int, seed: int) -> np.ndarray:
    wander = Wanderer(num_envs, seed)
    return np.stack([wander() for _ in range(num_steps)])


def procgen_stepper(num_envs: int) -> Callable[[np.ndarray], None]:
    """Steps Procgen's C++ on all cores."""
    env = envs.make("procgen:coinrun", num_envs=num_envs, copy=False)
    env.reset()

    def run(actions: np.ndarray) -> None:
        for row in actions:
            env.step(row)

    return run


def device_stepper(env: CoinRun, num_envs: int, *, draws: bool) -> Callable[[np.ndarray], None]:
    """Steps the device version in one compiled loop that writes every frame to memory."""

    @functools.partial(jax.jit, donate_argnums=1)
    def many(env: CoinRun, carry: tuple, actions: Array) -> tuple:
        def one(carry: tuple, actions: Array) -> tuple[tuple, None]:
            keys = jax.random.split(jax.random.key(0), num_envs)
            states, moment = jax.vmap(env.step)(keys, carry[0], actions)
            return (states, moment if draws else _blind(moment)), None

        carry, _ = jax.lax.scan(one, carry, actions)
        return carry

    states, moment = jax.jit(lambda env, keys: jax.vmap(env.reset)(keys))(
        env, jax.random.split(jax.random.key(1), num_envs)
    )
    # Copied: some fields of a first moment are the state's own, and what is donated must be apart.
    carry = jax.tree.map(jnp.copy, (states, moment if draws else _blind(moment)))

    def run(actions: np.ndarray) -> None:
        nonlocal carry
        carry = jax.block_until_ready(many(env, carry, actions))

    return run


def _blind(moment: TimeStep) -> TimeStep:
    """Without the frames, which then need not be drawn."""
    return moment._replace(observation=moment.first)


def copies_per_second(size: int = 2**28, repetitions: int = 10) -> float:
    """Bytes read and written per second by copying on the device."""
    array = jnp.zeros(size // 4, jnp.uint32)
    copy = jax.jit(lambda x: x + jnp.uint32(1))
    jax.block_until_ready(copy(array))
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        jax.block_until_ready(copy(array))
        times.append(time.perf_counter() - start)
    return 2 * size / min(times)


def measure(env: CoinRun, num_envs: int, num_steps: int, repetitions: int) -> list[dict]:
    """One row for each contestant."""
    contestants = {
        "procgen": procgen_stepper(num_envs),
        "device": device_stepper(env, num_envs, draws=True),
        "device without drawing": device_stepper(env, num_envs, draws=False),
    }
    steps = max(1, num_steps // num_envs)
    first = {}
    for name, run in contestants.items():
        start = time.perf_counter()
        run(_actions(num_envs, steps, seed=0))
        first[name] = time.perf_counter() - start
        for seed in range(-(-_WARM_UP_STEPS // steps)):
            run(_actions(num_envs, steps, seed=seed))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for repetition in range(repetitions):
        actions = _actions(num_envs, steps, seed=repetition)
        for name in order:
            start = time.perf_counter()
            contestants[name](actions)
            times[name].append(time.perf_counter() - start)
        order = order[1:] + order[:1]
    return [
        {
            "contestant": name,
            "num_envs": num_envs,
            "env_steps_per_second": summary([steps * num_envs / t for t in times[name]]),
            "speed_over_procgen": summary(
                [p / t for p, t in zip(times["procgen"], times[name], strict=True)]
            ),
            "first_run_seconds": first[name],
        }
        for name in contestants
    ]


def measure_ppo(model: str, dtype: str, num_envs: int, num_steps: int, repetitions: int) -> dict:
    """PPO end to end on the device: rollout and update, 3 epochs of 8 minibatches."""
    ppo = PPOConfig(num_envs=num_envs, num_steps=num_steps)
    config = TrainConfig(
        env="coinrun", env_options={}, model=model, activation_dtype=dtype, ppo=ppo
    )
    trainer = DeviceTrainer(config, envs.make("coinrun"))
    init_key, _, update_key = run_keys(config.seed)
    learner = initial_learner(trainer.policy, ppo, init_key)
    seconds = []
    for key in jax.random.split(update_key, repetitions + 1):
        outcome = trainer.iterate(learner, key)
        learner = outcome.learner
        seconds.append(outcome.seconds)
    return {
        "contestant": f"PPO, {model}",
        "activation_dtype": dtype,
        "num_envs": num_envs,
        "num_steps": num_steps,
        "env_steps_per_second": summary([ppo.batch_size / each for each in seconds[1:]]),
        "first_run_seconds": seconds[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="CoinRun steps per second, device and Procgen.")
    parser.add_argument("--num-envs", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--num-steps", type=int, default=16_384, help="env steps per repetition")
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--ppo", nargs="*", default=[], metavar="MODEL", help="networks for PPO")
    parser.add_argument("--ppo-dtype", choices=ACTIVATION_DTYPES, default="float32")
    parser.add_argument("--ppo-envs", type=int, default=1024)
    parser.add_argument("--ppo-steps", type=int, default=64)
    arguments = parser.parse_args()
    env = jax.device_put(envs.make("coinrun"))
    bandwidth = copies_per_second()
    rows: list[dict] = [
        {
            "contestant": "floor",
            "copy_bytes_per_second": bandwidth,
            "frames_per_second": bandwidth / (2 * _FRAME_BYTES),
        }
    ]
    for num_envs in arguments.num_envs:
        rows += measure(env, num_envs, arguments.num_steps, arguments.repetitions)
        for row in rows[-3:]:
            speed, ratio = row["env_steps_per_second"], row["speed_over_procgen"]
            print(
                f"{num_envs} {row['contestant']}: {speed['median']:.0f} steps/s, "
                f"{ratio['median']:.2f} of Procgen",
                flush=True,
            )
    for model in arguments.ppo:
        sizes = arguments.ppo_envs, arguments.ppo_steps
        rows.append(measure_ppo(model, arguments.ppo_dtype, *sizes, repetitions=3))
        print(rows[-1], flush=True)
    notes = "Hard mode with backgrounds, 64x64 frames. first_run_seconds includes compiling."
    print(write_result("coinrun", rows, notes=notes))


if __name__ == "__main__":
    main()
