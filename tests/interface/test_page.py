"""The page in a real Chromium, opened from disk: time, places, links and damage."""

import dataclasses
import re
import shutil

import numpy as np
import pytest
from browsing import (
    assert_pixels,
    expect,
    expect_step,
    fact,
    legend,
    legend_colors,
    overlay,
    pixels,
    score_row,
    screen,
    wait_for_overlay,
)

from rlvision_jax.interface import Attribution, Failure, Trajectory, write_report


def test_numbers_follow_the_step(page, report):
    trajectory = report.trajectories[0]
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    expect_step(page, 8)
    expect(fact(page, "Episode")).to_have_text(re.compile(r"^1\s/\s3$"))
    expect(fact(page, "Level")).to_have_text("101")
    expect(fact(page, "Reward")).to_have_text("10")
    expect(fact(page, "Return")).to_have_text("10")
    expect(fact(page, "Action")).to_have_text(
        report.action_names[trajectory.actions[7]] or "nothing"
    )
    for name, series in (("Value", trajectory.values), ("Advantage", trajectory.advantages)):
        shown = float(fact(page, name).inner_text().replace("−", "-"))
        assert shown == pytest.approx(series[7], rel=5e-3)  # three digits
        graph = page.get_by_role("figure", name=re.compile(f"^{name}")).locator("output")
        assert float(graph.inner_text().replace("−", "-")) == shown
    page.keyboard.press("ArrowRight")
    expect(fact(page, "Level")).to_have_text("202")
    expect(fact(page, "Return")).to_have_text("0")


def test_policy_bars_are_the_softmax_and_mark_the_action_taken(page, report):
    trajectory = report.trajectories[0]
    bars = page.get_by_role("list", name="Policy").get_by_role("listitem")
    for step in (0, 1, 2):
        logits = trajectory.policy_logits[step].astype(float)
        percent = 100 * np.exp(logits) / np.exp(logits).sum()
        for action, name in enumerate(report.action_names):
            expect(bars.nth(action)).to_contain_text(name or "nothing")
            expect(bars.nth(action).locator(".number")).to_have_text(f"{percent[action]:.1f}%")
            width, track = (
                bars.nth(action)
                .locator(".bar, .tracks")
                .evaluate_all(
                    "e => e.map(b => b.getBoundingClientRect().width).sort((a, b) => a - b)"
                )
            )
            assert width / track == pytest.approx(percent[action] / 100, abs=0.01)  # a pixel
        expect(bars.and_(page.locator("[aria-current=true]"))).to_have_count(1)
        expect(bars.nth(int(trajectory.actions[step]))).to_have_attribute("aria-current", "true")
        page.keyboard.press("ArrowRight")


def test_playing_runs_to_the_end_and_stops(page):
    page.get_by_label("Speed").select_option("50 steps/s")
    page.get_by_role("heading", level=1).click()  # away from the control
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect_step(page, 24)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press(" ")  # from the start again
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert int(fact(page, "Step").inner_text().split("/")[0]) < 24


def test_keys_move_through_steps_episodes_and_trajectories(page):
    for key, step in (
        ("End", 24),
        ("ArrowRight", 24),
        ("ArrowLeft", 23),
        ("Shift+ArrowLeft", 16),
        ("Shift+ArrowLeft", 9),
        ("Shift+ArrowRight", 16),
        ("Shift+ArrowRight", 16),
        ("Home", 1),
        ("ArrowLeft", 1),
    ):
        page.keyboard.press(key)
        expect_step(page, step)
    trajectories = page.get_by_role("navigation").get_by_role(
        "button", name=re.compile("^Trajectory")
    )
    page.keyboard.press("]")
    expect(trajectories.nth(1)).to_have_attribute("aria-current", "true")
    page.keyboard.press("[")
    expect(trajectories.nth(0)).to_have_attribute("aria-current", "true")


def test_the_help_lists_the_keys_and_closes(page):
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("start of the next episode")
    page.keyboard.press("ArrowRight")
    expect_step(page, 1)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect_step(page, 2)


def test_buttons_do_what_they_say(page):
    for name, step in (
        ("One step on", 2),
        ("Next episode", 9),
        ("One step back", 8),
        ("Previous episode", 1),
    ):
        page.get_by_role("button", name=name).click()
        expect_step(page, step)


def test_clicking_and_dragging_on_the_timeline_seeks(page):
    axis = page.get_by_role("slider", name="Step")
    axis.scroll_into_view_if_needed()
    box = axis.bounding_box()

    def at(step):
        return box["x"] + (step - 0.5) / 24 * box["width"], box["y"] + box["height"] / 2

    page.mouse.click(*at(13))
    expect_step(page, 13)
    expect(axis).to_have_attribute("aria-valuenow", "13")
    page.mouse.move(*at(5))
    page.mouse.down()
    page.mouse.move(*at(20), steps=4)
    expect_step(page, 20)
    page.mouse.move(box["x"] + box["width"] + 300, box["y"])
    expect_step(page, 24)
    page.mouse.up()
    page.mouse.move(*at(2))
    expect_step(page, 24)


def test_graphs_draw_the_series(page, report):
    """Each point lies where its axis says, read back from two of its tick labels."""
    values = report.trajectories[0].advantages
    graph = page.get_by_role("figure", name=re.compile("^Advantage"))
    path = graph.locator("path.line").get_attribute("d")
    points = np.array(re.findall(r"[ML]([\d.]+) ([\d.]+)", path), float)
    np.testing.assert_allclose(points[:, 0], np.arange(24) + 0.5)
    ticks = graph.locator(".tick").evaluate_all(
        "e => e.map(t => [Number(t.textContent.replace('−', '-')), parseFloat(t.style.top)])"
    )
    (low, low_y), (high, high_y) = ticks[0], ticks[-1]
    read = low + (points[:, 1] - low_y) / (high_y - low_y) * (high - low)
    # Heights have two decimals of a percent of the axis.
    np.testing.assert_allclose(read, values, atol=2e-4 * np.ptp(values) * 1.2)


def test_the_list_says_how_episodes_ended_and_bookmarks_lead_there(page, report):
    trajectories = page.get_by_role("navigation").get_by_role(
        "button", name=re.compile("^Trajectory")
    )
    expect(trajectories).to_have_count(2)
    expect(trajectories.nth(0)).to_have_attribute(
        "aria-label", "Trajectory 1: 1 completed, 1 failed, 10 points"
    )
    expect(trajectories.nth(1)).to_contain_text("unseen levels")
    low = [bookmark for bookmark in report.bookmarks if bookmark.kind == "low"]
    buttons = page.get_by_role("list", name="Unexpected failures").get_by_role("button")
    expect(buttons).to_have_count(2)
    for bookmark, button in zip(low, buttons.all(), strict=True):
        button.click()
        expect_step(page, bookmark.step + 1)
        expect(trajectories.nth(bookmark.trajectory)).to_have_attribute("aria-current", "true")


def test_the_address_keeps_the_place(open_page, folder, page):
    page.keyboard.press("]")
    page.keyboard.press("ArrowRight")
    page.get_by_label("Layer").select_option("3a")
    page.wait_for_url(re.compile(r"#trajectory=2&step=2&layer=3a&score=value$"))
    again = open_page(folder, "#" + page.url.split("#")[1])
    expect_step(again, 2)
    expect(again.get_by_label("Layer")).to_have_value("1")
    again.evaluate("location.hash = '#trajectory=1&step=7&layer=2b&score=nonsense'")
    expect_step(again, 7)
    expect(again.get_by_label("Layer")).to_have_value("0")
    out_of_range = open_page(folder, "#trajectory=99&step=999")
    expect_step(out_of_range, 24)


def test_markup_is_shown_as_text(open_page, report, tmp_path):
    markup = "<img src=x onerror=alert(1)><b>bold</b>"
    feature = dataclasses.replace(report.layers[0].features[0], name=markup)
    layers = (
        dataclasses.replace(report.layers[0], features=(feature, *report.layers[0].features[1:])),
        *report.layers[1:],
    )
    first = report.trajectories[0]
    attributions = tuple(
        dataclasses.replace(a, score=markup if a.score == "RIGHT logits" else a.score)
        for a in first.attributions
    )
    trajectories = (dataclasses.replace(first, label=markup, attributions=attributions),)
    hostile = dataclasses.replace(
        report,
        title=markup,
        layers=layers,
        trajectories=trajectories,
        bookmarks=(),
        failures=(Failure(cause=markup, trajectory=0, step=14),),
        action_names=(markup, *report.action_names[1:]),
        object_names=(markup, "saw"),
        scores=(report.scores[0], dataclasses.replace(report.scores[1], name=markup)),
        provenance={markup: {markup: markup}},
    )
    write_report(hostile, tmp_path / "report")
    page = open_page(tmp_path / "report")
    expect(page.get_by_role("heading", level=1)).to_have_text(markup)
    expect(legend(page, markup)).to_be_visible()
    page.get_by_role("button", name="How it was made").click()
    expect(page.get_by_role("dialog")).to_contain_text(f"{markup}: {markup}")
    assert page.title() == markup
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Add a row").click()
    expect(score_row(page, markup)).to_contain_text(f"units of the {markup}")
    expect(page.get_by_role("heading", name=f"{markup} 1")).to_be_visible()  # a cause
    page.get_by_role("checkbox", name=re.compile("How densely")).check()
    expect(page.get_by_role("rowheader", name=markup)).to_be_visible()
    page.keyboard.press("Shift+Digit1")
    expect(page.get_by_role("dialog").get_by_label("Name")).to_have_value(markup)
    page.keyboard.press("Escape")
    assert page.locator("img, b").count() == 0


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("report.js", lambda c: c[: len(c) // 2], "incomplete or damaged"),
        ("observations-0.js", lambda c: c[: len(c) // 2], "incomplete or damaged"),
        ("observations-0.js", lambda c: c[:5000] + b"AAAA" + c[5004:], "incomplete or damaged"),
        ("attribution-0-0-0.js", lambda c: b"", "incomplete or damaged"),
        ("attribution-0-0-0.js", None, "missing"),
    ],
)
def test_a_damaged_file_is_reported_in_one_sentence(browser, folder, tmp_path, name, damage, words):
    shutil.copytree(folder, tmp_path / "report")
    file = tmp_path / "report" / "data" / name
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    page = browser.new_page()
    page.goto(f"file://{tmp_path}/report/index.html")
    alert = page.get_by_role("alert")
    expect(alert).to_have_count(1)
    expect(alert).to_contain_text(f"The file data/{name} of this report is {words}")
    expect(alert).to_contain_text("copy the whole report folder again")
    if name != "report.js":  # the rest still works
        page.keyboard.press("]")
        expect(alert).to_have_count(0)
        wait_for_overlay(page)
    page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (800, "dark")])
def test_the_page_fits_its_width(open_page, folder, width, scheme):
    page = open_page(folder, width=width, scheme=scheme)
    wait_for_overlay(page)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    for title in ("Observation", "Positive attribution", "Negative attribution"):
        box = screen(page, title).bounding_box()
        assert box["width"] == pytest.approx(box["height"])
        assert box["width"] >= 200
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 20, 22)"
    assert dark == (scheme == "dark")


def test_a_long_report_is_drawn_at_its_end(open_page, report, tmp_path):
    """Four thousand steps, as many as the default report has in all."""
    num_steps = 4096
    t = np.arange(num_steps)
    observations = np.zeros((num_steps, 64, 64, 3), np.uint8)
    observations[t, t % 64, t // 64] = (255, 128, 64)
    maps = np.zeros((num_steps, 16, 16, 2), np.float32)
    maps[t, t % 16, 3, t % 2] = 1
    flags, zeros = np.zeros(num_steps, bool), np.zeros(num_steps, np.float32)
    trajectory = Trajectory(
        observations=observations,
        actions=(t % 4).astype(np.int32),
        rewards=zeros,
        terminated=t % 100 == 99,
        truncated=flags,
        level_complete=t % 200 == 199,
        level_seeds=(t // 100).astype(np.int32),
        values=np.sin(t / 50).astype(np.float32),
        advantages=zeros,
        policy_logits=np.zeros((num_steps, 4), np.float32),
        attributions=(
            Attribution(layer="3a", score="value", maps=maps, residual=maps[..., 0] * 0),
        ),
    )
    long = dataclasses.replace(report, trajectories=(trajectory,), bookmarks=(), failures=())
    page = open_page(write_report(long, tmp_path / "report").parent)
    wait_for_overlay(page)
    page.keyboard.press("End")
    expect(fact(page, "Step")).to_have_text(re.compile(r"^4096\s/\s4096$"))
    expect(fact(page, "Episode")).to_have_text(re.compile(r"^41\s/\s41$"))
    np.testing.assert_array_equal(pixels(page, "Observation"), observations[-1])
    colors = legend_colors(page)
    want = overlay(observations[-1].astype(float), [(maps[-1, ..., 1], colors[1])], 1.0)
    assert_pixels(pixels(page, "Positive attribution"), want)
