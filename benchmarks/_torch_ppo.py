"""Proximal policy optimization in torch, on CPU: the peer that `benchmarks/ppo.py` measures.

The same algorithm, networks, minibatches and environment binding as ours, written as a careful
user of torch would: channels last throughout, uint8 frames until the network, inference mode
while acting, a fused optimizer, no copy that torch does not need.
"""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from rlvision_jax.envs import HostEnv
from rlvision_jax.training import PPOConfig


class _L2Pool(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (functional.avg_pool2d(x * x, 2) + 1e-8).sqrt()


class _Residual(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(functional.relu(self.conv1(functional.relu(x))))


def _impala() -> tuple[list[nn.Module], tuple[int, ...]]:
    layers, channels = [], 3
    for width in (16, 32, 32):
        # Without padding but with a last, partial window: what TensorFlow calls SAME.
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        conv = nn.Conv2d(channels, width, 3, padding=1)
        layers += [conv, pool, _Residual(width), _Residual(width), nn.ReLU()]
        channels = width
    return layers, (8 * 8 * 32, 256)


def _clear() -> tuple[list[nn.Module], tuple[int, ...]]:
    layers, channels = [], 3
    for width, size, pooled in (
        (16, 7, True),
        (32, 5, False),
        (32, 5, True),
        (32, 5, True),
        (32, 5, True),
    ):
        layers += [nn.Conv2d(channels, width, size, padding=size // 2), nn.ReLU()]
        layers += [_L2Pool()] if pooled else []
        channels = width
    return layers, (4 * 4 * 32, 256, 512)


def _nature() -> tuple[list[nn.Module], tuple[int, ...]]:
    layers, channels = [], 3
    for width, size, stride in ((32, 8, 4), (64, 4, 2), (64, 3, 1)):
        layers += [nn.Conv2d(channels, width, size, stride), nn.ReLU()]
        channels = width
    return layers, (4 * 4 * 64, 512)


_NETWORKS = {"impala": _impala, "clear": _clear, "nature": _nature}


class TorchPolicy(nn.Module):
    """One of our networks; its parameters are in the order of ours from the frame on."""

    def __init__(self, name: str, num_actions: int):
        super().__init__()
        layers, widths = _NETWORKS[name]()
        self.layers = nn.Sequential(*layers)
        dense = [
            nn.Sequential(nn.Linear(before, after), nn.ReLU())
            for before, after in itertools.pairwise(widths)
        ]
        self.dense = nn.Sequential(*dense)
        self.policy = nn.Linear(widths[-1], num_actions)
        self.value = nn.Linear(widths[-1], 1)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        # [batch, height, width, channel] seen as channels last: no copy but the conversion.
        x = self.layers(frames.permute(0, 3, 1, 2).float().div_(255.0))
        features = self.dense(x.permute(0, 2, 3, 1).flatten(1))
        return self.policy(features), self.value(features)[:, 0]


def loss_of(
    policy: TorchPolicy, minibatch: dict[str, torch.Tensor], config: PPOConfig
) -> torch.Tensor:
    """The clipped objective; advantages are normalized already."""
    logits, values = policy(minibatch["observations"])
    log_policy = functional.log_softmax(logits, -1)
    log_probs = log_policy.gather(1, minibatch["actions"][:, None])[:, 0]
    ratio = (log_probs - minibatch["log_probs"]).exp()
    clipped = ratio.clamp(1 - config.clip_range, 1 + config.clip_range)
    advantages = minibatch["advantages"]
    policy_loss = -torch.minimum(ratio * advantages, clipped * advantages).mean()
    change = (values - minibatch["values"]).clamp(-config.value_clip_range, config.value_clip_range)
    errors = (values - minibatch["targets"]) ** 2
    near_errors = (minibatch["values"] + change - minibatch["targets"]) ** 2
    value_loss = 0.5 * torch.maximum(errors, near_errors).mean()
    entropy = -(log_policy.exp() * log_policy).sum(-1).mean()
    return (
        policy_loss + config.value_coefficient * value_loss - config.entropy_coefficient * entropy
    )


class TorchPPO:
    """Rollout and update on one batch of environments."""

    def __init__(self, policy: TorchPolicy, env: HostEnv, config: PPOConfig):
        self.policy, self._env, self._config = policy, env, config
        self._optimizer = torch.optim.Adam(
            policy.parameters(), lr=config.learning_rate, eps=1e-5, fused=True
        )
        self._returns = np.zeros(config.num_envs)
        self._mean, self._variance, self._count = 0.0, 1.0, 1e-4
        shape = (config.num_steps, config.num_envs)
        self._frames = torch.empty((*shape, *env.observation_shape), dtype=torch.uint8)
        self._actions = torch.empty(shape, dtype=torch.int64)
        self._log_probs, self._values = torch.empty(shape), torch.empty(shape)
        self._rewards, self._done = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self._frame = torch.from_numpy(env.reset().observation)

    @torch.inference_mode()
    def collect(self) -> None:
        """Takes `num_steps` steps in every environment."""
        for t in range(self._config.num_steps):
            self._frames[t] = self._frame
            logits, self._values[t] = self.policy(self._frame)
            log_policy = functional.log_softmax(logits, -1)
            self._actions[t] = torch.multinomial(log_policy.exp(), 1)[:, 0]
            self._log_probs[t] = log_policy.gather(1, self._actions[t][:, None])[:, 0]
            step = self._env.step(self._actions[t].numpy().astype(np.int32))
            self._frame = torch.from_numpy(step.observation)
            self._done[t] = step.terminated | step.truncated
            self._rewards[t] = self._scaled(step.reward, self._done[t])
        _, bootstrap_values = self.policy(self._frame)
        self._bootstrap_values = bootstrap_values.numpy()

    def _scaled(self, rewards: np.ndarray, done: np.ndarray) -> np.ndarray:
        self._returns = self._config.reward_scale_discount * self._returns + rewards
        share = len(rewards) / (self._count + len(rewards))
        delta = self._returns.mean() - self._mean
        self._mean += share * delta
        self._variance += share * (
            self._returns.var() - self._variance + (1 - share) * delta * delta
        )
        self._count += len(rewards)
        self._returns *= 1 - done
        return np.clip(rewards / np.sqrt(self._variance + 1e-8), -10, 10)

    def update(self) -> None:
        """All epochs of minibatches on the experience collected last."""
        config = self._config
        values = self._values.numpy()
        next_values = np.concatenate([values[1:], self._bootstrap_values[None]])
        going_on = config.discount * (1 - self._done)
        errors = self._rewards + going_on * next_values - values
        advantages = np.empty_like(errors)
        advantage = np.zeros_like(errors[0])
        for t in reversed(range(config.num_steps)):
            advantage = errors[t] + config.gae_lambda * going_on[t] * advantage
            advantages[t] = advantage
        samples = {
            "observations": self._frames.flatten(0, 1),
            "actions": self._actions.flatten(),
            "log_probs": self._log_probs.flatten(),
            "values": self._values.flatten(),
            "advantages": torch.from_numpy(advantages).flatten(),
            "targets": torch.from_numpy(advantages + values).flatten(),
        }
        for _ in range(config.num_epochs):
            for indices in torch.randperm(config.batch_size).split(config.minibatch_size):
                minibatch = {name: values[indices] for name, values in samples.items()}
                chosen = minibatch["advantages"]
                minibatch["advantages"] = (chosen - chosen.mean()) / (
                    chosen.std(correction=0) + 1e-8
                )
                self._optimizer.zero_grad(set_to_none=True)
                loss_of(self.policy, minibatch, config).backward()
                nn.utils.clip_grad_norm_(self.policy.parameters(), config.max_grad_norm)
                self._optimizer.step()
