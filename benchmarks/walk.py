"""The walk from a failure to its cause, recorded as the README's animation.

`python -m benchmarks.walk REPORT` (needs Debian's chromium and playwright) serves a report with
`rlvision view` and does in a browser what a reader would: go to a failure, see which feature lowers
the value there, remove the hazard, watch the value rise, and let the agent play on. REPORT is the
folder that `rlvision demo` writes; without it the demo is written first. tests/live/test_walk.py
takes the same walk and checks the numbers.
"""

import argparse
import contextlib
import io
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

WIDTH, HEIGHT = 1280, 980
# Of the animation: smaller, and readable still.
_SHOWN = (1024, 784)
_BAR = 34
_QUALITY = 55
_COMMAND = (
    sys.executable,
    "-c",
    "from rlvision_jax.cli.main import main; raise SystemExit(main())",
)


class Stage(NamedTuple):
    """A moment of the walk at which there is something to see.

    Attributes:
      name: what has just been done.
      caption: what the animation says of it.
      milliseconds: how long it shows it.
    """

    name: str
    caption: str
    milliseconds: int


def walk(page: Any, *, failure: int, lead: int, num_steps: str = "32 steps") -> Iterator[Stage]:
    """Takes the walk; stops wherever there is something to see.

    Args:
      page: of Playwright; shows a live report with failures by saws.
      failure: which of these, from 0.
      lead: steps before its end at which the saw is removed.
      num_steps: that the agent plays on, as the page offers them.

    Raises:
      LookupError: if the moment shows no saw.
    """
    page.get_by_role("button", name="Edit this moment").wait_for()
    yield Stage("opened", "A report. The agent failed in some episodes.", 1800)
    failures = page.get_by_role("list", name="Failures: saw").get_by_role("button")
    failures.nth(failure).hover()
    yield Stage("pointed", "Failures are listed by their cause: here, a saw.", 1600)
    failures.nth(failure).click()
    yield Stage("failure", "Its last seconds: the value, what the agent expects, falls.", 900)
    for _ in range(12):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        yield Stage("played", "Its last seconds: the value, what the agent expects, falls.", 140)
    for _ in range(lead):
        page.keyboard.press("ArrowLeft")
    yield Stage("back", f"Back {lead} steps. What tells the agent that it goes badly?", 1500)
    _lowest_feature(page).hover()
    yield Stage("feature", "This feature lowers the value most. It lies on the saw ahead.", 2600)
    page.get_by_role("button", name="Edit this moment").click()
    _wait(page)
    yield Stage("editing", "Edit this moment: things can be moved, added, removed.", 1800)
    saw = _nearest_saw(page)
    saw.hover()
    yield Stage("saw", "Edit this moment: take the saw away.", 1300)
    saw.focus()
    page.keyboard.press("Delete")
    page.mouse.move(WIDTH - 10, HEIGHT - 10)
    _wait(page)
    yield Stage("removed", "Without the saw the value rises, and the feature is gone.", 3200)
    page.get_by_label("Steps to play").select_option(num_steps)
    page.get_by_role("button", name="Agent plays").click()
    scrubber = page.get_by_label("Step of what was played")
    for step in range(int(num_steps.split()[0]) + 1):
        scrubber.fill(str(step))
        _wait(page)
        yield Stage("playing", "From there the agent plays on, and gets past.", 110)
        if scrubber.get_attribute("max") == str(step):
            break
    yield Stage("past", "From there the agent plays on, and gets past.", 3000)


def _wait(page: Any) -> None:
    """Until the server has answered, and what it says is shown."""
    page.locator("main.editor[aria-busy=false]").wait_for()


def _lowest_feature(page: Any) -> Any:
    """The line of the legend whose feature lowers the first score most."""
    lines = page.get_by_role("list", name="Legend").get_by_role("listitem")
    # The residual comes last.
    totals = [float(text.replace("−", "-")) for text in lines.locator(".total").all_inner_texts()]
    return lines.nth(totals.index(min(totals[:-1])))


def _nearest_saw(page: Any) -> Any:
    """The saw nearest to the agent, which is in the middle of the frame."""
    frame = page.get_by_role("group", name="The edited moment").bounding_box()
    saws = page.locator("[data-kind=saw]").all()
    if not saws:
        raise LookupError("the moment shows no saw; choose another lead")

    def distance(saw: Any) -> float:
        box = saw.bounding_box()
        x = box["x"] + box["width"] / 2 - frame["x"] - frame["width"] / 2
        y = box["y"] + box["height"] / 2 - frame["y"] - frame["height"] / 2
        return x * x + y * y

    return min(saws, key=distance)


@contextlib.contextmanager
def served(report: Path) -> Iterator[str]:
    """`rlvision view` of a report, as long as it is needed; gives the address that it prints."""
    command = [*_COMMAND, "view", str(report), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            if not address:
                raise RuntimeError("rlvision view ended without an address; it says why above")
            yield address
        finally:
            server.send_signal(signal.SIGINT)


def record(report: Path, out: Path, picture: Path, *, failure: int, lead: int) -> None:
    """Takes the walk; writes it as an animation, and the editor once the saw is removed."""
    from PIL import Image
    from playwright import sync_api

    pictures: list[Image.Image] = []
    durations: list[int] = []
    with served(report) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.goto(address)
        for stage in walk(page, failure=failure, lead=lead):
            page.wait_for_timeout(60)  # until it is painted
            screenshot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            if stage.name == "removed":
                screenshot.save(picture, optimize=True)
            pictures.append(_captioned(screenshot, stage.caption))
            durations.append(stage.milliseconds)
        browser.close()
    pictures[0].save(
        out,
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        quality=_QUALITY,
        method=6,
    )


def _captioned(picture: Any, caption: str) -> Any:
    from PIL import Image, ImageDraw, ImageFont

    shown = Image.new("RGB", (_SHOWN[0], _SHOWN[1] + _BAR), "#1c1c1f")
    shown.paste(picture.resize(_SHOWN, Image.Resampling.LANCZOS), (0, 0))
    ImageDraw.Draw(shown).text(
        (16, _SHOWN[1] + 7), caption, font=ImageFont.load_default(17), fill="#ffffff"
    )
    return shown


def main() -> None:
    """Writes docs/walk.webp and docs/editor.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", nargs="?", type=Path, help="of `rlvision demo`")
    parser.add_argument("--failure", type=int, default=1, help="which of those by saws, from 0")
    parser.add_argument("--lead", type=int, default=4, help="steps before its end")
    parser.add_argument("--out", type=Path, default=Path("docs/walk.webp"))
    parser.add_argument("--picture", type=Path, default=Path("docs/editor.png"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = arguments.report
        if report is None:
            report = Path(folder) / "report"
            subprocess.run([*_COMMAND, "demo", "--out", str(report)], check=True)
        record(
            report,
            arguments.out,
            arguments.picture,
            failure=arguments.failure,
            lead=arguments.lead,
        )
    for file in (arguments.out, arguments.picture):
        print(f"{file}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
