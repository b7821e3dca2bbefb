"""Proximal policy optimization on host environments, and evaluation on held-out levels."""

from rlvision_jax.training.config import PRESETS, PPOConfig, TrainConfig
from rlvision_jax.training.gae import generalized_advantages
from rlvision_jax.training.metrics import read_metrics
from rlvision_jax.training.train import Progress, TrainResult, train

__all__ = [
    "PRESETS",
    "PPOConfig",
    "Progress",
    "TrainConfig",
    "TrainResult",
    "generalized_advantages",
    "read_metrics",
    "train",
]
