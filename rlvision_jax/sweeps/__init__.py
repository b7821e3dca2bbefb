"""Sweeps: attribution of thousands to millions of frames, kept on disk. (Host only.)

`run_sweep` computes, `open` reads. docs/sweeps.md tells of the format, and how to spread a sweep
over machines.
"""

from rlvision_jax.sweeps.config import SweepConfig
from rlvision_jax.sweeps.executors import run_here, run_on_ray
from rlvision_jax.sweeps.run import run_sweep
from rlvision_jax.sweeps.store import ShardIntegrityError, StoreMismatchError
from rlvision_jax.sweeps.summary import Summary, SummaryRow
from rlvision_jax.sweeps.sweep import Sweep
from rlvision_jax.sweeps.sweep import open_sweep as open

__all__ = [
    "ShardIntegrityError",
    "StoreMismatchError",
    "Summary",
    "SummaryRow",
    "Sweep",
    "SweepConfig",
    "open",
    "run_here",
    "run_on_ray",
    "run_sweep",
]
