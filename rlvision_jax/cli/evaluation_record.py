"""An evaluation as JSON, with what it takes to repeat it, and its comparison with a repetition."""

import dataclasses
import datetime
import json
import os
import platform
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlvision_jax._version import __version__
from rlvision_jax.checkpoint import CheckpointError
from rlvision_jax.training import Evaluation

RECORD = "evaluation.json"
"""File in a shipped agent's folder that holds what `rlvision evaluate NAME --json` printed."""


def read_record(folder: Path) -> dict[str, Any]:
    """The evaluation that an agent is shipped with.

    Raises:
      CheckpointError: if it has none, or one that is not JSON.
    """
    path = folder / RECORD
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder} holds no {RECORD} to check against; print one with --json, or name a "
            "shipped agent"
        ) from None
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from None


def settings(
    config: Mapping[str, Any], *, weights: str, num_levels: int, num_envs: int, seed: int
) -> dict[str, Any]:
    """What an evaluation depends on, machines apart."""
    return {
        "weights": weights,
        "env": config["env"],
        "env_options": config["env_options"],
        "num_levels": num_levels,
        "num_envs": num_envs,
        "seed": seed,
    }


def made_by(arguments: Sequence[str], seconds: float) -> dict[str, Any]:
    """Command, versions and machine, and how long it took."""
    return {
        "command": shlex.join(["rlvision", *arguments]),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seconds": round(seconds, 1),
        "rlvision_jax": __version__,
        "jax": jax.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }


@dataclasses.dataclass(frozen=True)
class Difference:
    """A share of levels that came out otherwise.

    Attributes:
      what: such as "test levels completed".
      recorded: count and 95% interval of the share, when it was recorded.
      repeated: likewise, now.
    """

    what: str
    recorded: tuple[int, tuple[float, float]]
    repeated: tuple[int, tuple[float, float]]

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the two intervals have nothing in common."""
        (_, (low, high)), (_, (other_low, other_high)) = self.recorded, self.repeated
        return high < other_low or other_high < low

    def __str__(self) -> str:
        (count, interval), (other, other_interval) = self.recorded, self.repeated
        return f"{self.what}: {count} {percent(interval)}, now {other} {percent(other_interval)}"


def percent(interval: Sequence[float]) -> str:
    """An interval of a share as text.

    Example:
      >>> percent((0.001, 0.0284))
      '[0.10, 2.84]%'
    """
    return f"[{', '.join(f'{100 * bound:.2f}' for bound in interval)}]%"


def differences(
    recorded: Mapping[str, Any], repeated: Mapping[str, Evaluation]
) -> Iterator[Difference]:
    """The shares whose counts differ between a record and a repetition.

    Args:
      recorded: what `rlvision evaluate --json` printed.
      repeated: an evaluation for each kind of levels.
    """
    for split, now in repeated.items():
        again = _shares(now.record())
        for what, share in _shares(recorded[split]).items():
            if share != again[what]:
                yield Difference(f"{split} levels {what}", share, again[what])


def _shares(record: Mapping[str, Any]) -> dict[str, tuple[int, tuple[float, float]]]:
    shares = {}
    if "num_completed" in record:
        low, high = record["completion_interval"]
        shares["completed"] = (record["num_completed"], (low, high))
    for cause, count in (record.get("failures") or {}).items():
        low, high = record["failure_intervals"][cause]
        shares[f"failed by {cause}"] = (count, (low, high))
    return shares
