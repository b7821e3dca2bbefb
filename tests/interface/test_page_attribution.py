"""Attribution in a real Chromium: pixels and numbers against NumPy."""

import re

import numpy as np
import pytest
from browsing import (
    READ_PIXELS,
    assert_pixels,
    display_scale,
    expect,
    expect_step,
    fact,
    legend,
    legend_colors,
    overlay,
    pixels,
    score_row,
    screen,
    toggle,
    wait_for_overlay,
)


def test_screens_show_the_frame_and_both_signs_of_attribution(page, shown):
    trajectory = shown.trajectories[0]
    attribution = trajectory.attributions[0]
    colors, scale = legend_colors(page)[:3], display_scale(attribution.maps)
    for step in (0, 1, 5):  # attribution of frame 5 is silent
        for _ in range(step - int(fact(page, "Step").inner_text().split("/")[0]) + 1):
            page.keyboard.press("ArrowRight")
        expect_step(page, step + 1)
        observation = trajectory.observations[step].astype(float)
        np.testing.assert_array_equal(pixels(page, "Observation"), observation)
        for title, sign in (("Positive attribution", 1), ("Negative attribution", -1)):
            parts = np.maximum(sign * attribution.maps[step], 0)
            layers = [(parts[..., feature], colors[feature]) for feature in range(3)]
            assert_pixels(pixels(page, title), overlay(observation, layers, scale))


def test_pointing_at_a_feature_isolates_it_and_a_click_hides_it(page, shown):
    trajectory = shown.trajectories[0]
    attribution = trajectory.attributions[0]
    colors, scale = legend_colors(page), display_scale(attribution.maps)
    parts = np.maximum(attribution.maps[0], 0)
    observation = trajectory.observations[0].astype(float)

    def expected(features):
        return overlay(observation, [(parts[..., f], colors[f]) for f in features], scale)

    legend(page, "saw").hover()
    assert_pixels(pixels(page, "Positive attribution"), expected([1]))
    toggle(page, "saw").click()
    expect(toggle(page, "saw")).to_have_attribute("aria-pressed", "false")
    page.mouse.move(640, 5)
    assert_pixels(pixels(page, "Positive attribution"), expected([0, 2]))
    page.keyboard.press("2")
    expect(toggle(page, "saw")).to_have_attribute("aria-pressed", "true")
    assert_pixels(pixels(page, "Positive attribution"), expected([0, 1, 2]))


def test_the_residual_is_added_in_white_or_shown_alone(page, shown):
    trajectory = shown.trajectories[0]
    attribution = trajectory.attributions[0]
    colors, scale = legend_colors(page), display_scale(attribution.maps)
    parts = np.maximum(-attribution.maps[0], 0)
    residual = (np.maximum(-attribution.residual[0], 0), np.full(3, 255.0))
    observation = trajectory.observations[0].astype(float)
    legend(page, "residual").hover()
    assert_pixels(pixels(page, "Negative attribution"), overlay(observation, [residual], scale))
    page.mouse.move(640, 5)
    page.get_by_role("checkbox", name="Residual").check()
    layers = [*((parts[..., f], colors[f]) for f in range(3)), residual]
    assert_pixels(pixels(page, "Negative attribution"), overlay(observation, layers, scale))


def test_signs_together_show_magnitudes_and_the_slider_sets_the_opacity(page, shown):
    trajectory = shown.trajectories[0]
    attribution = trajectory.attributions[0]
    colors, scale = legend_colors(page), display_scale(attribution.maps)
    observation = trajectory.observations[0].astype(float)
    page.get_by_role("checkbox", name="Signs together").check()
    page.get_by_role("slider", name="Overlay opacity").fill("0.5")
    expect(page.get_by_role("figure", name="Positive attribution")).to_have_count(0)
    magnitudes = np.abs(attribution.maps[0])
    layers = [(magnitudes[..., f], colors[f]) for f in range(3)]
    assert_pixels(
        pixels(page, "Attribution moves"), overlay(observation, layers, scale, opacity=0.5)
    )


def test_layer_and_score_choose_the_attribution(page, shown):
    trajectory = shown.trajectories[0]
    observation = trajectory.observations[0].astype(float)
    page.get_by_label("Score").select_option("RIGHT logits")
    expect(page.get_by_role("figure", name="raises the RIGHT logits")).to_be_visible()
    attribution = trajectory.attributions[1]
    colors = legend_colors(page)
    layers = [(np.maximum(attribution.maps[0], 0)[..., f], colors[f]) for f in range(3)]
    want = overlay(observation, layers, display_scale(attribution.maps))
    # Its data has arrived when the graph by feature is back.
    expect(page.get_by_role("figure", name="Attribution by feature")).to_be_visible()
    assert_pixels(pixels(page, "Positive attribution"), want)

    page.get_by_label("Layer").select_option("3a")
    expect(page.get_by_text("carries no attribution of this score")).to_be_visible()
    page.get_by_label("Score").select_option("value")
    expect(legend(page, "sky")).to_be_visible()
    wait_for_overlay(page)
    attribution = trajectory.attributions[2]
    layers = [(np.maximum(attribution.maps[0], 0)[..., f], colors[f]) for f in range(2)]
    want = overlay(observation, layers, display_scale(attribution.maps))
    assert_pixels(pixels(page, "Positive attribution"), want)


def test_legend_totals_are_sums_of_the_exact_maps(page, report):
    attribution = report.trajectories[0].attributions[0]
    for name, maps in zip(("coin", "saw", "wall"), attribution.maps[0].T, strict=True):
        shown = float(legend(page, name).locator(".total").inner_text().replace("−", "-"))
        assert shown == pytest.approx(maps.sum(), rel=5e-3)  # three digits
    shown = legend(page, "residual").locator(".total").inner_text().replace("−", "-")
    assert float(shown) == pytest.approx(attribution.residual[0].sum(), rel=5e-3)


def test_a_feature_is_isolated_by_keyboard_too(page):
    before = pixels(page, "Positive attribution")
    page.get_by_role("checkbox", name="Residual").focus()
    for _ in range(100):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('ol[aria-label=Legend]') !== null"):
            break
    isolated = pixels(page, "Positive attribution")
    assert np.abs(isolated - before).max() > 10
    page.keyboard.press(" ")  # presses the button, does not play
    expect(toggle(page, "coin")).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def positive(page, attribution, features):
    """Naive drawing of the positive part at the first step."""
    colors, scale = legend_colors(page), display_scale(attribution.maps)
    parts = np.maximum(attribution.maps[0], 0)
    return [(parts[..., f], colors[f]) for f in features], scale


def test_rows_are_added_and_removed_and_each_shows_its_score(page, shown):
    trajectory = shown.trajectories[0]
    observation = trajectory.observations[0].astype(float)
    page.get_by_role("button", name="Add a row").click()
    second = score_row(page, "RIGHT logits")
    expect(second.get_by_role("figure", name="Totals of RIGHT logits")).to_be_visible()
    for score, attribution in zip(("value", "RIGHT logits"), trajectory.attributions, strict=False):
        row = score_row(page, score)
        wait_for_overlay(row)
        layers, scale = positive(page, attribution, range(3))
        want = overlay(observation, layers, scale)
        assert_pixels(pixels(row, "Positive attribution"), want)
    # The selected output has its graph: the sum of two logits.
    graph = page.get_by_role("figure", name=re.compile("^RIGHT logits")).locator("output")
    logits = trajectory.policy_logits[0, [2, 3]].sum()
    assert float(graph.inner_text().replace("−", "-")) == pytest.approx(logits, rel=5e-3)
    page.get_by_role("button", name="Remove the row of value").click()
    expect(score_row(page, "value")).to_have_count(0)
    expect(second.get_by_role("button", name="Remove")).to_have_count(0)  # the last one stays


def test_attribution_alone_lies_on_black(page, shown):
    attribution = shown.trajectories[0].attributions[0]
    page.get_by_role("checkbox", name="Over the frame").uncheck()
    layers, scale = positive(page, attribution, range(3))
    assert_pixels(
        pixels(page, "Positive attribution"), overlay(np.zeros((64, 64, 3)), layers, scale)
    )
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("f")
    expect(page.get_by_role("checkbox", name="Over the frame")).to_be_checked()
    observation = shown.trajectories[0].observations[0].astype(float)
    assert_pixels(pixels(page, "Positive attribution"), overlay(observation, layers, scale))


def test_the_pixels_are_a_layer_whose_features_are_colours(page, shown):
    page.get_by_label("Layer").select_option("pixels")
    expect(page.get_by_role("figure", name="Positive gradient")).to_be_visible()
    expect(page.get_by_role("figure", name="Gradient by channel").first).to_be_visible()
    attribution = shown.trajectories[0].attributions[3]
    assert attribution.layer == "pixels"
    np.testing.assert_array_equal(legend_colors(page), np.eye(3) * 255)
    layers, scale = positive(page, attribution, range(3))
    observation = shown.trajectories[0].observations[0].astype(float)
    assert_pixels(pixels(page, "Positive gradient"), overlay(observation, layers, scale))
    expect(page.get_by_role("checkbox", name="Residual")).to_have_count(0)


def test_bars_of_the_totals_reach_what_their_axis_says(page, report):
    page.keyboard.press("ArrowRight")
    attribution = report.trajectories[0].attributions[0]
    chart = page.get_by_role("figure", name="Totals of value at this step")
    ticks = chart.locator(".tick").evaluate_all(
        "e => e.map(t => [Number(t.textContent.replace('−', '-')), parseFloat(t.style.top)])"
    )
    (low, low_y), (high, high_y) = ticks[0], ticks[-1]
    per_percent = (high - low) / (high_y - low_y)
    bars = chart.get_by_role("listitem")
    expect(bars).to_have_count(4)
    channels = [*attribution.maps[1].transpose(2, 0, 1), attribution.residual[1]]
    for index, values in enumerate(channels):
        heights = bars.nth(index).evaluate(
            "e => ['.up', '.down', '.net'].map(s => { const b = e.querySelector(s).style;"
            " return [parseFloat(b.top), parseFloat(b.height)] })"
        )
        (_, up), (_, down), (net, _) = heights
        # Percent of the axis, as CSS keeps them: six digits.
        assert -up * per_percent == pytest.approx(values.clip(min=0).sum(), rel=1e-3, abs=1e-4)
        assert down * per_percent == pytest.approx(values.clip(max=0).sum(), rel=1e-3, abs=1e-4)
        assert low + (net - low_y) * per_percent == pytest.approx(values.sum(), rel=1e-3, abs=1e-3)


def test_a_link_brings_the_whole_view_back(open_page, folder, page):
    page.get_by_role("button", name="Add a row").click()
    toggle(page, "saw").click()
    for name in ("Residual", "Signs together"):
        page.get_by_role("checkbox", name=name).check()
    page.get_by_role("checkbox", name="Over the frame").uncheck()
    page.get_by_role("slider", name="Overlay opacity").fill("0.5")
    page.wait_for_url(re.compile("opacity=0.5"))
    again = open_page(folder, "#" + page.url.split("#")[1])
    expect(score_row(again, "RIGHT logits")).to_be_visible()
    expect(toggle(again, "saw")).to_have_attribute("aria-pressed", "false")
    expect(toggle(again, "residual")).to_have_attribute("aria-pressed", "true")
    expect(again.get_by_role("slider", name="Overlay opacity")).to_have_value("0.5")
    is_drawn = f"canvas => ({READ_PIXELS})(canvas)[3] === 255"
    for score in ("value", "RIGHT logits"):
        for tab in (page, again):
            canvas = screen(score_row(tab, score), "Attribution")
            tab.wait_for_function(is_drawn, arg=canvas.element_handle())
        first, second = (pixels(score_row(tab, score), "Attribution") for tab in (page, again))
        np.testing.assert_array_equal(first, second)
