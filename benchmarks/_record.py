"""What every benchmark writes beside its numbers: the machine, the versions, the commit."""

import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
_ROOT = Path(__file__).parent.parent


def summary(samples: Sequence[float]) -> dict[str, float | int]:
    """Median and spread (smallest and largest) of repeated measurements.

    Example:
      >>> summary([3.0, 1.0, 2.0])
      {'median': 2.0, 'min': 1.0, 'max': 3.0, 'repetitions': 3}
    """
    return {
        "median": statistics.median(samples),
        "min": min(samples),
        "max": max(samples),
        "repetitions": len(samples),
    }


def machine() -> dict[str, object]:
    """The processor, its free cores and load, and the accelerators if JAX is already in use."""
    facts: dict[str, object] = {
        "cpu": _cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "load_average_1_min": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if "jax" in sys.modules:
        facts["jax_devices"] = [device.device_kind for device in sys.modules["jax"].devices()]
    return facts


def versions(packages: Iterable[str]) -> dict[str, str | None]:
    """Python's version and those of distributions; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def commit() -> dict[str, object]:
    """The commit that was measured, and whether package or benchmark files differ from it.

    Both are None where the files are no repository, as on a machine they were copied to.
    """
    try:
        changed = _git("status", "--porcelain", "--", "rlvision_jax", "benchmarks/*.py")
        return {"id": _git("rev-parse", "HEAD"), "modified": bool(changed)}
    except (OSError, subprocess.CalledProcessError):
        return {"id": None, "modified": None}


def write_result(
    name: str,
    rows: Sequence[Mapping[str, object]],
    *,
    packages: Iterable[str] = (),
    notes: str = "",
) -> Path:
    """Writes `results/<name>.json`, whole or not at all.

    Args:
      name: subject, such as "procgen".
      rows: one record for each measurement, with units in the names of its fields.
      packages: distributions whose versions matter, besides numpy and jax.
      notes: how the numbers were taken.

    Returns:
      The file written.
    """
    record = {
        "benchmark": name,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "versions": versions(["numpy", "jax", "jaxlib", *packages]),
        "notes": notes,
        "rows": list(rows),
    }
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(json.dumps(record, indent=2) + "\n")
    return unfinished.replace(path)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
