"""Saving an episode as a video, in a real Chromium, which also plays it back."""

import base64
import pathlib

import numpy as np
import pytest
from browsing import expect, expect_step, wait_for_overlay

from rlvision_jax.interface import read_report

# What a player makes of the file.
_LOAD = """async video => {
  const bytes = Uint8Array.from(atob(video), c => c.charCodeAt(0));
  const player = document.createElement("video");
  player.src = URL.createObjectURL(new Blob([bytes], {type: "video/webm"}));
  await new Promise((resolve, reject) => {
    player.addEventListener("loadeddata", resolve);
    player.addEventListener("error", () => reject(player.error));
  });
  return [player.videoWidth, player.videoHeight, player.duration];
}"""

# Decodes the frames themselves, which does not depend on a player's timing: the middles of a
# screen's 64 x 64 pixels of each.
_DECODE = """async ({frames, left, top}) => {
  const side = 384;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  const pixels = [], times = [];
  const decoder = new VideoDecoder({
    error: error => { throw error; },
    output: frame => {
      context.drawImage(frame, -left, -top);
      times.push(frame.timestamp / 1000);
      frame.close();
      const {data} = context.getImageData(0, 0, side, side);
      for (let y = 3; y < side; y += 6)
        for (let x = 3; x < side; x += 6)
          pixels.push(...data.slice((y * side + x) * 4, (y * side + x) * 4 + 3));
    },
  });
  decoder.configure({codec: "vp09.00.50.08"});
  for (const [time, isKey, data] of frames)
    decoder.decode(new EncodedVideoChunk({
      timestamp: time * 1000,
      type: isKey ? "key" : "delta",
      data: Uint8Array.from(atob(data), c => c.charCodeAt(0)),
    }));
  await decoder.flush();
  return [times, pixels];
}"""

_SEGMENT, _CLUSTER, _TIMESTAMP, _BLOCK = "18538067", "1f43b675", "e7", "a3"


def elements(content):
    """Identifiers and contents of EBML elements."""
    at = 0

    def take(keep_marker):
        nonlocal at
        length = 9 - content[at].bit_length()
        number = int.from_bytes(content[at : at + length], "big")
        at += length
        return number if keep_marker else number & ~(1 << 7 * length)

    while at < len(content):
        name = f"{take(True):x}"
        size = take(False)
        yield name, content[at : at + size]
        at += size


def blocks(content):
    """Time in milliseconds, whether it is a key frame, and data of each frame of a WebM file."""
    found = []
    segment = dict(elements(content))[_SEGMENT]
    for _, cluster in (part for part in elements(segment) if part[0] == _CLUSTER):
        parts = list(elements(cluster))
        start = int.from_bytes(dict(parts)[_TIMESTAMP], "big")
        for _, block in (part for part in parts if part[0] == _BLOCK):
            time = start + int.from_bytes(block[1:3], "big", signed=True)
            found.append((time, block[3] & 0x80 != 0, base64.b64encode(block[4:]).decode()))
    return found


# Screens in the picture: web/src/drawing/picture.ts.
_SIDE, _GAP, _LINE = 384, 16, 22


@pytest.fixture
def play(browser):
    """Returns size, length, the frames' times, and their pixels in a column of screens."""

    def play(path, column):
        content = pathlib.Path(path).read_bytes()
        page = browser.new_page()
        page.goto(pathlib.Path(__file__).as_uri())  # about:blank is no place for WebCodecs
        width, height, duration = page.evaluate(_LOAD, base64.b64encode(content).decode())
        place = {"left": _GAP + column * (_SIDE + _GAP), "top": _GAP + 2 * _LINE}
        times, frames = page.evaluate(_DECODE, {"frames": blocks(content), **place})
        page.close()
        return (width, height), duration, times, np.array(frames, float).reshape(-1, 64, 64, 3)

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
    size, duration, times, frames = play(saved.path(), 0)
    assert times == [500 * i for i in range(len(steps))]
    assert size == (3 * (_SIDE + _GAP) + _GAP, 2 * _GAP + 3 * _LINE + _SIDE + _GAP)
    assert duration == pytest.approx(3.5)
    wanted = read_report(folder).trajectories[0].observations.astype(float)
    distances = np.abs(frames[:, None] - wanted[None]).mean((2, 3, 4))
    assert distances.argmin(1).tolist() == list(steps)
    # Lossy, in half the resolution of colours; unrelated noise differs by 85 on average.
    assert distances.min(1).max() < 45


def test_the_video_shows_what_the_page_shows(page, play, shown):
    """Here the attribution without its ground: other pixels than the observation's, that change."""
    page.keyboard.press("f")
    page.get_by_label("Speed").select_option("50 steps/s")
    _, duration, times, frames = play(save_video(page).path(), 1)
    assert times == [20 * i for i in range(8)]
    assert duration == pytest.approx(8 / 50)
    changes = np.abs(np.diff(frames, axis=0)).max((1, 2, 3))
    # What is shown is strong in some steps and next to nothing in others.
    strengths = shown.trajectories[0].attributions[0].maps[:8].max((1, 2, 3))
    is_strong = np.maximum(strengths[1:], strengths[:-1]) > 0.5
    assert is_strong.sum() == 6
    np.testing.assert_array_equal(changes > 25, is_strong)


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
