"""Where a PPO step on the device spends its time, part by part, and how far from its floor.

From the repository's root: `python -m benchmarks.ppo_profile`. Each part of one iteration of
`coinrun` is compiled and timed alone, and the whole beside their sum. The floor of a part is the
larger of its operations at the speed of a matrix product and its bytes at the speed of a copy,
both measured here (what fits into a cache may beat the copy). The result is written after every
part, so a run that is cut off keeps them.

Operations are those of the program as written, since a compiler's library calls hide theirs; bytes
are those of the compiled program. XLA counts the body of a loop once: parts with loops (rendering,
rollout, whole step) have times only.
"""

import argparse
import functools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks._record import summary, write_result
from benchmarks.coinrun import copies_per_second
from rlvision_jax import envs
from rlvision_jax.envs.coinrun import CoinRun
from rlvision_jax.models import ACTIVATION_DTYPES
from rlvision_jax.training import PPOConfig, TrainConfig
from rlvision_jax.training.device_rollout import collect
from rlvision_jax.training.device_training import DeviceTrainer, iterate
from rlvision_jax.training.ppo_loss import Minibatch
from rlvision_jax.training.update import (
    descend,
    initial_learner,
    loss_gradient,
    samples_of,
)

_WHOLE = "whole step"


class Part(NamedTuple):
    """A piece of one iteration.

    Attributes:
      name: what it does.
      calls: how often an iteration does it.
      function: does it once.
      arguments: what it takes.
      loops: whether XLA's counts of operations and bytes leave out repetitions.
    """

    name: str
    calls: int
    function: Callable
    arguments: tuple
    loops: bool = False


def operations_per_second(dtype: str, size: int) -> float:
    """Multiplications and additions per second of a product of two square matrices."""
    matrix = jnp.ones((size, size), dtype)
    product = jax.jit(lambda a, b: a @ b)
    return 2 * size**3 / min(seconds(product, (matrix, matrix), repetitions=10))


def seconds(function: Callable, arguments: tuple, repetitions: int) -> list[float]:
    """Times of a compiled function, after one call that is not counted."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return times


def parts(trainer: DeviceTrainer) -> Iterator[Part]:
    """The pieces of one iteration, whole step last."""
    config, policy = trainer.config.ppo, trainer.policy
    learner = initial_learner(policy, config, jax.random.key(0))
    learner, playing = trainer.member(learner)
    keys = jax.random.split(jax.random.key(1), config.num_envs)
    actions = jnp.zeros(config.num_envs, jnp.int32)

    def moved(env: CoinRun, keys: Any, states: Any, actions: Any) -> Any:
        states, moment = jax.vmap(env.step)(keys, states, actions)
        return states, moment._replace(observation=moment.first)

    yield Part(
        "environment step, no frame",
        config.num_steps,
        moved,
        (trainer.env, keys, playing.env_states, actions),
        loops=True,
    )
    yield Part(
        "rendering",
        config.num_steps,
        lambda env, states: jax.vmap(lambda state: env.observe(state).observation)(states),
        (trainer.env, playing.env_states),
        loops=True,
    )
    yield Part(
        "policy in rollout",
        config.num_steps + 1,
        policy.apply,
        (learner.params, playing.observations),
    )
    shape = (config.num_steps, config.num_envs)
    key = jax.random.key(2)
    rolled = functools.partial(collect, policy, trainer.mesh, num_steps=config.num_steps)
    rollout_arguments = (trainer.env, learner.params, playing, key)
    yield Part("rollout", 1, rolled, rollout_arguments, loops=True)
    _, shapes, _ = jax.eval_shape(rolled, *rollout_arguments)
    rollout = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    yield Part(
        "advantages",
        1,
        functools.partial(samples_of, config),
        (learner.reward_scale, rollout._replace(observations=jnp.zeros((*shape, 0), jnp.uint8))),
        loops=True,
    )
    gradients = config.num_epochs * config.num_minibatches
    samples = config.minibatch_size
    frames = rollout.observations.reshape(-1, *policy.observation_shape)
    rows = jax.random.permutation(key, config.batch_size)[:samples]
    yield Part("minibatch out of the rollout", gradients, lambda x, i: x[i], (frames, rows))
    scalars = jnp.zeros(samples)
    minibatch = Minibatch(
        frames[:samples], jnp.zeros(samples, jnp.int32), scalars, scalars, scalars, scalars
    )
    step = functools.partial(loss_gradient, policy, config)
    yield Part("gradient of a minibatch", gradients, step, (learner.params, minibatch))
    share = jax.eval_shape(step, learner.params, minibatch)
    share = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), share)
    yield Part(
        "optimizer",
        gradients,
        functools.partial(descend, config),
        (learner.params, learner.optimizer_state, [share]),
    )
    del rollout, frames, minibatch
    whole = functools.partial(iterate, policy, config, trainer.mesh)
    yield Part(_WHOLE, 1, whole, (trainer.env, learner, playing, key), loops=True)


def measured(part: Part, speed: float, bandwidth: float, repetitions: int) -> dict:
    """One row of the table."""
    lowered = jax.jit(part.function).lower(*part.arguments)
    start = time.perf_counter()
    compiled = lowered.compile()
    compiling = time.perf_counter() - start
    times = seconds(compiled, part.arguments, repetitions)
    row = {
        "part": part.name,
        "calls_per_iteration": part.calls,
        "seconds_per_call": summary(times),
        "seconds_per_iteration": part.calls * float(np.median(times)),
        "compile_seconds": compiling,
    }
    if not part.loops:
        operations = float((lowered.cost_analysis() or {}).get("flops", 0.0))
        moved = float((compiled.cost_analysis() or {}).get("bytes accessed", 0.0))
        floor = max(operations / speed, moved / bandwidth)
        row |= {
            "operations": operations,
            "bytes": moved,
            "floor_seconds": floor,
            "floor_over_time": floor / float(np.median(times)),
        }
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description="Parts of a PPO step on the device.")
    parser.add_argument("--model", default="impala")
    parser.add_argument("--dtype", choices=ACTIVATION_DTYPES, default="float32")
    parser.add_argument("--num-envs", type=int, default=1024)
    parser.add_argument("--num-steps", type=int, default=256, help="steps per environment")
    parser.add_argument("--minibatches", type=int, default=8, help="per epoch")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--assets", choices=["exact", "small"], default="exact")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--matrix", type=int, default=8192, help="size of the product timed")
    parser.add_argument("--out", default="ppo_profile", help="name of the file in results/")
    parser.add_argument("--trace", help="folder for a trace of one whole step, by jax.profiler")
    arguments = parser.parse_args()
    config = TrainConfig(
        env="coinrun",
        env_options={"distribution_mode": "easy", "num_levels": 200, "assets": arguments.assets},
        model=arguments.model,
        activation_dtype=arguments.dtype,
        ppo=PPOConfig(
            num_envs=arguments.num_envs,
            num_steps=arguments.num_steps,
            num_minibatches=arguments.minibatches,
            num_epochs=arguments.epochs,
        ),
    )
    env = envs.make("coinrun", **config.env_options)
    assert isinstance(env, CoinRun)
    trainer = DeviceTrainer(config, env, devices=jax.devices()[:1])
    speed = operations_per_second(arguments.dtype, arguments.matrix)
    bandwidth = copies_per_second()
    print(f"{speed / 1e12:.2f} Tflop/s, {bandwidth / 1e9:.0f} GB/s")
    common = {
        "model": arguments.model,
        "dtype": arguments.dtype,
        "num_envs": arguments.num_envs,
        "num_steps": arguments.num_steps,
        "minibatches": arguments.minibatches,
        "epochs": arguments.epochs,
        "operations_per_second": speed,
        "bytes_per_second": bandwidth,
    }
    notes = "One device; each part compiled and timed alone; the whole step last."
    rows = []
    for part in parts(trainer):
        row = measured(part, speed, bandwidth, arguments.repetitions)
        rows.append({**common, **row})
        floor = f"{row['floor_over_time']:.0%}" if "floor_over_time" in row else ""
        print(
            f"{row['part']:30} {row['calls_per_iteration']:5} x "
            f"{row['seconds_per_call']['median'] * 1e3:9.2f} ms = "
            f"{row['seconds_per_iteration']:8.3f} s {floor:>5}",
            flush=True,
        )
        write_result(arguments.out, rows, packages=["flax", "optax"], notes=notes)
        if arguments.trace and part.name == _WHOLE:
            with jax.profiler.trace(arguments.trace):
                jax.block_until_ready(jax.jit(part.function)(*part.arguments))


if __name__ == "__main__":
    main()
