"""Agents and training states on disk."""

from rlvision_jax.checkpoint.agent import fingerprint, load, save
from rlvision_jax.checkpoint.errors import CheckpointError, CheckpointMismatchError
from rlvision_jax.checkpoint.files import replace_file
from rlvision_jax.checkpoint.shipped import DEFAULT_AGENT, SHIPPED, shipped
from rlvision_jax.checkpoint.training_state import TrainingState, TrainingStateStore

__all__ = [
    "DEFAULT_AGENT",
    "SHIPPED",
    "CheckpointError",
    "CheckpointMismatchError",
    "TrainingState",
    "TrainingStateStore",
    "fingerprint",
    "load",
    "replace_file",
    "save",
    "shipped",
]
