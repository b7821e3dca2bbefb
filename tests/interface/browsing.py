"""What the tests of the page share: finding panels, reading pixels, drawing naively."""

import contextlib
import re
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from playwright import sync_api

expect = sync_api.expect
PATIENCE = 30_000  # milliseconds that a busy machine may take to show what is expected
expect.set_options(timeout=PATIENCE)

OPACITY = 0.9  # of a saturated overlay, as in the original interface

# Reading pixels back makes Chromium suggest this option on the console.
READ_PIXELS = """canvas => [...canvas.getContext("2d", {willReadFrequently: true})
  .getImageData(0, 0, canvas.width, canvas.height).data]"""


@contextlib.contextmanager
def chromium() -> Iterator[sync_api.Browser]:
    """Debian's Chromium, without a screen."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("the browser checks did not run: no chromium on the PATH")
    arguments = (
        "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update "
        "--disable-sync --no-first-run"
    )
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=arguments.split())
        yield browser
        browser.close()


def screen(page, title):
    """The canvas of a screen of the page or of one of its rows."""
    return page.get_by_role("figure", name=title).locator("canvas")


def wait_for_overlay(page):
    """The step's data has been drawn: an empty canvas is transparent."""
    for title in ("Observation", "Positive attribution"):
        canvas = screen(page, title).element_handle()
        canvas.owner_frame().wait_for_function(
            f"canvas => ({READ_PIXELS})(canvas)[3] === 255", arg=canvas
        )


def pixels(page, title):
    """RGB of a screen's canvas, float [height, width, 3]."""
    canvas = screen(page, title)
    size = canvas.evaluate("canvas => [canvas.height, canvas.width]")
    return np.array(canvas.evaluate(READ_PIXELS), float).reshape(*size, 4)[..., :3]


def fact(page, name):
    """A number of the current step, by the word above it."""
    return (
        page.locator("dl[aria-label='This step'] div")
        .filter(has=page.locator("dt", has_text=re.compile(f"^{name}$")))
        .locator("dd")
    )


def expect_step(page, step):
    expect(fact(page, "Step")).to_have_text(re.compile(rf"^{step}\s/\s24$"))


def legend(page, name):
    """A feature's line in the legend."""
    lines = page.get_by_role("list", name="Legend").get_by_role("listitem")
    return lines.filter(has=page.get_by_role("button", name=f"Show {name}", exact=True))


def toggle(page, name):
    """The button that shows or hides a feature."""
    return legend(page, name).get_by_role("button", name="Show")


def score_row(page, name):
    """The row of a score."""
    return page.get_by_role("region", name=f"Attribution of {name}", exact=True)


def legend_colors(page):
    """The "#rrggbb" of each feature, as its swatch shows it."""
    triples = page.locator("ol[aria-label='Legend'] .swatch").evaluate_all(
        "swatches => swatches.map(s => s.style.background.match(/\\d+/g).map(Number))"
    )
    return np.array(triples, float)


def overlay(observation, layers, scale, opacity=OPACITY):
    """Naive drawing: (values [h, w], color) pairs over a grey frame [64, 64, 3]."""
    strength = np.zeros(layers[0][0].shape)
    color = np.zeros((*strength.shape, 3))
    for values, rgb in layers:
        padded = np.pad(values / scale, 7)
        for dy in range(-7, 8):
            for dx in range(-7, 8):
                if np.hypot(dy, dx) > 7:
                    continue
                height, width = values.shape
                spread = (
                    np.exp(-np.hypot(dy, dx))
                    * padded[7 + dy : 7 + dy + height, 7 + dx : 7 + dx + width]
                )
                strength += spread
                color += spread[..., None] * rgb
    color = np.divide(color, strength[..., None], where=strength[..., None] > 0, out=color)
    alpha = np.minimum(1, strength)[..., None] * opacity
    # Each pixel shows the position of the map that it lies in.
    position = np.arange(64) * len(strength) // 64
    color, alpha = (array[position][:, position] for array in (color, alpha))
    grey = (observation @ np.array([0.299, 0.587, 0.114]))[..., None]
    return grey * (1 - alpha) + color * alpha


def display_scale(maps):
    return np.median(maps.max(axis=(1, 2, 3)))


def assert_pixels(got, want):
    # The browser rounds once and computes in float32: within one level of 255.
    np.testing.assert_allclose(got, want, rtol=0, atol=1)


# Text whose colour and ground are both plain: [ratio, text] of what falls below WCAG AA, which
# asks 4.5, or 3 of text of 24 pixels (bold: 18.66) or more. Disabled controls are exempt.
LOW_CONTRAST = """() => {
  const parse = color => {
    const numbers = color.match(/[\\d.]+/g).map(Number);
    return numbers.length < 4 ? [...numbers, 1] : numbers;
  };
  const over = (top, below) => top.slice(0, 3).map((c, i) => c * top[3] + below[i] * (1 - top[3]));
  const groundOf = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      layers.push(parse(style.backgroundColor));
      if (style.backgroundImage !== "none") return null;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const opacityOf = element => {
    let opacity = 1;
    for (let e = element; e; e = e.parentElement) opacity *= getComputedStyle(e).opacity;
    return opacity;
  };
  const luminance = rgb => {
    const [r, g, b] = rgb.map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  let checked = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, noscript, option, :disabled")) continue;
    const style = getComputedStyle(element);
    const ground = groundOf(element);
    if (ground === null) continue;
    const color = parse(style.color);
    color[3] *= opacityOf(element);
    const [low, high] = [luminance(over(color, ground)), luminance(ground)].sort((a, b) => a - b);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    checked++;
    if (ratio < (isLarge ? 3 : 4.5)) found.push([ratio.toFixed(2), node.textContent.trim()]);
  }
  return {checked, found};
}"""
