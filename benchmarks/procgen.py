"""Environment steps per second of our Procgen binding and of Procgen's own Python wrapper.

The wrapper needs numpy below 2, hence a Python of its own:
`python -m venv stock; stock/bin/pip install 'numpy<2' gym3 gym;
stock/bin/pip install --no-deps procgen-mirror==0.10.7`. Then, from the repository's root,
`python -m benchmarks.procgen --stock-python stock/bin/python`.

All contestants of a case are separate processes that replay one list of actions with one seed,
so they do the same work. They take turns, and the order rotates.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._procgen_worker import CONTESTANTS, WARM_UP_STEPS
from benchmarks._record import summary, write_result

ROOT = Path(__file__).parent.parent
CASES = [
    {"game": "coinrun", "distribution_mode": "easy", "num_envs": 64},
    {"game": "coinrun", "distribution_mode": "hard", "num_envs": 64},
    {"game": "coinrun", "distribution_mode": "easy", "num_envs": 256},
    {"game": "coinrun", "distribution_mode": "hard", "num_envs": 256},
    {"game": "starpilot", "distribution_mode": "hard", "num_envs": 64},
]


class Contestant:
    """A worker process that times steps on demand."""

    def __init__(self, python: str, name: str, case: dict, actions_path: Path):
        command = [python, "-W", "ignore", "-m", "benchmarks._procgen_worker"]
        self.process = subprocess.Popen(
            [*command, name, json.dumps(case), str(actions_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdin
        assert self.process.stdout
        self._requests, self._answers = self.process.stdin, self.process.stdout
        self.sha256 = self._read()["sha256"]
        self.times: list[dict[str, float]] = []

    def run(self, num_steps: int) -> None:
        print(num_steps, file=self._requests, flush=True)
        self.times.append(self._read())

    def close(self) -> None:
        self.process.communicate(timeout=60)

    def _read(self) -> dict:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"{self.process.args} ended without an answer; see its message")
        return json.loads(line)


def measure(case: dict, stock_python: str, frames: int, repetitions: int) -> list[dict]:
    """One row for each contestant of a case."""
    num_steps = frames // case["num_envs"]
    shape = (WARM_UP_STEPS + num_steps * repetitions, case["num_envs"])
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        actions_path = Path(folder) / "actions.npy"
        np.save(actions_path, np.random.default_rng(0).integers(0, 15, shape, dtype=np.int32))
        contestants = {}
        for name in CONTESTANTS:
            python = stock_python if name.startswith("stock") else sys.executable
            contestants[name] = Contestant(python, name, case, actions_path)
            stack.callback(contestants[name].close)
        digests = {name: contestant.sha256 for name, contestant in contestants.items()}
        if len(set(digests.values())) != 1:
            raise AssertionError(f"observations or rewards differ in {case}: {digests}")
        order = list(contestants.values())
        for _ in range(repetitions):
            for contestant in order:
                contestant.run(num_steps)
            order = order[1:] + order[:1]
    frames_run = num_steps * case["num_envs"]
    peer = contestants["stock"].times
    return [
        {
            **case,
            "contestant": name,
            "env_steps_per_second": summary([frames_run / t["wall"] for t in c.times]),
            "speed_over_stock": summary(
                [p["wall"] / t["wall"] for p, t in zip(peer, c.times, strict=True)]
            ),
            # Other work on the machine disturbs these less than the speed.
            "cpu_microseconds_per_env_step": summary(
                [t["all_threads"] / frames_run * 1e6 for t in c.times]
            ),
            "calling_thread_microseconds_per_step": summary(
                [t["calling_thread"] / num_steps * 1e6 for t in c.times]
            ),
        }
        for name, c in contestants.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Procgen steps per second, ours and stock.")
    parser.add_argument("--stock-python", required=True, help="Python that has the stock wrapper")
    parser.add_argument("--frames", type=int, default=6_400, help="environment steps a turn")
    parser.add_argument("--repetitions", type=int, default=25, help="turns of each contestant")
    parser.add_argument("--threads", type=int, default=2, help="threads of each contestant")
    arguments = parser.parse_args()
    rows = []
    for case in CASES:
        case = {**case, "num_threads": arguments.threads, "seed": 0}
        rows += measure(case, arguments.stock_python, arguments.frames, arguments.repetitions)
        for row in rows[-len(CONTESTANTS) :]:
            speed, ratio = row["env_steps_per_second"], row["speed_over_stock"]
            print(
                f"{row['game']} {row['distribution_mode']} {row['num_envs']} {row['contestant']}: "
                f"{speed['median']:.0f} steps/s, {ratio['median']:.3f} of stock "
                f"({ratio['min']:.3f} to {ratio['max']:.3f}), calling thread "
                f"{row['calling_thread_microseconds_per_step']['median']:.0f} us/step",
                flush=True,
            )
    versions = subprocess.run(
        [arguments.stock_python, "-m", "pip", "list", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    peer = {p["name"]: p["version"] for p in json.loads(versions.stdout)}
    wanted = ("numpy", "gym3", "cffi", "procgen-mirror")
    path = write_result(
        "procgen",
        rows,
        packages=["procgen-mirror"],
        notes=(
            "stock: act and observe; stock_with_info: act, observe and get_info; ours: step. "
            "Versions of the stock wrapper's Python: "
            + ", ".join(f"{name} {peer.get(name)}" for name in wanted)
        ),
    )
    print(path)


if __name__ == "__main__":
    main()
