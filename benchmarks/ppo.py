"""Training steps per second of our PPO and of a torch PPO of the same network, on CPU.

From the repository's root: `pip install torch` (CPU), then `python -m benchmarks.ppo`.

One repetition is a rollout of Procgen CoinRun (easy, 64 environments) and its update, 3 epochs of 8
minibatches. The two take turns in one process, and who begins rotates. Before that, both get the
same parameters and samples and must give the same loss and gradient.
"""

import argparse
import os
import time

import jax
import numpy as np
import torch

from benchmarks._record import summary, write_result
from benchmarks._torch_ppo import TorchPolicy, TorchPPO, loss_of
from rlvision_jax import envs, models
from rlvision_jax._types import Params
from rlvision_jax.envs import HostEnv
from rlvision_jax.models import Policy
from rlvision_jax.training import PPOConfig
from rlvision_jax.training.ppo_loss import Minibatch, ppo_loss
from rlvision_jax.training.rollout import Collector
from rlvision_jax.training.update import initial_learner, make_update

NETWORKS = ("impala", "clear", "nature")


def make_env(num_envs: int, seed: int) -> HostEnv:
    return envs.make(
        "procgen:coinrun",
        num_envs=num_envs,
        seed=seed,
        distribution_mode="easy",
        num_levels=200,
        num_threads=os.cpu_count() or 1,
        copy=False,
    )


class Ours:
    """Rollout in two groups and update, as `rlvision_jax.training.train` runs them."""

    def __init__(self, policy: Policy, config: PPOConfig):
        self._policy, self._config = policy, config
        half = config.num_envs // 2
        self._collector = Collector([make_env(half, seed) for seed in (1, 2)])
        self._learner = initial_learner(policy, config, jax.random.key(0))
        self._update = make_update(policy, config)
        self._key = jax.random.key(1)

    @property
    def params(self) -> Params:
        return self._learner.params

    def collect(self) -> None:
        key, self._key = jax.random.split(self._key)
        self._rollout, _ = self._collector.collect(
            self._policy, self._learner.params, key, self._config.num_steps
        )

    def update(self) -> None:
        key, self._key = jax.random.split(self._key)
        self._learner, _ = jax.block_until_ready(self._update(self._learner, self._rollout, key))


def ordered(params: Params) -> list[np.ndarray]:
    """Parameters in torch's order and layouts: from the frame on, weight before bias."""
    params = params["params"]
    heads = params["heads"]
    modules = []
    for name in sorted(set(params) - {"heads"}, key=lambda name: (name.startswith("dense"), name)):
        module = params[name]
        modules += [module] if "kernel" in module else _stack(module)
    arrays = []
    for module in (*modules, heads["policy"], heads["value"]):
        kernel = np.asarray(module["kernel"])
        axes = (3, 2, 0, 1) if kernel.ndim == 4 else (1, 0)
        arrays += [kernel.transpose(axes), np.asarray(module["bias"])]
    return arrays


def _stack(module: Params) -> list[Params]:
    blocks = [module[block][conv] for block in ("block1", "block2") for conv in ("conv1", "conv2")]
    return [module["conv"], *blocks]


def check_same_gradient(ours: Ours, policy: Policy, peer: TorchPolicy, config: PPOConfig) -> float:
    """Gives the peer our parameters; returns the largest relative difference of a gradient."""
    with torch.no_grad():
        for parameter, array in zip(peer.parameters(), ordered(ours.params), strict=True):
            parameter.copy_(torch.from_numpy(array.copy()))
    rng = np.random.default_rng(0)
    n = 32
    minibatch = Minibatch(
        observations=rng.integers(0, 256, (n, 64, 64, 3), dtype=np.uint8),
        actions=rng.integers(0, 15, n, dtype=np.int32),
        log_probs=np.full(n, -np.log(15) + 0.1, np.float32),
        values=rng.normal(size=n).astype(np.float32),
        advantages=rng.normal(size=n).astype(np.float32),
        targets=rng.normal(size=n).astype(np.float32),
    )
    (loss, _), gradient = jax.value_and_grad(
        lambda params: ppo_loss(policy, params, minibatch, config), has_aux=True
    )(ours.params)
    tensors = {name: torch.from_numpy(array) for name, array in minibatch._asdict().items()}
    tensors["actions"] = tensors["actions"].long()
    peer_loss = loss_of(peer, tensors, config)
    peer_loss.backward()
    # float32 sums over 32 frames of up to 4,096 positions in another order.
    np.testing.assert_allclose(peer_loss.item(), loss, rtol=1e-4)
    differences = []
    for parameter, array in zip(peer.parameters(), ordered(gradient), strict=True):
        assert parameter.grad is not None
        error = np.linalg.norm(parameter.grad.numpy() - array)
        differences.append(error / np.linalg.norm(array))
    # A unit within rounding of its ReLU's corner may fall on either side: one of half a million
    # (16 channels of 32x32 in 32 frames) moves a kernel's gradient by about 1.4e-3 of its norm.
    # impala has one here: parameters changed by 1e-7 of themselves move the gradient by 2.2e-3.
    assert max(differences) < 1e-2, differences
    return float(max(differences))


def timed(contestant: Ours | TorchPPO) -> dict[str, float]:
    start = time.perf_counter()
    contestant.collect()
    middle = time.perf_counter()
    contestant.update()
    return {"rollout": middle - start, "update": time.perf_counter() - middle}


def measure(network: str, config: PPOConfig, repetitions: int) -> list[dict]:
    """One row for each contestant."""
    policy = models.make(network, num_actions=15)
    ours = Ours(policy, config)
    peer = TorchPolicy(network, 15)
    difference = check_same_gradient(ours, policy, peer, config)
    contestants = {"ours": ours, "torch": TorchPPO(peer, make_env(config.num_envs, 1), config)}
    first = {name: sum(timed(contestant).values()) for name, contestant in contestants.items()}
    times: dict[str, list[dict[str, float]]] = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(repetitions):
        for name in order:
            times[name].append(timed(contestants[name]))
        order = order[1:] + order[:1]
    totals = {name: [sum(each.values()) for each in times[name]] for name in contestants}
    return [
        {
            "network": network,
            "contestant": name,
            "num_envs": config.num_envs,
            "num_steps": config.num_steps,
            "minibatch_samples": config.minibatch_size,
            "env_steps_per_second": summary([config.batch_size / t for t in totals[name]]),
            "rollout_seconds": summary([each["rollout"] for each in times[name]]),
            "update_seconds": summary([each["update"] for each in times[name]]),
            "first_repetition_seconds": first[name],
            "speed_over_torch": summary(
                [t / mine for t, mine in zip(totals["torch"], totals[name], strict=True)]
            ),
            "largest_relative_gradient_difference": difference,
        }
        for name in contestants
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="PPO steps per second, ours and torch's.")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--num-steps", type=int, default=32, help="steps per environment")
    parser.add_argument("--repetitions", type=int, default=5, help="rollouts and updates of each")
    arguments = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    config = PPOConfig(num_steps=arguments.num_steps)
    rows = []
    for network in arguments.networks:
        rows += measure(network, config, arguments.repetitions)
        for row in rows[-2:]:
            speed, ratio = row["env_steps_per_second"], row["speed_over_torch"]
            print(
                f"{row['network']} {row['contestant']}: {speed['median']:.0f} steps/s, "
                f"{ratio['median']:.2f} of torch",
                flush=True,
            )
    notes = (
        "Rollout and update, float32, CPU; procgen:coinrun easy; 3 epochs of 8 minibatches; torch "
        "eager, channels last, fused Adam, all cores. first_repetition_seconds includes compiling."
    )
    print(write_result("ppo", rows, packages=["torch", "optax", "flax"], notes=notes))


if __name__ == "__main__":
    main()
