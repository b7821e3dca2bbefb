"""A sweep that is killed twice against one that is not: the same bytes, and what it costs.

`python -m benchmarks.sweeps --frames 100_000`. Runs `rlvision attribute` on the shipped agent in
processes of their own: a short one, which compiles and shows that memory is flat; the whole one;
and the whole one again, which `kill -9` ends twice. Every file of the last two is compared.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._record import write_result
from rlvision_jax import sweeps
from rlvision_jax.checkpoint import DEFAULT_AGENT

_POLL_SECONDS = 0.2


def _start(out: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    program = "import sys; from rlvision_jax.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "attribute", "--out", str(out), *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _run(out: Path, arguments: list[str]) -> tuple[float, float]:
    """Seconds, and peak memory in MB, of one sweep to its end."""
    start = time.perf_counter()
    process = _start(out, arguments)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the sweep failed: wait status {status}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def _kill_after(out: Path, arguments: list[str], num_finished: int) -> None:
    """Starts a sweep, and kills it somewhere in the shard after so many."""
    process = _start(out, arguments)
    while not (out.exists() and sweeps.open(out).finished.sum() >= num_finished):
        if process.poll() is not None:
            raise SystemExit(f"the sweep ended with status {process.returncode} before its kill")
        time.sleep(_POLL_SECONDS)
    time.sleep(5 * _POLL_SECONDS)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _differing(one: Path, other: Path) -> tuple[int, list[str]]:
    """Number of files of both folders, and the names of those that differ."""
    names = {
        str(path.relative_to(folder))
        for folder in (one, other)
        for path in folder.rglob("*")
        if path.is_file()
    }

    def same(name: str) -> bool:
        files = one / name, other / name
        return all(file.is_file() for file in files) and len({f.read_bytes() for f in files}) == 1

    return len(names), sorted(name for name in names if not same(name))


def main() -> None:
    """Runs, compares, prints and records."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--agent", default=DEFAULT_AGENT)
    parser.add_argument("--arguments", nargs=argparse.REMAINDER, default=[])
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        short, whole, killed = (Path(folder) / name for name in ("short", "whole", "killed"))

        def arguments(num_frames: int) -> list[str]:
            return [options.agent, "--frames", str(num_frames), *options.arguments]

        def record(name: str, out: Path, num_frames: int, seconds: float, memory: float) -> None:
            megabytes = sum(f.stat().st_size for f in out.rglob("*") if f.is_file()) / 1e6
            rows.append(
                {
                    "sweep": name,
                    "frames": num_frames,
                    "seconds": round(seconds, 1),
                    "frames_per_s": round(num_frames / seconds, 1),
                    "peak_memory_mb": round(memory),
                    "store_mb": round(megabytes, 1),
                }
            )
            print(rows[-1], flush=True)

        few = max(options.frames // 10, 1)
        record("a tenth of the frames", short, few, *_run(short, arguments(few)))
        # The features of the short one, so that what is timed below is the frames.
        borrowed = [*arguments(options.frames), "--directions", str(short)]
        record("uninterrupted", whole, options.frames, *_run(whole, borrowed))
        num_shards = len(sweeps.open(whole).shards)
        for share in (1, 2):
            _kill_after(killed, borrowed, num_shards * share // 3)
            finished = int(sweeps.open(killed).finished.sum())
            print(f"killed with {finished} of {num_shards} shards finished", flush=True)
        record("killed twice, the last run", killed, options.frames, *_run(killed, borrowed))
        num_files, names = _differing(whole, killed)
        del rows[-1]["frames_per_s"]  # this run computed only the last of them
        rows[-1] |= {"files_compared": num_files, "files_that_differ": len(names)}
        print(f"{num_files} files compared, {len(names)} differ", *names[:10])
        print(sweeps.open(killed).summary())
    write_result("sweeps", rows, packages=["zarr", "numcodecs"], notes=(__doc__ or "").strip())
    if names:
        raise SystemExit("the two sweeps differ")


if __name__ == "__main__":
    main()
