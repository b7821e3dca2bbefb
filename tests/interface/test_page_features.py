"""A feature's examples and names in a real Chromium."""

import base64
import io
import json
import re
import shutil

import numpy as np
import pytest
from browsing import expect, legend
from PIL import Image

GROUND = 128


def open_examples(page, name):
    legend(page, name).get_by_role("button", name=f"Examples of {name}").click()
    return page.get_by_role("dialog", name="Feature")


def read(canvas):
    """RGB of a canvas, float [height, width, 3]."""
    address = canvas.evaluate("canvas => canvas.toDataURL('image/png')")
    file = io.BytesIO(base64.b64decode(address.split(",")[1]))
    return np.asarray(Image.open(file).convert("RGB"), float)


def naive_map(grid, examples, side, cell):
    """Each cell: the frame around the cell's centre, sampled at the middle of each pixel."""
    strengths = grid.strengths.astype(float)
    opaque = max(np.percentile(strengths, 90), strengths.max() / 10)
    picture = np.zeros((len(grid.rows) * cell, len(grid.columns) * cell, 3))
    offsets = (np.arange(cell) + 0.5) * side / cell - side / 2
    for row, column in np.ndindex(strengths.shape):
        alpha = min(1, 15 / 255 + strengths[row, column] / opaque * (1 - 15 / 255))
        y, x = (
            np.floor(centre * 64 + offsets).astype(int)
            for centre in (grid.rows[row], grid.columns[column])
        )
        checkerboard = np.where((y[:, None] + x) % 2, 255, 191)[..., None].repeat(3, -1)
        frame = examples[grid.frames[row, column]]
        inside = ((y >= 0) & (y < 64))[:, None] & ((x >= 0) & (x < 64))
        color = np.where(inside[..., None], frame[y.clip(0, 63)][:, x.clip(0, 63)], checkerboard)
        place = picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell]
        place[...] = GROUND * (1 - alpha) + color * alpha
    return picture


def test_the_map_shows_a_patch_for_each_position_by_strength(page, report):
    dialog = open_examples(page, "saw")
    canvas = dialog.locator(".map canvas")
    grid = report.layers[0].features[1].grids[1]
    expect(canvas).to_have_attribute("width", "640")
    sides = {"2": 8, "6": 32}  # of the slider: an eighth and a half of the frame
    for zoom, side in sides.items():
        dialog.get_by_role("slider", name="Zoom").fill(zoom)
        drawn = read(canvas)
        want = naive_map(grid, report.examples, side, 160)
        # Rounded once.
        np.testing.assert_allclose(drawn, want, atol=1)


def test_the_slider_sets_the_number_of_patches(page, report):
    dialog = open_examples(page, "coin")
    dialog.get_by_role("slider", name="Number of patches").fill("0")
    picture = dialog.get_by_role("button", name=re.compile("^4 patches"))
    expect(picture).to_be_visible()
    grid = report.layers[0].features[0].grids[0]
    want = naive_map(grid, report.examples, 8, 320)
    np.testing.assert_allclose(read(picture.locator("canvas")), want, atol=1)


def test_a_patch_opens_its_whole_observation_by_mouse_and_by_keys(page, report):
    dialog = open_examples(page, "coin")
    picture = dialog.locator(".map")
    grid = report.layers[0].features[0].grids[1]
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] * 0.6, "y": box["height"] * 0.3})
    expect(picture).to_have_attribute("aria-label", re.compile("^The whole observation"))
    np.testing.assert_array_equal(
        read(picture.locator("canvas")), report.examples[grid.frames[1, 2]]
    )
    mark = picture.locator(".box").evaluate("e => [e.style.top, e.style.left, e.style.width]")
    expected = [grid.rows[1] - 1 / 16, grid.columns[2] - 1 / 16, 1 / 8]
    np.testing.assert_allclose([float(size[:-1]) / 100 for size in mark], expected, atol=1e-6)
    picture.click()
    expect(picture).to_have_attribute("aria-label", re.compile("^16 patches"))
    for key in ("ArrowDown", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"):  # stops at the edge
        picture.press(key)
    np.testing.assert_array_equal(
        read(picture.locator("canvas")), report.examples[grid.frames[2, 0]]
    )
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_strongest_examples_are_the_thumbnails(page, report):
    dialog = open_examples(page, "wall")
    patches = dialog.get_by_role("region", name="Strongest examples").locator("canvas")
    expect(patches).to_have_count(3)
    for index, patch in enumerate(patches.all()):
        np.testing.assert_array_equal(read(patch), report.layers[0].features[2].thumbnails[index])


def test_a_link_and_a_key_open_the_examples(open_page, folder, page):
    page.keyboard.press("Shift+Digit2")
    expect(page.get_by_role("dialog", name="Feature 2 of layer 2b")).to_be_visible()
    page.wait_for_url(re.compile("feature=2$"))
    again = open_page(folder, "#" + page.url.split("#")[1])
    expect(again.get_by_role("dialog", name="Feature 2 of layer 2b")).to_be_visible()


def test_names_are_edited_saved_and_read(open_page, folder, page, tmp_path):
    markup = "<b>gold</b>"
    dialog = open_examples(page, "coin")
    dialog.get_by_label("Name").fill("")
    dialog.get_by_label("Name").press_sequentially("why? 2")  # none of these are hotkeys there
    expect(legend(page, "why? 2").locator(".text")).to_have_text("why? 2")
    expect(page.get_by_role("dialog", name="Keys")).to_have_count(0)
    dialog.get_by_label("Name").fill(markup)
    dialog.get_by_role("button", name="Close").click()
    expect(legend(page, markup)).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save names").click()
    download.value.save_as(tmp_path / "labels.json")
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert labels["layers"] == {"2b": [markup, "saw", "wall"], "3a": ["sky", "ground"]}
    fresh = open_page(folder)
    expect(legend(fresh, "coin")).to_be_visible()
    fresh.get_by_label("Read names").set_input_files(tmp_path / "labels.json")
    expect(fresh.locator("p[role=status]")).to_have_text("5 names read.")
    expect(legend(fresh, markup)).to_be_visible()
    assert fresh.locator("b").count() == 0


@pytest.mark.parametrize("content", ["", '{"format": "rlvision-report", "version": 1}', '{"fo'])
def test_another_file_is_no_labels_file(page, tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    page.get_by_label("Read names").set_input_files(tmp_path / "other.json")
    expect(page.locator("p[role=status]")).to_contain_text(re.compile("that a report saved"))
    expect(legend(page, "coin")).to_be_visible()


def test_damaged_examples_are_reported_in_the_dialog(browser, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "report")
    (tmp_path / "report" / "data" / "grids-0.js").unlink()
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/report/index.html#feature=1")
    alert = page.get_by_role("dialog", name="Feature 1").get_by_role("alert")
    expect(alert).to_contain_text("The file data/grids-0.js of this report is missing")
    page.close()
