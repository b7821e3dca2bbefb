"""The editor of a live page in a real Chromium, against the real server."""

import concurrent.futures
import re
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import uvicorn

from rlvision_jax.interface.codec import decode_array
from rlvision_jax.live.app import make_app
from rlvision_jax.live.files import ReportFiles
from rlvision_jax.live.server import bind
from rlvision_jax.live.things import describe_scene

sys.path.insert(0, str(Path(__file__).parents[1] / "interface"))
from browsing import (
    LOW_CONTRAST,
    PATIENCE,
    READ_PIXELS,
    assert_pixels,
    chromium,
    display_scale,
    expect,
    overlay,
)

LAYER, SCORE = "conv2", "value"
STAGE = "The edited moment"


class Served:
    """A server that runs, and its answers by themselves."""

    def __init__(self, address, ask):
        self.address, self.ask = address, ask

    def moment(self, step, *history):
        asked = {"trajectory": 0, "step": step, "history": list(history)}
        return self.ask("moment", {**asked, "layer": LAYER, "scores": [SCORE]})

    def frame(self, step, *history):
        return decode_array(self.moment(step, *history)["observation"]).astype(float)


@pytest.fixture(scope="module")
def served(session, folder):
    listening = bind("127.0.0.1", 0)
    port = listening.getsockname()[1]
    with concurrent.futures.ThreadPoolExecutor(1) as worker:
        app = make_app(
            session, ReportFiles(folder), worker, token="a-token", host="127.0.0.1", port=port
        )
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Served(
            f"http://127.0.0.1:{port}/?token=a-token",
            lambda name, *asked: worker.submit(getattr(session, name), *asked).result(),
        )
        server.should_exit = True
        thread.join()
    listening.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def open_page(browser, served):
    """Opens the page; afterwards asserts that the console is empty and nobody else was asked."""
    pages, messages, addresses = [], [], []

    def open_page(fragment="", *, address=None, width=1280, height=1000, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        pages.append(page)
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: addresses.append(request.url))
        page.goto((address or served.address) + fragment)
        page.locator("main").first.wait_for(state="attached")
        page.addresses, page.messages = addresses, messages
        return page

    yield open_page
    for page in pages:
        page.close()
    assert messages == []
    own = served.address.split("?")[0]
    assert [url for url in addresses if not url.startswith((own, "file:", "data:"))] == []


def things(games, step):
    return describe_scene(games.state(0, step))["things"]


def is_inside(box):
    return box[0] > 0.05 and box[1] > 0.05 and box[2] < 0.95 and box[3] < 0.95


@pytest.fixture(scope="module")
def saw(games):
    """A step of the first trajectory whose frame shows one saw, and the saw."""
    for step in range(1, 150):
        saws = [thing for thing in things(games, step) if thing["kind"] == "saw"]
        if len(saws) == 1 and is_inside(saws[0]["box"]):
            return step, saws[0]
    raise AssertionError("no saw is met; let the fixture play other levels")


def fragment(step, edits=None):
    place = f"#trajectory=1&step={step + 1}&layer={LAYER}&score={SCORE}"
    return place if edits is None else f"{place}&edit={edits}"


def stage(page):
    """RGB of the moment, float [height, width, 3], once it is that of the cursor."""
    expect(page.locator("main.editor")).to_have_attribute("aria-busy", "false")
    canvas = page.get_by_role("group", name=STAGE).locator("canvas")
    size = canvas.evaluate("canvas => [canvas.height, canvas.width]")
    return np.array(canvas.evaluate(READ_PIXELS), float).reshape(*size, 4)[..., :3]


def expect_edits(page, edits):
    """What the address says of edits, once it has followed; None: nothing."""
    pattern = "^(?!.*edit=)" if edits is None else re.escape(f"&edit={edits}") + "$"
    expect(page).to_have_url(re.compile(pattern))


def eventually(is_so):
    """Waits until something is so; fails if it never is."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def place_of(page, box):
    """Middle of a box of the frame, in pixels of the page."""
    frame = page.get_by_role("group", name=STAGE).bounding_box()
    return (
        frame["x"] + (box[0] + box[2]) / 2 * frame["width"],
        frame["y"] + (box[1] + box[3]) / 2 * frame["height"],
    )


def number(text):
    return float(text.replace("−", "-").replace("+", "").replace("%", ""))


def value_shown(page):
    """Value before, now, and the difference."""
    facts = page.get_by_label("Change of the value").locator("dd").all_inner_texts()
    return [number(text) for text in facts]


def test_a_removed_saw_is_gone_and_every_number_is_the_servers(open_page, served, saw):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(fragment(step))
    page.get_by_role("button", name="Edit this moment").click()
    np.testing.assert_array_equal(stage(page), served.frame(step))
    before = served.moment(step)
    assert value_shown(page) == pytest.approx([before["value"], before["value"], 0], rel=5e-3)

    outline = page.get_by_role("button", name=f"saw, column {column}, row {row}")
    outline.focus()
    page.keyboard.press("Delete")
    edit = {"edit": "remove_saw", "cell": [row, column]}
    frame = served.frame(step, edit)
    np.testing.assert_array_equal(stage(page), frame)
    changed = np.argwhere((frame != served.frame(step)).any(-1)) / 64
    left, top, right, bottom = thing["box"]
    assert len(changed) > 4
    # Within the saw's box, widened by a pixel for its edge.
    assert (changed >= np.array([top, left]) - 2 / 64).all()
    assert (changed <= np.array([bottom, right]) + 1 / 64).all()
    expect(outline).to_have_count(0)

    after = served.moment(step, edit)
    difference = after["value"] - before["value"]
    # Three digits are shown.
    assert value_shown(page) == pytest.approx(
        [before["value"], after["value"], difference], rel=5e-3
    )
    logits = np.array(after["policy_logits"])
    percent = 100 * np.exp(logits) / np.exp(logits).sum()
    policy = page.get_by_role("list", name="Policy before and now").get_by_role("listitem")
    shown = [number(text) for text in policy.locator(".number").all_inner_texts()]
    np.testing.assert_allclose(shown, percent, rtol=0, atol=0.0501)  # one digit is shown
    totals = after["attributions"][0]["totals"]
    sums = decode_array(totals["positive"])[0] + decode_array(totals["negative"])[0]
    old = before["attributions"][0]["totals"]
    old_sums = decode_array(old["positive"])[0] + decode_array(old["negative"])[0]
    features = page.get_by_role("list", name="Features before and now").get_by_role("listitem")
    for index, (now, then) in enumerate(zip(sums, old_sums, strict=True)):
        texts = features.nth(index).locator(".change").inner_text().split("→")
        size = 5.1 * 10.0 ** -len(texts[0].split(".")[1].strip()) / 10  # half of the last digit
        assert [number(text) for text in texts] == pytest.approx([then, now], abs=size)

    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(stage(page), served.frame(step))
    page.keyboard.press("Control+y")
    np.testing.assert_array_equal(stage(page), frame)
    expect_edits(page, f"remove_saw*{row}*{column}")
    page.get_by_role("button", name="Back to the recording").click()
    expect(page.get_by_role("button", name="Edit this moment")).to_be_focused()
    expect_edits(page, None)


def test_the_overlays_are_drawn_as_everywhere_on_the_page(open_page, served, saw):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(fragment(step, f"remove_saw*{row}*{column}"))
    stage(page)
    moments = {
        "before": served.moment(step),
        "now": served.moment(step, {"edit": "remove_saw", "cell": [row, column]}),
    }
    maps = {}
    for note, moment in moments.items():
        content = moment["attributions"][0]
        unit = decode_array(content["maps_scale"])[0]
        maps[note] = decode_array(content["maps"])[0].astype(float) * unit
    swatches = page.locator("ol[aria-label='Features before and now'] .swatch")
    colors = [
        np.array(re.findall(r"\d+", style), float)
        for style in swatches.evaluate_all("all => all.map(one => one.style.background)")
    ]
    # The report has no attributions of its own: the moment before gives the scale of both.
    scale = display_scale(maps["before"][None])
    for note, moment in moments.items():
        for title, sign in (("Positive attribution", 1), ("Negative attribution", -1)):
            canvas = page.get_by_role("figure", name=f"{title} {note}").locator("canvas")
            got = np.array(canvas.evaluate(READ_PIXELS), float).reshape(64, 64, 4)[..., :3]
            layers = [((sign * maps[note][..., f]).clip(0), colors[f]) for f in range(3)]
            assert_pixels(got, overlay(decode_array(moment["observation"]), layers, scale))


def test_a_thing_dragged_lands_in_the_cell_under_it(open_page, served, saw):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(fragment(step, ""))
    stage(page)
    x, y = place_of(page, thing["box"])
    width = page.get_by_role("group", name=STAGE).bounding_box()["width"]
    cell = width * (thing["box"][2] - thing["box"][0])
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 0.8 * cell, y - 1.7 * cell, steps=4)
    page.mouse.up()
    move = {"edit": "move_saw", "source": [row, column], "target": [row + 2, column - 1]}
    np.testing.assert_array_equal(stage(page), served.frame(step, move))
    # It keeps the keys, wherever it goes.
    page.keyboard.press("Tab")
    page.get_by_role("button", name=f"saw, column {column - 1}, row {row + 2}").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    back = [
        {"edit": "move_saw", "source": [row + 2, column - 1], "target": [row + 1, column - 1]},
        {"edit": "move_saw", "source": [row + 1, column - 1], "target": [row + 1, column]},
    ]
    np.testing.assert_array_equal(stage(page), served.frame(step, move, *back))
    expect(page.get_by_role("button", name=f"saw, column {column}, row {row + 1}")).to_be_focused()
    page.get_by_role("button", name="Reset").click()
    np.testing.assert_array_equal(stage(page), served.frame(step))


def test_the_brush_blanks_what_it_touches_and_nothing_else(open_page, served, saw):
    step, _ = saw
    page = open_page(fragment(step, ""))
    recorded = stage(page)
    page.get_by_role("button", name="Brush").click()
    page.get_by_label("Size of the brush").fill("4")
    page.mouse.move(*place_of(page, (0.25, 0.5, 0.25, 0.5)))
    page.mouse.down()
    page.mouse.move(*place_of(page, (0.75, 0.5, 0.75, 0.5)), steps=3)
    page.mouse.up()
    grey = (stage(page) == 128).all(-1) & (recorded != 128).any(-1)
    rows, columns = np.nonzero(grey)
    # A line four pixels thick around row 32, from column 16 to 48 and half a brush more.
    assert set(rows) == {30, 31, 32, 33}
    assert (columns.min(), columns.max()) == (14, 49)
    np.testing.assert_array_equal(stage(page)[~grey], recorded[~grey])
    assert grey[30:34, 16:48].all()
    # By keyboard, two pixels to the left at a time: half a brush.
    page.keyboard.press("Control+z")
    target = page.get_by_role("button", name="Paint here")
    target.focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    painted = (stage(page) != recorded).any(-1)
    rows, columns = np.nonzero(painted)
    assert (columns.min(), columns.max()) == (40, 43)
    assert value_shown(page)[1] == pytest.approx(
        served.moment(step, blank(np.argwhere(painted)))["value"], rel=5e-3
    )


def blank(pixels):
    return {"edit": "blank", "pixels": pixels.tolist(), "color": [128, 128, 128]}


def test_cells_are_filled_by_pointer_and_by_keyboard(open_page, served, saw):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(fragment(step, ""))
    stage(page)
    tools = page.get_by_role("group", name="Add")
    tools.get_by_role("button", name="lava").click()
    page.mouse.click(*place_of(page, thing["box"]))
    lava = {"edit": "set_cell", "cell": [row, column], "content": "lava"}
    np.testing.assert_array_equal(stage(page), served.frame(step, lava))
    tools.get_by_role("button", name="crate").click()
    page.get_by_role("button", name="Put crate here").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    crate = {"edit": "add_crate", "cell": [row + 1, column]}
    np.testing.assert_array_equal(stage(page), served.frame(step, lava, crate))
    expect_edits(page, f"set_cell*{row}*{column}*lava+add_crate*{row + 1}*{column}")


def test_what_the_server_refuses_is_said_and_not_done(open_page, served, games, saw):
    step, _ = saw
    state = games.state(0, step)
    row, column = int(state.player.y) - 1, int(state.player.x)  # the ground
    page = open_page(fragment(step, f"add_enemy*{column}.5*{row}"))
    expect(page.get_by_role("alert")).to_contain_text("Not done. an enemy cannot stand in a wall")
    np.testing.assert_array_equal(stage(page), served.frame(step))
    expect_edits(page, "")
    # Chromium tells of every refusal.
    assert [message for message in page.messages if "400 (Bad Request)" not in message] == []
    page.messages.clear()
    page.keyboard.press("Control+z")
    page.get_by_label("Background").select_option("3")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_velocity_and_looks(open_page, served, saw):
    step, _ = saw
    page = open_page(fragment(step, ""))
    stage(page)
    page.get_by_label("Velocity right").fill("-0.3")
    vy = round(served.moment(step)["velocity"][1], 4)
    edits = [{"edit": "set_velocity", "x": -0.3, "y": vy}]
    np.testing.assert_array_equal(stage(page), served.frame(step, *edits))
    page.get_by_label("Background").select_option("7")
    edits.append({"edit": "set_background", "background": 6})
    np.testing.assert_array_equal(stage(page), served.frame(step, *edits))
    invisible = page.get_by_role("group", name="Invisible").get_by_label("saw")
    invisible.check()
    edits.append({"edit": "set_visible", "kind": "saw", "visible": False})
    np.testing.assert_array_equal(stage(page), served.frame(step, *edits))
    assert (served.frame(step, *edits) != served.frame(step, *edits[:2])).any()
    page.get_by_role("button", name="Undo").click()
    expect(invisible).not_to_be_checked()


def test_the_agent_plays_on_and_its_play_is_scrubbed(open_page, served, saw):
    step, _ = saw
    page = open_page(fragment(step, ""))
    stage(page)
    page.get_by_label("Steps to play").select_option("8 steps")
    page.get_by_label("How the agent chooses").select_option("the likeliest action")
    page.get_by_role("button", name="Agent plays").click()
    played = served.ask(
        "play", {"trajectory": 0, "step": step, "history": [], "num_steps": 8, "greedy": True}
    )
    scrubber = page.get_by_label("Step of what was played")
    expect(scrubber).to_have_value("8")
    frames = decode_array(played["observations"])
    np.testing.assert_array_equal(stage(page), frames[7])
    assert value_shown(page)[1] == pytest.approx(played["values"][7], rel=5e-3)
    # Beside the recording at the same step.
    assert value_shown(page)[0] == pytest.approx(served.moment(step + 8)["value"], rel=5e-3)
    scrubber.fill("3")
    np.testing.assert_array_equal(stage(page), frames[2])
    actions = [{"action": action} for action in played["actions"]]
    np.testing.assert_array_equal(stage(page), served.frame(step, *actions[:3]))
    page.get_by_role("button", name="Redo").click()
    np.testing.assert_array_equal(stage(page), frames[7])


def test_the_recorded_actions_by_hand_lead_to_the_recorded_end(open_page, served, report):
    trajectory = report.trajectories[0]
    last = int(np.flatnonzero(trajectory.terminated)[0])
    step = last - 3
    page = open_page(fragment(step, ""))
    stage(page)
    page.get_by_role("button", name="Play by hand").click()
    history = []
    for action in trajectory.actions[step : last + 1].tolist():
        history.append({"action": action})
        name = report.action_names[action]
        if name == "right":
            page.keyboard.press("ArrowRight")
        else:
            page.get_by_role("button", name=f"Act: {name}", exact=True).click()
        np.testing.assert_array_equal(stage(page), served.frame(step, *history))
    end = served.moment(step, *history)["end"]
    said = {"saw": "A saw got the agent", "lava": "The agent fell into lava"}
    said |= dict.fromkeys(("enemy_left", "enemy_right"), "An enemy got the agent")
    said["complete"] = "The agent reached the coin"
    expect(page.get_by_role("status").filter(has_text=said[end])).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Agent plays")).to_be_disabled()
    page.get_by_role("button", name="Undo").click()
    stage(page)
    expect(page.get_by_role("button", name="Agent plays")).to_be_enabled()


def test_of_another_game_only_pixels_are_changed(open_page, served, saw):
    step, _ = saw
    page = open_page()
    about = served.ask("about") | {"scene": False, "reason": "scenes <b>cannot</b> be edited"}
    page.route("**/live/about", lambda route: route.fulfill(json=about))
    page.evaluate(f"location.hash = '{fragment(step, '')}'")
    expect(
        page.get_by_text("scenes <b>cannot</b> be edited. Pixels can be painted")
    ).to_be_visible()
    tools = page.get_by_role("group", name="Tools").get_by_role("button")
    assert tools.all_inner_texts() == ["Brush"]
    for name in ("Agent plays", "Play by hand", "lava"):
        expect(page.get_by_role("button", name=name)).to_have_count(0)
    recorded = stage(page)
    page.mouse.click(*place_of(page, (0.5, 0.9, 0.5, 0.9)))
    painted = np.argwhere((stage(page) != recorded).any(-1))
    np.testing.assert_array_equal(stage(page), served.frame(step, blank(painted)))


def test_a_link_restores_the_moment_and_the_next_one_leaves_it(open_page, served, saw):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(fragment(step, f"remove_saw*{row}*{column}+7x3+blank*808080*0-5"))
    events = [{"edit": "remove_saw", "cell": [row, column]}, *[{"action": 7}] * 3]
    events.append(blank(np.array([[0, i] for i in range(5)])))
    np.testing.assert_array_equal(stage(page), served.frame(step, *events))
    page.get_by_role("button", name="Undo").click()
    np.testing.assert_array_equal(stage(page), served.frame(step, *events[:4]))
    page.evaluate(f"location.hash = '{fragment(step + 1)}'")
    expect(page.get_by_role("button", name="Edit this moment")).to_be_visible()
    expect(page.locator("main.editor")).to_have_count(0)


def test_a_page_from_disk_asks_nobody_and_edits_nothing(open_page, folder, saw):
    step, _ = saw
    page = open_page(fragment(step, ""), address=f"file://{folder}/index.html")
    expect(page.get_by_role("figure", name="Observation")).to_be_visible()
    expect(page.get_by_role("button", name="Edit this moment")).to_have_count(0)
    expect(page.locator("main.editor")).to_have_count(0)
    assert all(url.startswith(("file:", "data:")) for url in page.addresses)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_editors_text_reaches_the_contrast_of_wcag_aa(open_page, saw, scheme):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(
        fragment(step, f"remove_saw*{row}*{column}"), width=700, height=900, scheme=scheme
    )
    stage(page)
    result = page.evaluate(LOW_CONTRAST)
    assert result["checked"] > 100
    assert result["found"] == []
    # Nothing is wider than the window.
    assert page.evaluate("document.documentElement.scrollWidth") <= 700


def test_a_score_of_choice_beside_the_value(open_page, served, saw):
    step, thing = saw
    row, column = thing["cell"]
    page = open_page(fragment(step, f"remove_saw*{row}*{column}"))
    stage(page)
    page.get_by_label("Score").last.select_option("right logit")
    edit = {"edit": "remove_saw", "cell": [row, column]}
    before, after = (served.moment(step, *edits)["policy_logits"][7] for edits in ((), (edit,)))
    logits = page.get_by_label("Change of the right logit").locator("dd")
    expect(logits.nth(2)).not_to_have_text("–")
    shown = [number(text) for text in logits.all_inner_texts()]
    # Three digits are shown.
    assert shown == pytest.approx([before, after, after - before], rel=5e-3)
    expect(page.get_by_text("in units of the right logit")).to_be_visible()
    # Pointing at a feature shows it alone.
    stage(page)
    canvas = page.get_by_role("figure", name="Positive attribution now").locator("canvas")
    everything = canvas.evaluate(READ_PIXELS)
    page.get_by_role("list", name="Features before and now").get_by_role("listitem").nth(1).hover()
    eventually(lambda: canvas.evaluate(READ_PIXELS) != everything)
    page.mouse.move(5, 5)
    eventually(lambda: canvas.evaluate(READ_PIXELS) == everything)
