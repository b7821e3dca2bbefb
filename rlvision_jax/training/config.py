"""Settings of a training run, and the presets."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from rlvision_jax._checks import check_at_least, check_choice
from rlvision_jax.models import ACTIVATION_DTYPES


@dataclasses.dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Proximal policy optimization; the defaults are Procgen's (easy: one worker of 64 x 256).

    Attributes:
      num_envs: environments stepped together.
      num_steps: steps per environment between updates.
      num_epochs: passes over the collected steps per update.
      num_minibatches: gradient steps per pass.
      learning_rate: Adam's step size at the start.
      anneal_learning_rate: whether the step size falls linearly to 0 at `total_steps`.
      discount: gamma, per step.
      gae_lambda: lambda of generalized advantage estimation.
      clip_range: how far the probability ratio may leave 1.
      value_clip_range: how far a value may move before its clipped error counts.
      entropy_coefficient: weight of the entropy bonus.
      value_coefficient: weight of the value loss.
      max_grad_norm: global norm that gradients are clipped to.
      normalize_rewards: whether rewards are divided by the running deviation of the return.
      reward_scale_discount: gamma of that return; Baselines' 0.99, whatever `discount` is.
      total_steps: environment steps of the whole run.
    """

    num_envs: int = 64
    num_steps: int = 256
    num_epochs: int = 3
    num_minibatches: int = 8
    learning_rate: float = 5e-4
    anneal_learning_rate: bool = False
    discount: float = 0.999
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    value_clip_range: float = 0.2
    entropy_coefficient: float = 0.01
    value_coefficient: float = 0.5
    max_grad_norm: float = 0.5
    normalize_rewards: bool = True
    reward_scale_discount: float = 0.99
    total_steps: int = 25_000_000

    def __post_init__(self) -> None:
        for name in ("num_envs", "num_steps", "num_epochs", "num_minibatches", "total_steps"):
            check_at_least(name, getattr(self, name), 1)
        if self.batch_size % self.num_minibatches:
            raise ValueError(
                f"num_envs * num_steps = {self.batch_size} must be divisible by "
                f"num_minibatches = {self.num_minibatches}"
            )
        for name in ("discount", "gae_lambda", "reward_scale_discount"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in [0, 1]; got {getattr(self, name)}")
        for name in ("learning_rate", "clip_range", "value_clip_range", "max_grad_norm"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be above 0; got {getattr(self, name)}")
        for name in ("entropy_coefficient", "value_coefficient"):
            if not getattr(self, name) >= 0.0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}")

    @property
    def batch_size(self) -> int:
        """Steps per update (the effective batch)."""
        return self.num_envs * self.num_steps

    @property
    def minibatch_size(self) -> int:
        """Steps per gradient."""
        return self.batch_size // self.num_minibatches

    @property
    def num_updates(self) -> int:
        """Updates of the whole run; the last one may pass `total_steps`."""
        return -(-self.total_steps // self.batch_size)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run.

    Attributes:
      env: name of the environment, as `rlvision_jax.envs.make` takes it.
      env_options: its options, without `num_envs` and `seed`.
      model: name of the network.
      activation_dtype: what its activations are rounded to in training, "float32" or
        "bfloat16"; parameters and their updates are float32.
      seed: of parameters, environments and actions.
      ppo: settings of the algorithm.
      checkpoint_minutes: minutes of wall time between checkpoints.
      tensorboard: whether TensorBoard event files are written too.
      initial_agent: folder of an agent whose parameters the run starts from, such as one trained
        with other settings; None: fresh ones.
    """

    env: str = "procgen:coinrun"
    env_options: Mapping[str, Any] = dataclasses.field(
        default_factory=lambda: {"distribution_mode": "easy", "num_levels": 200}
    )
    model: str = "impala"
    activation_dtype: str = "float32"
    seed: int = 0
    ppo: PPOConfig = PPOConfig()
    checkpoint_minutes: float = 5.0
    tensorboard: bool = True
    initial_agent: str | None = None

    def __post_init__(self) -> None:
        check_choice("activation_dtype", self.activation_dtype, ACTIVATION_DTYPES)
        for name in ("num_envs", "seed"):
            if name in self.env_options:
                raise ValueError(
                    f'env_options must not hold "{name}"; set it in '
                    f"{'ppo.num_envs' if name == 'num_envs' else 'seed'}"
                )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, from which `from_json` makes an equal config."""
        return dataclasses.asdict(dataclasses.replace(self, env_options=dict(self.env_options)))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainConfig":
        """The inverse of `to_json`."""
        return cls(**{**values, "ppo": PPOConfig(**values["ppo"])})


def easy_25m() -> TrainConfig:
    """Procgen's easy benchmark: 200 levels, 25M steps."""
    return TrainConfig()


def hard_200m() -> TrainConfig:
    """Procgen's hard benchmark on all levels: 4 x 64 environments, 200M steps."""
    return TrainConfig(
        env_options={"distribution_mode": "hard", "num_levels": 0, "paint_velocity": True},
        ppo=PPOConfig(num_envs=256, num_minibatches=8, total_steps=200_000_000),
    )


def smoke() -> TrainConfig:
    """Learns ten easy levels in minutes on two cores, with the cheapest network."""
    return TrainConfig(
        env_options={"distribution_mode": "easy", "num_levels": 10},
        model="nature",
        ppo=PPOConfig(num_envs=32, num_steps=128, num_minibatches=8, total_steps=200_000),
    )


PRESETS: dict[str, Callable[[], TrainConfig]] = {
    "easy-25M": easy_25m,
    "hard-200M": hard_200m,
    "smoke": smoke,
}
