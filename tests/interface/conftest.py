import dataclasses
import io
import pathlib
import sys

import numpy as np
import pytest
from PIL import Image

from rlvision_jax.interface import (
    Attribution,
    ExampleGrid,
    Failure,
    Feature,
    Layer,
    Report,
    Score,
    Trajectory,
    advantage_bookmarks,
    read_report,
    write_report,
)

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import browsing

NUM_STEPS = 24
ACTION_NAMES = ("LEFT", "", "RIGHT", "RIGHT+UP")
NUM_EXAMPLES = 12


def make_grid(rng, size):
    centres = ((np.arange(size) + 0.5) / size).astype(np.float32)
    strengths = rng.random((size, size), np.float32)
    strengths[0, 0] = 0
    return ExampleGrid(
        frames=rng.integers(0, NUM_EXAMPLES, (size, size), np.int32),
        strengths=strengths,
        rows=centres,
        columns=centres,
    )


def make_feature(rng, name, num_channels=6, grid_sizes=()):
    return Feature(
        name=name,
        direction=rng.random(num_channels, np.float32),
        thumbnails=rng.integers(0, 256, (3, 8, 10, 3), np.uint8),
        strengths=np.array([3, 2, 1], np.float32),
        grids=tuple(make_grid(rng, size) for size in grid_sizes),
    )


def make_channel(name, color, index):
    return Feature(
        name=name,
        color=color,
        direction=np.eye(3, dtype=np.float32)[index],
        thumbnails=np.zeros((0, 1, 1, 3), np.uint8),
        strengths=np.zeros(0, np.float32),
    )


def make_jpeg(color):
    file = io.BytesIO()
    Image.new("RGB", (128, 128), color).save(file, "JPEG")
    return file.getvalue()


def make_attribution(rng, layer, score, size, num_features):
    """Sparse maps, strong in some frames and silent in one, so that quantization has work."""
    shape = (NUM_STEPS, size, size, num_features)
    maps = (
        rng.normal(size=shape)
        * (rng.random(shape) < 0.1)
        * rng.gamma(1.0, size=(NUM_STEPS, 1, 1, 1))
    )
    residual = rng.normal(size=shape[:3]) * 0.1
    maps[5], residual[5] = 0, 0
    return Attribution(
        layer=layer,
        score=score,
        maps=maps.astype(np.float32),
        residual=residual.astype(np.float32),
    )


def make_trajectory(rng, label):
    """Three episodes: completed at step 8, failed at step 15, cut off by the end."""
    terminated = np.zeros(NUM_STEPS, bool)
    terminated[[7, 14]] = True
    level_complete = np.zeros(NUM_STEPS, bool)
    level_complete[7] = True
    return Trajectory(
        label=label,
        observations=rng.integers(0, 256, (NUM_STEPS, 64, 64, 3), np.uint8),
        actions=rng.integers(0, len(ACTION_NAMES), NUM_STEPS, np.int32),
        rewards=(10 * level_complete).astype(np.float32),
        terminated=terminated,
        truncated=np.zeros(NUM_STEPS, bool),
        level_complete=level_complete,
        level_seeds=np.repeat(np.array([101, 202, 303], np.int32), [8, 7, 9]),
        values=rng.normal(5, 1, NUM_STEPS).astype(np.float32),
        advantages=rng.normal(size=NUM_STEPS).astype(np.float32),
        policy_logits=rng.normal(size=(NUM_STEPS, len(ACTION_NAMES))).astype(np.float32),
        attributions=(
            make_attribution(rng, "2b", "value", 32, 3),
            make_attribution(rng, "2b", "RIGHT logits", 32, 3),
            make_attribution(rng, "3a", "value", 16, 2),
            dataclasses.replace(
                make_attribution(rng, "pixels", "value", 64, 3),
                residual=np.zeros((NUM_STEPS, 64, 64), np.float32),
            ),
        ),
        object_masks=rng.random((NUM_STEPS, 64, 64, 2)) < 0.02,
    )


@pytest.fixture(scope="session")
def report():
    """Two trajectories, two layers and the pixels, two scores, of random numbers."""
    rng = np.random.default_rng(0)
    trajectories = (
        # Pictures for people, of one grey each.
        dataclasses.replace(
            make_trajectory(rng, ""),
            human_frames=tuple(make_jpeg((10 * t,) * 3) for t in range(NUM_STEPS)),
        ),
        make_trajectory(rng, "unseen levels"),
    )
    names = ("coin", "saw", "wall")
    colors = ("#ff0000", "#00ff00", "#0000ff")
    channels = zip(("red", "green", "blue"), colors, range(3), strict=True)
    return Report(
        title="A test report",
        action_names=ACTION_NAMES,
        layers=(
            Layer(
                name="2b",
                features=tuple(make_feature(rng, n, grid_sizes=(2, 4)) for n in names),
            ),
            Layer(name="3a", features=tuple(make_feature(rng, n) for n in ("sky", "ground"))),
            Layer(
                name="pixels",
                kind="gradient",
                features=tuple(make_channel(*channel) for channel in channels),
            ),
        ),
        scores=(Score(name="value"), Score(name="RIGHT logits", actions=(2, 3))),
        trajectories=trajectories,
        bookmarks=advantage_bookmarks(trajectories, num_per_kind=2),
        failures=(
            Failure(cause="saw", trajectory=0, step=14),
            Failure(cause="lava", trajectory=1, step=14),
        ),
        object_names=("agent", "saw"),
        examples=rng.integers(0, 256, (NUM_EXAMPLES, 64, 64, 3), np.uint8),
        provenance={"code": "rlvision_jax", "environment_options": {"num_levels": 0}},
    )


@pytest.fixture
def replaced(report):
    """Returns the report with some fields of its first trajectory replaced."""

    def replace(**changes):
        first = dataclasses.replace(report.trajectories[0], **changes)
        return dataclasses.replace(report, trajectories=(first, *report.trajectories[1:]))

    return replace


@pytest.fixture(scope="module")
def browser():
    with browsing.chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def folder(report, tmp_path_factory):
    return write_report(report, tmp_path_factory.mktemp("page") / "report").parent


@pytest.fixture(scope="session")
def shown(folder):
    """The report with its maps as stored, so that pixels can be compared exactly."""
    return read_report(folder)


@pytest.fixture
def open_page(browser):
    """Opens reports; afterwards asserts that no page wrote to the console or asked a network."""
    pages, messages, addresses = [], [], []

    def open_page(folder, fragment="", *, width=1280, height=900, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        pages.append(page)
        page.set_default_timeout(browsing.PATIENCE)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        page.goto(f"file://{folder}/index.html{fragment}")
        page.locator("main").first.wait_for(state="attached")  # the report, or what is wrong
        return page

    yield open_page
    for page in pages:
        page.close()
    assert messages == []
    assert [url for url in addresses if not url.startswith(("file:", "data:"))] == []


@pytest.fixture
def page(open_page, folder):
    page = open_page(folder)
    browsing.expect(page.get_by_role("heading", level=1)).to_have_text("A test report")
    browsing.wait_for_overlay(page)
    return page
