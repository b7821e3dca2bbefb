"""Work spread over the nodes of a Ray cluster. (Host only; Ray is an optional package.)"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rlvision_jax._extras import import_extra

Item = TypeVar("Item")


def map_on_nodes(
    function: Callable[[Item], Any], items: Sequence[Item], on_done: Callable[[Item], None]
) -> None:
    """Calls a function with every item, in one process on each node of a Ray cluster.

    Connects to the cluster that Ray knows of (`RAY_ADDRESS`, or `ray.init` before), else starts
    one on this machine. A process takes all processors and accelerators of its node. When one
    dies, its item goes to another.

    Args:
      function: can be pickled; sent to each node once.
      items: can be pickled.
      on_done: told of each item that is finished.

    Raises:
      MissingExtraError: if Ray is not installed.
      RuntimeError: if the process of every node died.
      Exception: what the function raised.
    """
    ray = import_extra("ray", extra="ray")
    scheduling = import_extra("ray.util.scheduling_strategies", extra="ray")
    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    sent = ray.put(function)
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
    waiting, running = list(reversed(items)), {}
    while waiting or running:
        while waiting and idle:
            item, actor = waiting.pop(), idle.pop()
            running[actor.call.remote(item)] = item, actor
        if not running:
            raise RuntimeError(
                f"the processes of all Ray nodes died with {len(waiting)} items left; look into "
                "Ray's logs, then run the same command again: what is finished is kept"
            )
        (ready,), _ = ray.wait(list(running), num_returns=1)
        item, actor = running.pop(ready)
        try:
            ray.get(ready)
        except ray.exceptions.RayActorError:
            waiting.append(item)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        else:
            idle.append(actor)
            on_done(item)


class _Node:
    """The process of one node; a class of its own, as Ray sends it by name."""

    def __init__(self, function: Callable[[Any], Any]):
        self._function = function

    def call(self, item: Any) -> None:
        """Handles one item."""
        self._function(item)
