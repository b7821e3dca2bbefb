"""Agents and training states on disk."""

from rlvision_jax.checkpoint.agent import fingerprint, load, save
from rlvision_jax.checkpoint.errors import CheckpointError, CheckpointMismatchError
from rlvision_jax.checkpoint.files import replace_file
from rlvision_jax.checkpoint.shipped import shipped, shipped_agents
from rlvision_jax.checkpoint.training_state import TrainingState, TrainingStateStore

__all__ = [
    "CheckpointError",
    "CheckpointMismatchError",
    "TrainingState",
    "TrainingStateStore",
    "fingerprint",
    "load",
    "replace_file",
    "save",
    "shipped",
    "shipped_agents",
]
