"""What all commands share: progress on the terminal, agents by name, options by name."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from rlvision_jax import checkpoint


class Stages:
    """One progress bar per stage of a command, with rate and time left."""

    def __init__(self, progress: Progress):
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def notify(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Moves the bar of a stage, which appears when first named."""
        if stage not in self._tasks:
            self._tasks[stage] = self._progress.add_task(stage, total=total, note=note)
        self._progress.update(self._tasks[stage], completed=done, total=total, note=note)


@contextmanager
def stages() -> Iterator[Stages]:
    """Shows progress bars on standard error, so that standard output holds results alone."""
    with Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        refresh_per_second=4,
    ) as progress:
        yield Stages(progress)


def agent_folder(agent: str) -> Path:
    """The folder of an agent given as a path or as the name of a shipped agent.

    Raises:
      CheckpointError: if it is neither.
    """
    path = Path(agent)
    if path.exists():
        return path
    if agent in checkpoint.SHIPPED:
        return checkpoint.shipped(agent)
    names = ", ".join(checkpoint.SHIPPED)
    raise checkpoint.CheckpointError(
        f'no agent "{agent}": expected a folder that `rlvision train` wrote, or a shipped agent '
        f"({names})"
    )


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Options written as NAME=VALUE; a value is read as JSON, else as text.

    Raises:
      ValueError: if a pair has no "=".

    Example:
      >>> parse_options(["num_levels=200", "distribution_mode=easy", "paint_velocity=true"])
      {'num_levels': 200, 'distribution_mode': 'easy', 'paint_velocity': True}
    """
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError(f'environment option "{pair}" must be NAME=VALUE')
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def parse_part(text: str) -> tuple[int, int]:
    """Number of a part and of parts, written "i/n".

    Raises:
      ValueError: if it is not written so.
    """
    index, _, of = text.partition("/")
    try:
        return int(index), int(of)
    except ValueError:
        raise ValueError(f'--shard must be "i/n", such as 0/4; got "{text}"') from None


def num_threads() -> int:
    """Threads for host environments: one per processor that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
