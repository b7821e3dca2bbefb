"""Where the shards of a sweep are computed: in this process, or on the nodes of a Ray cluster."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from rlvision_jax._extras import import_extra
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
    """Computes shards on all nodes of a Ray cluster, with one process on each.

    Connects to the cluster that Ray knows of (`RAY_ADDRESS`, or `ray.init` before), else starts
    one on this machine. A process takes all processors and accelerators of its node. When one
    dies, its shard goes to another; the store must lie on a disk of all nodes.

    Raises:
      MissingExtraError: if Ray is not installed.
      RuntimeError: if the process of every node died.
    """
    ray = import_extra("ray", extra="ray")
    scheduling = import_extra("ray.util.scheduling_strategies", extra="ray")
    if not ray.is_initialized():
        ray.init(log_to_driver=False)

    # Parameters are sent once to each node.
    sent = ray.put(worker)
    idle: list[Any] = []
    for node in ray.nodes():
        resources = node["Resources"]
        if node["Alive"] and resources.get("CPU", 0) >= 1:
            here = scheduling.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            actor = ray.remote(_Node).options(
                num_cpus=resources["CPU"],
                num_gpus=resources.get("GPU", 0),
                scheduling_strategy=here,
            )
            idle.append(actor.remote(sent))
    waiting, running = list(reversed(shards)), {}
    while waiting or running:
        while waiting and idle:
            shard, actor = waiting.pop(), idle.pop()
            running[actor.compute.remote(shard.start, shard.stop)] = shard, actor
        if not running:
            raise RuntimeError(
                f"the processes of all Ray nodes died with {len(waiting)} shards left; look into "
                "Ray's logs, then run the same command again: finished shards are kept"
            )
        (ready,), _ = ray.wait(list(running), num_returns=1)
        shard, actor = running.pop(ready)
        try:
            ray.get(ready)
        except ray.exceptions.RayActorError:
            waiting.append(shard)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        else:
            idle.append(actor)
            on_frames(shard.stop - shard.start)


class _Node:
    """The process of one node; a class of its own, as Ray sends it by name."""

    def __init__(self, worker: ShardWorker):
        self._worker = worker

    def compute(self, start: int, stop: int) -> None:
        """Computes one shard."""
        self._worker(slice(start, stop), lambda count: None)
