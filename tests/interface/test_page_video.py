"""Saving an episode as a video, in a real Chromium, which also plays it back."""

import base64
import pathlib

import numpy as np
import pytest
from browsing import expect, expect_step, wait_for_overlay

from rlvision_jax.interface import read_report

# The video's size and length, and at some times the middles of a screen's 64 x 64 pixels.
_PLAY = """async ({video, times, left, top}) => {
  const bytes = Uint8Array.from(atob(video), c => c.charCodeAt(0));
  const player = document.createElement("video");
  player.muted = true;
  player.src = URL.createObjectURL(new Blob([bytes], {type: "video/webm"}));
  const until = event => new Promise((resolve, reject) => {
    player.addEventListener(event, resolve, {once: true});
    player.addEventListener("error", () => reject(player.error), {once: true});
  });
  await until("loadeddata");
  const canvas = document.createElement("canvas");
  const side = canvas.width = canvas.height = 384;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const frames = [];
  for (const time of times) {
    const seeked = until("seeked");
    player.currentTime = time;
    await seeked;
    context.drawImage(player, -left, -top);
    const {data} = context.getImageData(0, 0, side, side);
    for (let y = 3; y < side; y += 6)
      for (let x = 3; x < side; x += 6)
        frames.push(...data.slice((y * side + x) * 4, (y * side + x) * 4 + 3));
  }
  return [player.videoWidth, player.videoHeight, player.duration, frames];
}"""

# Screens in the picture: web/src/drawing/picture.ts.
_SIDE, _GAP, _LINE = 384, 16, 22


@pytest.fixture
def play(browser):
    def play(path, times, column):
        player = browser.new_page()
        video = base64.b64encode(pathlib.Path(path).read_bytes()).decode()
        place = {"left": _GAP + column * (_SIDE + _GAP), "top": _GAP + 2 * _LINE}
        width, height, duration, frames = player.evaluate(
            _PLAY, {"video": video, "times": times, **place}
        )
        player.close()
        return (width, height), duration, np.array(frames, float).reshape(-1, 64, 64, 3)

    return play


def save_video(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Save video").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    return download.value


def test_the_video_is_the_episode_step_by_step(page, folder, play):
    """Decoded, each frame is nearer to its own observation than to any other step's."""
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("ArrowRight")
    expect_step(page, 10)  # of the second episode, steps 9 to 15
    page.get_by_label("Speed").select_option("2 steps/s")
    saved = save_video(page)
    assert saved.suggested_filename == "trajectory-1-episode-2.webm"
    expect_step(page, 10)

    steps = range(8, 15)
    size, duration, frames = play(saved.path(), [0.5 * i + 0.25 for i in range(len(steps))], 0)
    assert size == (3 * (_SIDE + _GAP) + _GAP, 2 * _GAP + 3 * _LINE + _SIDE + _GAP)
    assert duration == pytest.approx(3.5)
    wanted = read_report(folder).trajectories[0].observations.astype(float)
    distances = np.abs(frames[:, None] - wanted[None]).mean((2, 3, 4))
    assert distances.argmin(1).tolist() == list(steps)
    # Lossy, in half the resolution of colours; unrelated noise differs by 85 on average.
    assert distances.min(1).max() < 45


def test_the_video_shows_what_the_page_shows(page, play):
    """Here the attribution without its ground: other pixels than the observation's, that change."""
    page.keyboard.press("f")
    page.get_by_label("Speed").select_option("50 steps/s")
    _, duration, frames = play(save_video(page).path(), [0.01, 0.07], 1)
    assert duration == pytest.approx(8 / 50)
    assert np.abs(frames[0] - frames[1]).max() > 50


def test_a_video_that_is_cancelled_is_not_saved(page):
    downloads = []
    page.on("download", lambda download: downloads.append(download))
    # An encoder that never takes the first frame.
    page.evaluate(
        "Object.defineProperty(VideoEncoder.prototype, 'encodeQueueSize', {get: () => 100})"
    )
    page.get_by_role("button", name="Save video").click()
    dialog = page.get_by_role("dialog", name="Saving the episode as a video")
    expect(dialog).to_contain_text("step 1 of 8")
    expect(dialog.get_by_role("progressbar")).to_have_attribute("max", "8")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect_step(page, 2)
    wait_for_overlay(page)
    assert downloads == []


def test_a_browser_without_encoder_says_so(page):
    page.evaluate("delete window.VideoEncoder")
    page.get_by_role("button", name="Save video").click()
    dialog = page.get_by_role("dialog", name="Saving the episode as a video")
    expect(dialog.get_by_role("alert")).to_contain_text("This browser cannot encode video")
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    expect_step(page, 1)
