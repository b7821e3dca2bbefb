"""Time and size of a report of the shipped agent, and how fast its page opens and scrubs.

`python -m benchmarks.report` (needs Debian's chromium and playwright for the page). A report is
built as `rlvision interface` builds it, each in a process of its own; the time that playing takes
is not counted. `--num-steps` and `--num-frames` give a smaller one where time is short; the record
says so. The page is opened from disk; scrubbing draws every step of a trajectory once, one step
per frame that the browser offers.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._record import write_result

# name -> layers, scores
REPORTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "2b": (("2b",), ("value",)),
    "2b, value and 15 logits": (("2b",), ("value", "logits")),
    "all layers": (("all",), ("value",)),
}
_PLAYING = ("playing for features", "playing trajectories")


class _Clock:
    """Wall time and this process's CPU time of each stage, seconds."""

    def __init__(self) -> None:
        self.stages: dict[str, tuple[float, float]] = {}
        self._stage, self._since = "starting", self._now()

    def _now(self) -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def notify(self, stage: str, done: int, total: int) -> None:
        """A stage goes on, or another one begins."""
        now = self._now()
        wall, cpu = self.stages.get(self._stage, (0.0, 0.0))
        self.stages[self._stage] = (wall + now[0] - self._since[0], cpu + now[1] - self._since[1])
        self._stage, self._since = stage, now

    def total(self, *, playing: bool) -> tuple[float, float]:
        """Of the stages that play, or of the others."""
        times = [t for stage, t in self.stages.items() if (stage in _PLAYING) == playing]
        return sum(wall for wall, _ in times), sum(cpu for _, cpu in times)


def build(name: str, folder: Path, num_steps: int, num_frames: int, interval: int) -> dict:
    """Builds and writes one report; its times and sizes."""
    from rlvision_jax import checkpoint
    from rlvision_jax.interface import ReportConfig, build_report, write_report

    layers, scores = REPORTS[name]
    config = ReportConfig(
        layers=layers,
        scores=scores,
        num_steps=num_steps,
        num_frames=num_frames,
        frame_interval=interval,
    )
    policy, params, agent = checkpoint.load(checkpoint.shipped())
    clock = _Clock()
    report = build_report(policy, params, agent, config, title="benchmark", notify=clock.notify)
    clock.notify("writing", 0, 1)
    write_report(report, folder)
    clock.notify("end", 1, 1)
    wall, cpu = clock.total(playing=False)
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {
        "report": name,
        "trajectories": len(report.trajectories),
        "steps_each": num_steps,
        "frames_for_features": num_frames,
        "seconds_without_playing": round(wall, 1),
        "cpu_seconds_without_playing": round(cpu, 1),
        "seconds_playing": round(clock.total(playing=True)[0], 1),
        "seconds_and_cpu_seconds_by_stage": {
            stage: [round(wall, 1), round(cpu, 1)] for stage, (wall, cpu) in clock.stages.items()
        },
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "files": len(files),
    }


# Draws each step once; a step is done when the browser has given its frame.
_SCRUB = """async () => {
  const step = () => Number(document.querySelector("dl[aria-label='This step'] dd")
    .textContent.split("/")[0]);
  const frame = () => new Promise(requestAnimationFrame);
  const times = [];
  const key = new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true});
  await frame();
  for (let i = 0; i < 240; i++) {
    const start = performance.now();
    document.body.dispatchEvent(key);
    await Promise.resolve();
    times.push(performance.now() - start);
    await frame();
  }
  return {reached: step(), times};
}"""


def browse(folder: Path) -> dict:
    """How soon the page shows something, and what one step of scrubbing costs."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        return {"page": "not measured: no chromium"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        paints, complete = [], []
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        for _ in range(3):
            page.goto("about:blank")
            start = time.perf_counter()
            page.goto(f"file://{folder}/index.html")
            page.get_by_role("figure", name="Attribution by feature").wait_for()
            complete.append(time.perf_counter() - start)
            paints.append(
                page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            )
        scrubbed = page.evaluate(_SCRUB)
        browser.close()
    times = sorted(scrubbed["times"])
    if scrubbed["reached"] != len(times) + 1:
        raise RuntimeError(f"scrubbing reached step {scrubbed['reached']} of {len(times) + 1}")
    return {
        "first_paint_seconds": round(sorted(paints)[1] / 1000, 2),
        "everything_shown_seconds": round(sorted(complete)[1], 2),
        "script_per_step_milliseconds": {
            "median": round(times[len(times) // 2], 1),
            "95 percent": round(times[int(len(times) * 0.95)], 1),
        },
    }


def main() -> None:
    """Builds every report and writes `results/report.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", nargs="*", default=list(REPORTS), choices=list(REPORTS))
    parser.add_argument("--num-steps", type=int, default=512)
    parser.add_argument("--num-frames", type=int, default=4096)
    parser.add_argument("--frame-interval", type=int, default=128)
    parser.add_argument("--build", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = (options.num_steps, options.num_frames, options.frame_interval)
    if options.build:
        print(json.dumps(build(options.build, options.folder, *sizes)))
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for index, name in enumerate(options.reports):
            target = Path(folder) / str(index)
            command = [sys.executable, "-m", "benchmarks.report", "--build", name]
            command += ["--folder", str(target), "--num-steps", str(sizes[0])]
            command += ["--num-frames", str(sizes[1]), "--frame-interval", str(sizes[2])]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            row = json.loads(output.splitlines()[-1]) | {"frame_interval": sizes[2]}
            rows.append(row | browse(target))
            print(json.dumps(rows[-1], indent=1), flush=True)
            shutil.rmtree(target)
    write_result(
        "report",
        rows,
        packages=("flax", "playwright"),
        notes="Wall time, and CPU time for where other work shares the cores; playing is apart. "
        "A frame interval below 128 plays less, and finds features in frames that are more "
        "alike; it changes no other time.",
    )


if __name__ == "__main__":
    main()
