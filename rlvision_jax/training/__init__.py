"""Proximal policy optimization, on the device or on host environments, and evaluation."""

from rlvision_jax.training.advantages import played_advantages
from rlvision_jax.training.agent_run import Progress
from rlvision_jax.training.config import PRESETS, PPOConfig, TrainConfig
from rlvision_jax.training.evaluation import (
    Evaluation,
    evaluate,
    evaluate_split,
    split_options,
    splits,
)
from rlvision_jax.training.failed_levels import FAILURE_CAUSES
from rlvision_jax.training.gae import generalized_advantages
from rlvision_jax.training.intervals import wilson_interval
from rlvision_jax.training.metrics import read_metrics
from rlvision_jax.training.playing import (
    Played,
    PlayedStep,
    play,
    played_steps,
    sample_observations,
)
from rlvision_jax.training.population import member_configs, train_population
from rlvision_jax.training.train import TrainResult, train

__all__ = [
    "FAILURE_CAUSES",
    "PRESETS",
    "Evaluation",
    "PPOConfig",
    "Played",
    "PlayedStep",
    "Progress",
    "TrainConfig",
    "TrainResult",
    "evaluate",
    "evaluate_split",
    "generalized_advantages",
    "member_configs",
    "play",
    "played_advantages",
    "played_steps",
    "read_metrics",
    "sample_observations",
    "split_options",
    "splits",
    "train",
    "train_population",
    "wilson_interval",
]
