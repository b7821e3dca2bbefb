"""Objects, failures, the policy's lane and frames for people in a real Chromium."""

import io
import re

import numpy as np
from browsing import expect, expect_step, fact, pixels
from PIL import Image

MARK_OPACITY = 0.65


def test_marked_objects_are_coloured_in_the_observation(page, report):
    trajectory = report.trajectories[0]
    button = page.get_by_role("list", name="Objects").get_by_role("button", name="saw")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    value = button.evaluate("e => getComputedStyle(e).getPropertyValue('--color')").strip()
    color = np.array([int(value[i : i + 2], 16) for i in (1, 3, 5)], float)
    page.keyboard.press("ArrowRight")
    expect_step(page, 2)
    observation = trajectory.observations[1].astype(float)
    marked = observation * (1 - MARK_OPACITY) + color * MARK_OPACITY
    want = np.where(trajectory.object_masks[1, ..., 1:2], marked, observation)
    np.testing.assert_allclose(pixels(page, "Observation"), want, atol=1)  # rounded once
    button.click()
    np.testing.assert_array_equal(pixels(page, "Observation"), observation)


def test_the_table_says_how_densely_features_lie_on_objects(page, shown, report):
    page.get_by_role("checkbox", name=re.compile("How densely")).check()
    trajectory, attribution = report.trajectories[0], shown.trajectories[0].attributions[0]
    table = page.get_by_role("table")
    # Each position of the layer stands for 2 x 2 pixels.
    masks = trajectory.object_masks.reshape(24, 32, 2, 32, 2, 2).mean((2, 4))
    magnitudes = np.abs(attribution.maps.astype(float))
    for object_index, name in enumerate(report.object_names):
        cover = masks[..., object_index]
        seen = cover.any((1, 2))
        on = np.einsum("thw,thwf->f", cover, magnitudes)
        everywhere = magnitudes[seen].sum((0, 1, 2))
        expected = on / everywhere / cover[seen].mean()
        row = table.get_by_role("row", name=re.compile(f"^{name}"))
        got = [float(cell) for cell in row.get_by_role("cell").all_inner_texts()]
        np.testing.assert_allclose(got, expected, atol=0.051)  # one decimal


def test_failures_lead_to_the_last_steps_of_their_episode(page):
    for cause, trajectory in (("saw", "1"), ("lava", "2")):
        button = page.get_by_role("list", name=f"Failures: {cause}").get_by_role("button")
        expect(button).to_have_text(f"{trajectory} · step 15")
        button.click()
        # Its episode begins at step 9, fewer than 24 before the end.
        expect_step(page, 9)
        expect(button).to_have_attribute("aria-current", "true")
        expect(fact(page, "Level")).to_have_text("202")


def test_frames_for_people_follow_the_step(page, report):
    page.get_by_role("checkbox", name="Frame for people").check()
    picture = page.get_by_role("figure", name="Observation").get_by_role("img")
    for step in (0, 3):
        for _ in range(step):
            page.keyboard.press("ArrowRight")
        expect_step(page, step + 1)
        expect(picture).to_be_visible()
        drawn = picture.evaluate(
            """async image => {
              await image.decode();
              const canvas = document.createElement("canvas");
              [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
              const context = canvas.getContext("2d", {willReadFrequently: true});
              context.drawImage(image, 0, 0);
              return [canvas.width, ...context.getImageData(60, 60, 1, 1).data];
            }"""
        )
        file = Image.open(io.BytesIO(report.trajectories[0].human_frames[step]))
        assert drawn == [128, *file.getpixel((60, 60)), 255]
    page.keyboard.press("]")  # this trajectory has none
    expect(picture).to_have_count(0)
    expect(page.get_by_role("checkbox", name="Frame for people")).to_have_count(0)


def test_the_policys_lane_shows_probabilities_and_the_action_taken(page, report):
    trajectory = report.trajectories[0]
    lane = page.get_by_role("figure", name="Policy and action").locator("canvas")
    alpha = lane.evaluate(
        "c => [...c.getContext('2d', {willReadFrequently: true})"
        ".getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 3)"
    )
    logits = trajectory.policy_logits.astype(float)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    want = np.round(probabilities * 255).T
    want[trajectory.actions, np.arange(24)] = 255
    np.testing.assert_allclose(np.reshape(alpha, (4, 24)), want, atol=1)
    figure = page.get_by_role("figure", name="Policy and action")
    expect(figure.locator("output")).to_have_text(
        report.action_names[trajectory.actions[0]] or "nothing"
    )


def test_the_picture_saved_is_what_the_screens_show(page, tmp_path):
    screens = [pixels(page, title) for title in ("Observation", "Positive", "Negative")]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save picture").click()
    assert download.value.suggested_filename == "trajectory-1-step-1.png"
    download.value.save_as(tmp_path / "picture.png")
    picture = np.asarray(Image.open(tmp_path / "picture.png").convert("RGB"), float)
    side, gap, line = 384, 16, 22
    top = gap + 2 * line
    for index, screen in enumerate(screens):
        left = gap + index * (side + gap)
        drawn = picture[top : top + side, left : left + side]
        # Each pixel six times enlarged; what was drawn is read back.
        np.testing.assert_array_equal(drawn[3::6, 3::6], screen)
