"""Agents and training states on disk."""

from rlvision_jax.checkpoint.agent import fingerprint, load, save
from rlvision_jax.checkpoint.cleanrl import from_cleanrl
from rlvision_jax.checkpoint.errors import CheckpointError, CheckpointMismatchError
from rlvision_jax.checkpoint.files import replace_file
from rlvision_jax.checkpoint.jd import load_jd
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
    "from_cleanrl",
    "load",
    "load_jd",
    "replace_file",
    "save",
    "shipped",
]
