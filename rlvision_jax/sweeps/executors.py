"""Where the shards of a sweep are computed: in this process, or on the nodes of a Ray cluster."""

import functools
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from rlvision_jax._nodes import map_on_nodes
from rlvision_jax.sweeps.worker import ShardWorker


@runtime_checkable
class Executor(Protocol):
    """Computes shards, somewhere."""

    def __call__(
        self, worker: ShardWorker, shards: list[slice], on_frames: Callable[[int], None]
    ) -> None:
        """Computes all of some shards.

        Args:
          worker: computes one shard when called.
          shards: frames of each.
          on_frames: told how many more frames are finished.
        """
        ...


def run_here(worker: ShardWorker, shards: list[slice], on_frames: Callable[[int], None]) -> None:
    """Computes shards one after the other, on all devices of this process."""
    for shard in shards:
        worker(shard, on_frames)


def run_on_ray(worker: ShardWorker, shards: list[slice], on_frames: Callable[[int], None]) -> None:
    """Computes shards on all nodes of a Ray cluster; the store must lie on a disk of all.

    Raises:
      MissingExtraError: if Ray is not installed.
      RuntimeError: if the process of every node died.
    """

    def on_shard(shard: slice) -> None:
        on_frames(shard.stop - shard.start)

    map_on_nodes(functools.partial(_compute, worker), shards, on_shard)


def _compute(worker: ShardWorker, shard: slice) -> None:
    worker(shard, lambda count: None)
