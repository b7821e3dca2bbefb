"""How soon a live report answers: `rlvision view` of the shipped agent, asked over HTTP.

`python -m benchmarks.live`. A small report is built first (the frames that its features come from
do not matter here). Each edit is made at another moment that was not asked for before, and answered
with value, policy, objects and the attribution of the value to layer 2b.
"""

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks._record import summary, write_result

_MAIN = "import sys; from rlvision_jax.cli.main import main; main(sys.argv[1:])"
_REPORT = "--num-trajectories 2 --num-steps 256 --num-frames 256 --frame-interval 16"
_PLAYED_STEPS = 64


class Page:
    """Asks a server as its page would, over one connection."""

    def __init__(self, address: str):
        origin, _, token = address.partition("/?token=")
        host = origin.removeprefix("http://")
        self._connection = http.client.HTTPConnection(host)
        self._headers = {
            "Cookie": f"rlvision-{host.rpartition(':')[2]}={token}",
            "Origin": origin,
            "Content-Type": "application/json",
        }

    def ask(self, path: str, content: dict) -> tuple[float, dict]:
        """Milliseconds until the answer is there, and the answer."""
        body = json.dumps(content)
        start = time.perf_counter()
        self._connection.request("POST", path, body, self._headers)
        answer = self._connection.getresponse().read()
        milliseconds = 1000 * (time.perf_counter() - start)
        found = json.loads(answer)
        if "error" in found:
            raise RuntimeError(found["error"])
        return milliseconds, found


def edits(count: int, rng: np.random.Generator) -> list[dict]:
    """Edits of every kind that a page offers in any frame."""

    def cell() -> list[int]:
        return rng.integers(1, 63, 2).tolist()

    kinds = (
        lambda: {"edit": "add_saw", "cell": cell()},
        lambda: {"edit": "remove", "kind": "saw"},
        lambda: {"edit": "add_crate", "cell": cell(), "theme": 1},
        lambda: {"edit": "move_coin", "cell": cell()},
        lambda: {"edit": "set_velocity", "x": float(rng.uniform(-0.5, 0.5)), "y": 0.0},
        lambda: {"edit": "set_cell", "cell": cell(), "content": "lava"},
        lambda: {"edit": "set_background", "background": int(rng.integers(62))},
        lambda: {
            "edit": "blank",
            "pixels": rng.integers(0, 64, (200, 2)).tolist(),
            "color": [0, 0, 0],
        },
        lambda: {"action": int(rng.integers(9))},
    )
    return [kinds[index % len(kinds)]() for index in range(count)]


def measure(page: Page, count: int) -> list[dict]:
    """One row for each kind of question."""
    rng = np.random.default_rng(0)
    asked = {"layer": "2b", "scores": ["value"], "history": []}
    alone, within, grown = [], [], []
    history = []
    for index, event in enumerate(edits(count, rng)):
        place = {"trajectory": index % 2, "step": 4 * (index // 2)}
        milliseconds, answer = page.ask("/live/moment", asked | place | {"history": [event]})
        alone.append(milliseconds)
        within.append(answer["milliseconds"])
        # The same edits one after the other, on one moment; a game that ends is begun again.
        history = [*history, event]
        milliseconds, answer = page.ask(
            "/live/moment", asked | {"trajectory": 0, "step": 100, "history": history}
        )
        grown.append(milliseconds)
        if answer["end"]:
            history = []
    plays = []
    for seed in range(5):
        ask = {"trajectory": 0, "step": 0, "num_steps": _PLAYED_STEPS, "seed": seed}
        milliseconds, answer = page.ask("/live/play", ask)
        plays.append(milliseconds / len(answer["actions"]))
    return [
        _row("an edit of another moment", alone),
        _row("the same, within the server", within),
        _row("an edit more of the same moment", grown),
        _row(f"a step of the agent, {_PLAYED_STEPS} at a time", plays),
    ]


def _row(what: str, samples: list[float]) -> dict:
    spread = {name: round(value, 1) for name, value in summary(samples).items()}
    return {
        "question": what,
        "milliseconds": spread | {"95 percent": round(float(np.percentile(samples, 95)), 1)},
    }


def main() -> None:
    """Builds a report, serves it and asks; writes `results/live.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--report", type=Path, help="of the shipped agent; by default a new one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = options.report
        if report is None:
            report = Path(folder) / "report"
            build = ["interface", "coinrun", "--out", str(report), *_REPORT.split()]
            subprocess.run([sys.executable, "-c", _MAIN, *build], check=True)
        command = [sys.executable, "-c", _MAIN, "view", str(report), "--no-open"]
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                address = server.stdout.readline().strip()
                if not address:
                    raise RuntimeError("the server did not start; it says why above")
                page = Page(address)
                ready = time.perf_counter() - start
                rows = measure(page, options.edits)
            finally:
                server.terminate()
    rows.append({"question": "from the command to the address", "seconds": round(ready, 1)})
    print(json.dumps(rows, indent=1))
    write_result(
        "live",
        rows,
        packages=("flax", "starlette", "uvicorn"),
        notes="Wall time of a page's request over HTTP on the same machine, JSON parsed apart. "
        "Each answer holds the observation, value, policy, objects, scene and the attribution of "
        "the value to layer 2b of the clear network (10 steps).",
    )


if __name__ == "__main__":
    main()
