"""What the tests of the page share: finding panels, reading pixels, drawing naively."""

import re

import numpy as np
from playwright import sync_api

expect = sync_api.expect
PATIENCE = 30_000  # milliseconds that a busy machine may take to show what is expected
expect.set_options(timeout=PATIENCE)

OPACITY = 0.9  # of a saturated overlay, as in the original interface

# Reading pixels back makes Chromium suggest this option on the console.
READ_PIXELS = """canvas => [...canvas.getContext("2d", {willReadFrequently: true})
  .getImageData(0, 0, canvas.width, canvas.height).data]"""


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
    times = 64 // len(strength)
    color, alpha = (array.repeat(times, 0).repeat(times, 1) for array in (color, alpha))
    grey = (observation @ np.array([0.299, 0.587, 0.114]))[..., None]
    return grey * (1 - alpha) + color * alpha


def display_scale(maps):
    return np.median(maps.max(axis=(1, 2, 3)))


def assert_pixels(got, want):
    # The browser rounds once and computes in float32: within one level of 255.
    np.testing.assert_allclose(got, want, rtol=0, atol=1)
