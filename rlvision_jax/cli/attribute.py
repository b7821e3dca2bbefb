"""`rlvision attribute`: attribution of many frames into a Zarr store."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import jax
import tyro

from rlvision_jax import checkpoint, sweeps
from rlvision_jax._checks import check_at_least
from rlvision_jax.cli.console import agent_folder, num_threads, parse_part, stages
from rlvision_jax.sweeps import SweepConfig
from rlvision_jax.training.interrupts import Interrupts

_EXECUTORS = {"local": sweeps.run_here, "ray": sweeps.run_on_ray}


@dataclasses.dataclass(frozen=True, kw_only=True)
class HostsConfig:
    """Several hosts that compute one sweep together, by `jax.distributed`.

    Attributes:
      coordinator: HOST:PORT of process 0; "auto" where JAX knows the cluster (Slurm, TPU pods);
        None: one host.
      num_processes: processes of all hosts.
      process: number of this one.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process: int | None = None

    def initialize(self) -> None:
        """Connects this process to the others, if there are any."""
        if self.coordinator is None:
            return
        if self.coordinator == "auto":
            jax.distributed.initialize()
            return
        for name in ("num_processes", "process"):
            if getattr(self, name) is None:
                raise ValueError(f"--hosts.{name.replace('_', '-')} must be given too")
        check_at_least("num_processes", self.num_processes or 0, 1)
        jax.distributed.initialize(self.coordinator, self.num_processes, self.process)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AttributeCommand:
    """Attributes scores to a layer, frame by frame, and writes what each feature contributes.

    Plays the agent, or reads frames. The result is a Zarr v3 store, which is continued if it is
    there: Ctrl-C, SIGTERM and even kill lose at most the shards under way. docs/sweeps.md tells
    what is in it.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      out: folder of the store.
      sweep: what is computed, and of which frames.
      shard: "i/n": compute only every n-th shard, from the i-th on (i from 0); for job arrays.
      executor: local: on all devices of this process. ray: one process on each node of a Ray
        cluster.
      hosts: several hosts at once.
    """

    agent: Annotated[str, tyro.conf.Positional] = checkpoint.DEFAULT_AGENT
    out: Path = Path("sweep.zarr")
    sweep: Annotated[SweepConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=SweepConfig
    )
    shard: str = "0/1"
    executor: Literal["local", "ray"] = "local"
    hosts: HostsConfig = dataclasses.field(default_factory=HostsConfig)

    def run(self) -> int:
        """Computes what is missing; prints the path and a table of the features."""
        part = parse_part(self.shard)
        folder = agent_folder(self.agent)
        self.hosts.initialize()
        policy, params, config = checkpoint.load(folder)
        with Interrupts(), stages() as bars:
            sweep = sweeps.run_sweep(
                policy,
                params,
                config,
                self.sweep,
                self.out,
                part=part,
                executor=_EXECUTORS[self.executor],
                num_threads=num_threads(),
                notify=bars.notify,
            )
        print(self.out.resolve())
        if sweep.finished.all():
            print(sweep.summary())
        else:
            print(f"{sweep.finished.sum()} of {len(sweep.finished)} shards are finished")
        return 0
