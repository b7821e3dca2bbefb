"""Two agents beside each other, in a real Chromium."""

import dataclasses
import re

import numpy as np
import pytest
from browsing import (
    assert_pixels,
    display_scale,
    expect,
    expect_step,
    overlay,
    pixels,
    wait_for_overlay,
)

from rlvision_jax.interface import read_report, write_report
from rlvision_jax.interface.pairs import paired


@pytest.fixture(scope="module")
def second(report):
    """The same levels in 5, 13 and 6 steps; the first agent takes 8, 7 and 9."""
    ended = np.zeros(24, bool)
    ended[[4, 17]] = True
    return dataclasses.replace(
        report.trajectories[1],
        label="",
        terminated=ended,
        level_complete=ended,
        level_seeds=np.repeat(np.array([101, 202, 303], np.int32), [5, 13, 6]),
    )


def write_pair(report, first, second, layers, folder):
    pair = paired([first], [second], levels=True)
    both = dataclasses.replace(
        report,
        layers=layers,
        trajectories=pair,
        agents=("trained", "edited"),
        failures=(),
        bookmarks=(),
    )
    return write_report(both, folder).parent


@pytest.fixture(scope="module")
def pair_folder(report, second, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pair") / "report"
    return write_pair(report, report.trajectories[0], second, report.layers, folder)


def rows_of(page):
    """The screens of the first agent, and of the second."""
    rows = page.locator("[data-row]")
    expect(rows).to_have_count(2)
    for row in (rows.nth(0), rows.nth(1)):
        wait_for_overlay(row)
    return rows.nth(0), rows.nth(1)


def expect_moments(page, report, first, second):
    """Both rows show their own agent's frame of a step each."""
    expect(page.get_by_role("heading", name=re.compile("^trained"))).to_contain_text(
        f"step {first + 1} of 24"
    )
    expect(page.get_by_role("heading", name=re.compile("^edited"))).to_contain_text(
        f"step {second + 1} of 24"
    )
    for row, trajectory, step in zip(
        rows_of(page), report.trajectories, (first, second), strict=True
    ):
        assert_pixels(pixels(row, "Observation"), trajectory.observations[step])


def test_episodes_begin_together_and_the_shorter_one_waits(open_page, pair_folder):
    report = read_report(pair_folder)
    page = open_page(pair_folder, "#trajectory=1&step=3")
    expect_moments(page, report, 2, 2)
    page.keyboard.press("Shift+ArrowRight")
    expect_step(page, 9)
    expect_moments(page, report, 8, 5)
    page.keyboard.press("ArrowLeft")
    expect_moments(page, report, 7, 4)

    page.get_by_label("Aligned by").select_option("step")
    expect_moments(page, report, 7, 7)
    expect(page).to_have_url(re.compile("bysteps=yes"))

    # Seen from the other agent, the first is beside it.
    page.get_by_role("button", name=re.compile("^Trajectory 2")).click()
    expect(page.get_by_label("Beside trained")).to_be_checked()
    row, beside = rows_of(page)
    assert_pixels(pixels(row, "Observation"), report.trajectories[1].observations[0])
    assert_pixels(pixels(beside, "Observation"), report.trajectories[0].observations[0])
    page.get_by_label("Beside trained").uncheck()
    expect(page.locator("[data-row]")).to_have_count(1)
    expect(page).to_have_url(re.compile("beside=no"))


def test_of_one_layer_both_are_drawn_to_one_scale(open_page, pair_folder):
    report = read_report(pair_folder)
    page = open_page(pair_folder, "#hide=2+3")
    maps = [trajectory.attributions[0].maps for trajectory in report.trajectories]
    swatch = page.locator("ol[aria-label='Legend'] .swatch").first
    color = np.array(swatch.evaluate("s => s.style.background.match(/\\d+/g).map(Number)"), float)
    for row, trajectory, own in zip(rows_of(page), report.trajectories, maps, strict=True):
        wanted = overlay(
            trajectory.observations[0].astype(float),
            [(own[0, ..., 0].clip(min=0), color)],
            display_scale(maps[0]),
        )
        assert_pixels(pixels(row, "Positive attribution"), wanted)
    totals = page.get_by_role("figure", name=re.compile("^Totals of value"))
    ticks = [totals.nth(i).locator(".tick").all_inner_texts() for i in range(2)]
    assert ticks[0] == ticks[1] != []


def test_values_of_both_share_a_graph(open_page, pair_folder):
    page = open_page(pair_folder)
    graph = page.get_by_role("figure", name=re.compile("^Value"))
    expect(graph).to_contain_text("dashed: edited")
    lines = graph.locator("path.line")
    expect(lines).to_have_count(2)
    beside, own = (lines.nth(i).get_attribute("d") for i in range(2))
    points = {d: re.findall(r"([ML])([\d.]+) ([\d.]+)", d) for d in (beside, own)}
    assert len(points[own]) == 24
    # Five steps, a gap of three, then seven of thirteen and all six of the last episode.
    steps = [float(x) - 0.5 for _, x, _ in points[beside]]
    assert steps == [*range(5), *range(8, 21)]
    assert [kind for kind, *_ in points[beside]].count("M") == 2
    # One axis: the same value is at the same height.
    report = read_report(pair_folder)
    first, second = (trajectory.values for trajectory in report.trajectories)
    heights = [float(y) for _, _, y in points[own]]
    slope, offset = np.polyfit(first, heights, 1)
    shown = second[[*range(5), *range(5, 12), *range(18, 24)]]
    # Two decimals in a path.
    np.testing.assert_allclose(
        [float(y) for _, _, y in points[beside]], slope * shown + offset, atol=0.02
    )


def test_policies_of_both_share_a_list(open_page, pair_folder):
    report = read_report(pair_folder)
    page = open_page(pair_folder, "#step=10")
    expect(page.get_by_role("heading", name=re.compile("^Policy"))).to_contain_text("pale: edited")
    bars = page.get_by_role("list", name="Policy").get_by_role("listitem")
    shares = []
    # The second step of the second episode.
    for trajectory, step in zip(report.trajectories, (9, 6), strict=True):
        weights = np.exp(trajectory.policy_logits[step].astype(float))
        shares.append(100 * weights / weights.sum())
    for action, (own, other) in enumerate(zip(*shares, strict=True)):
        bar = bars.nth(action)
        expect(bar.locator(".number")).to_have_text(f"{own:.1f}%")
        difference = float(bar.locator("output").inner_text().replace("−", "-") or 0)
        assert difference == pytest.approx(own - other, abs=0.0501)
        widths = bar.locator(".tracks, .bar").evaluate_all(
            "all => all.map(e => e.getBoundingClientRect().width)"
        )
        track, pale, solid = widths
        assert [100 * pale / track, 100 * solid / track] == pytest.approx([other, own], abs=1)
    marked = bars.and_(page.locator(".elsewhere"))
    expect(marked).to_have_count(1)
    expect(bars.nth(int(report.trajectories[1].actions[6]))).to_have_class(re.compile("elsewhere"))
    page.get_by_role("checkbox", name="Beside edited").uncheck()
    expect(bars.first.locator("output")).to_have_count(0)


def test_where_the_other_has_not_come_it_says_so(open_page, report, second, tmp_path):
    short = dataclasses.replace(
        second,
        **{
            field.name: getattr(second, field.name)[:5]
            for field in dataclasses.fields(second)
            if isinstance(getattr(second, field.name), np.ndarray)
        },
        attributions=(),
    )
    folder = write_pair(report, report.trajectories[0], short, report.layers, tmp_path / "report")
    page = open_page(folder, "#step=9")
    heading = page.get_by_role("heading", name=re.compile("^edited"))
    expect(heading).to_contain_text("has not come so far")
    expect(page.locator("[data-row]")).to_have_count(1)
    page.keyboard.press("ArrowLeft")
    expect(heading).to_contain_text("step 5 of 5")
    expect(page.locator("[data-row]").nth(1)).to_contain_text("carries no attribution")


def test_an_agent_of_another_network_is_explained_by_its_own_layer(
    open_page, report, second, tmp_path
):
    # The second agent's own layer: the features of 3a, in place of those of 2b.
    own = dataclasses.replace(report.layers[1], name="2b of edited", counterpart=0)
    maps = dataclasses.replace(second.attributions[2], layer=own.name)
    folder = write_pair(
        report,
        report.trajectories[0],
        dataclasses.replace(second, attributions=(maps,)),
        (report.layers[0], *report.layers[1:], own),
        tmp_path / "report",
    )
    page = open_page(folder, "#hide=1")
    row, beside = rows_of(page)
    expect(row.get_by_role("figure")).to_have_count(3)
    expect(beside.get_by_role("figure")).to_have_count(3)
    totals = page.get_by_role("figure", name=re.compile("^Totals of value"))
    expect(totals).to_have_count(2)
    # Three features and the residual; two and the residual.
    expect(totals.nth(0).get_by_role("listitem")).to_have_count(4)
    expect(totals.nth(1).get_by_role("listitem")).to_have_count(3)
    expect(totals.nth(1)).to_contain_text("Attribution by feature")
    page.keyboard.press("]")
    expect(page.get_by_label("Layer")).to_have_value("3")
    expect(page.get_by_role("heading", name="Features of layer 2b of edited")).to_be_visible()
