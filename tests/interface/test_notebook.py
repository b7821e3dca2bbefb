"""The report in a notebook's cell: the kernel's side by messages, the cell in a real Chromium."""

import base64
import dataclasses
import sys

import pytest
from browsing import assert_pixels, expect, pixels, wait_for_overlay

import rlvision_jax as rlv
from rlvision_jax.interface import NotAReportError, show, write_report


class Kernel:
    """Hands a widget what a page sends, as Jupyter does, and keeps what it sends back."""

    def __init__(self, widget, monkeypatch):
        self._widget, self.sent = widget, []
        monkeypatch.setattr(widget.comm, "send", self._keep)

    def _keep(self, data=None, metadata=None, buffers=None):
        assert data["method"] in ("custom", "update")
        if data["method"] == "custom":
            self.sent.append((data["content"], [bytes(part) for part in buffers or ()]))

    def ask(self, content):
        self._widget._handle_msg(
            {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
        )
        return self.sent.pop()


@pytest.mark.parametrize("in_memory", [True, False])
def test_every_file_comes_as_it_was_written(report, folder, monkeypatch, in_memory):
    kernel = Kernel(show(report if in_memory else folder), monkeypatch)
    paths = sorted(f"data/{path.name}" for path in (folder / "data").iterdir())
    assert len(paths) > 10
    for path in paths:
        content, buffers = kernel.ask({"path": path})
        assert content == {"path": path}
        assert buffers == [(folder / path).read_bytes()]


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(
    "path",
    [
        "report.json",
        "index.html",
        "data/observations-7.js",
        "data/../report.json",
        "../secret",
        "/etc/hostname",
        "",
        "data/report.js\0",
    ],
)
def test_no_other_file_is_given(report, folder, monkeypatch, in_memory, path):
    content, buffers = Kernel(show(report if in_memory else folder), monkeypatch).ask(
        {"path": path}
    )
    assert content["path"] == path
    assert f"has no data file {path!r}" in content["error"]
    assert buffers == []


@pytest.mark.parametrize("request_", [None, [], "data/report.js", {}, {"path": 7}])
def test_what_is_no_request_is_told_so(report, monkeypatch, request_):
    content, buffers = Kernel(show(report), monkeypatch).ask(request_)
    assert content == {"path": None, "error": "expected a message with the path of a data file"}
    assert buffers == []


def test_a_marker_that_lists_other_files_does_not_open_them(report, tmp_path, monkeypatch):
    folder = write_report(report, tmp_path / "report").parent
    (tmp_path / "secret").write_text("keys")
    marker = folder / "report.json"
    entry = '"data/../../secret": {"bytes": 4, "sha256": ""},'
    marker.write_text(marker.read_text().replace('"files": {', f'"files": {{{entry}'))
    content, _ = Kernel(show(folder), monkeypatch).ask({"path": "data/../../secret"})
    assert "has no data file" in content["error"]


def test_a_damaged_file_is_named(report, tmp_path, monkeypatch):
    folder = write_report(report, tmp_path / "report").parent
    damaged = folder / "data" / "observations-0.js"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    content, _ = Kernel(show(folder), monkeypatch).ask({"path": "data/observations-0.js"})
    assert "observations-0.js is damaged" in content["error"]


def test_what_cannot_be_shown_is_said_at_once(report, tmp_path):
    with pytest.raises(ValueError, match="height must be at least 100 pixels, or None; got 20"):
        show(report, height=20)
    with pytest.raises(ValueError, match="action_names is empty"):
        show(dataclasses.replace(report, action_names=()))
    with pytest.raises(NotAReportError, match="is not a report"):
        show(tmp_path)


def test_without_anywidget_the_error_names_the_extra(report, monkeypatch):
    rlv.interface.notebook._widget_class.cache_clear()
    for name in list(sys.modules):
        if name.partition(".")[0] == "anywidget":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Missing(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"pip install 'rlvision_jax\[notebook\]'"):
        show(report)


class _Missing:
    """Finds no anywidget."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "anywidget":
            raise ModuleNotFoundError("No module named 'anywidget'")


# A notebook's page, as far as anywidget's contract goes, with styles and a theme of its own.
_NOTEBOOK = """<!doctype html><title>A notebook</title>
<style>
  body { background: rgb(20, 24, 30); color: rgb(200, 10, 10); font: 31px serif; }
  button { color: rgb(1, 2, 3); padding: 40px; }
  h2 { font-size: 50px; }
</style>
<h2>Its own heading</h2><button id="own">Its own button</button>
<div id="first"></div><div id="second"></div>"""

_MOUNT = """async ({name, esm, state}) => {
  const address = URL.createObjectURL(new Blob([esm], {type: "text/javascript"}));
  const {default: widget} = await import(address);
  const listeners = {};
  const model = {
    get: key => state[key],
    set: (key, value) => { state[key] = value; emit("change:" + key); },
    on: (event, listener) => (listeners[event] ??= new Set()).add(listener),
    off: (event, listener) => listeners[event]?.delete(listener),
    send: async content => {
      const [reply, parts] = await window.askKernel(name, content);
      const buffers = parts.map(part => {
        const bytes = Uint8Array.from(atob(part), c => c.charCodeAt(0));
        return new DataView(bytes.buffer);
      });
      emit("msg:custom", reply, buffers);
    },
  };
  const emit = (event, ...values) => listeners[event]?.forEach(listener => listener(...values));
  const el = document.getElementById(name);
  (window.cells ??= {})[name] = {model, listeners, close: widget.render({model, el})};
}"""


@pytest.fixture
def notebook(browser, report, tmp_path, monkeypatch):
    """Two cells: a report in memory and the folder of another; the messages that were answered."""
    other = dataclasses.replace(
        report, title="Another report", trajectories=report.trajectories[::-1]
    )
    shown = {
        "first": show(report, height=600),
        "second": show(write_report(other, tmp_path / "other").parent, height=None),
    }
    kernels = {name: Kernel(widget, monkeypatch) for name, widget in shown.items()}
    asked, messages, addresses = [], [], []

    def ask(name, content):
        asked.append((name, content["path"]))
        reply, buffers = kernels[name].ask(content)
        return reply, [base64.b64encode(part).decode() for part in buffers]

    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.on("console", lambda message: messages.append(message.text))
    page.on("pageerror", lambda error: messages.append(str(error)))
    page.on("request", lambda request: addresses.append(request.url))
    page.expose_function("askKernel", ask)
    page.set_content(_NOTEBOOK)
    for name, widget in shown.items():
        state = {"height": widget.height}
        page.evaluate(_MOUNT, {"name": name, "esm": widget._esm, "state": state})
    page.asked = asked
    yield page
    page.close()
    assert messages == []
    assert [url for url in addresses if not url.startswith(("blob:", "data:"))] == []


def step_of(cell):
    return cell.get_by_role("slider", name="Step")


def test_two_cells_show_two_reports_and_leave_the_notebook_alone(notebook, report, folder):
    first, second = notebook.locator("#first"), notebook.locator("#second")
    for cell, title in ((first, "A test report"), (second, "Another report")):
        expect(cell.get_by_role("heading", level=1)).to_have_text(title)
        wait_for_overlay(cell)
    # Pixels: each cell its own trajectory, as the kernel has it.
    assert_pixels(pixels(first, "Observation"), report.trajectories[0].observations[0])
    assert_pixels(pixels(second, "Observation"), report.trajectories[1].observations[0])

    # Only what is shown was asked for, and no file twice at once.
    paths = [path for name, path in notebook.asked if name == "first"]
    assert "data/attribution-0-0-0.js" in paths
    assert "data/attribution-1-0-0.js" not in paths
    assert "data/examples.js" not in paths
    assert len(paths) == len(set(paths))

    # Keys belong to the cell that was clicked, and to none before.
    notebook.keyboard.press("ArrowRight")
    expect(step_of(first)).to_have_attribute("aria-valuenow", "1")
    second.get_by_role("heading", level=1).click()
    notebook.keyboard.press("ArrowRight")
    expect(step_of(second)).to_have_attribute("aria-valuenow", "2")
    expect(step_of(first)).to_have_attribute("aria-valuenow", "1")
    assert_pixels(pixels(second, "Observation"), report.trajectories[1].observations[1])
    first.get_by_role("button", name="Keys").click()
    expect(first.get_by_role("dialog", name="Keys")).to_be_visible()
    notebook.keyboard.press("Escape")

    # Styles stay on their side of the shadow root; the theme is the notebook's.
    css = "e => [getComputedStyle(e).color, getComputedStyle(e).fontSize]"
    own = notebook.locator("#own")
    assert own.evaluate(css)[0] == "rgb(1, 2, 3)"
    assert own.evaluate("e => getComputedStyle(e).paddingTop") == "40px"
    button = first.get_by_role("button", name="Save picture")
    assert button.evaluate(css) == ["rgb(236, 236, 234)", "14px"]
    # It follows when the notebook changes its theme: by an attribute, or by a style sheet.
    notebook.evaluate("document.body.style.background = 'rgb(250, 250, 250)'")
    expect(button).to_have_css("color", "rgb(28, 28, 26)")
    notebook.evaluate("""() => document.head.append(Object.assign(document.createElement("link"), {
      rel: "stylesheet", href: "data:text/css,body{background:rgb(9,9,9) !important}"}))""")
    expect(button).to_have_css("color", "rgb(236, 236, 234)")
    # A narrow cell has the narrow layout, whatever the window.
    notebook.locator("#first").evaluate("e => e.style.width = '700px'")
    columns = "e => getComputedStyle(e).gridTemplateColumns.split(' ').length"
    assert first.locator(".layout").evaluate(columns) == 1
    assert notebook.title() == "A notebook"
    assert notebook.url == "about:blank"


def test_a_cell_has_its_height_and_goes_without_a_trace(notebook, report):
    first = notebook.locator("#first")
    expect(first.get_by_role("heading", level=1)).to_have_text("A test report")
    height = "e => e.firstElementChild.getBoundingClientRect().height"
    assert first.evaluate(height) == 600
    notebook.wait_for_function(f"({height})(document.getElementById('second')) > 900")
    notebook.evaluate("cells.first.model.set('height', 300)")
    assert first.evaluate(height) == 300
    notebook.evaluate("cells.first.close()")
    assert first.evaluate("e => e.childElementCount") == 0
    assert notebook.evaluate("Object.values(cells.first.listeners).every(set => set.size === 0)")
    notebook.keyboard.press("ArrowRight")
    expect(step_of(notebook.locator("#second"))).to_have_attribute("aria-valuenow", "1")


def test_a_cell_says_what_the_kernel_cannot_read(browser, report, tmp_path, monkeypatch):
    folder = write_report(report, tmp_path / "report").parent
    widget = show(folder)
    kernel = Kernel(widget, monkeypatch)
    (folder / "data" / "report.js").write_bytes(b"")
    page = browser.new_page()
    page.expose_function("askKernel", lambda name, content: kernel.ask(content))
    page.set_content(_NOTEBOOK)
    page.evaluate(_MOUNT, {"name": "first", "esm": widget._esm, "state": {"height": 500}})
    expect(page.get_by_role("alert")).to_contain_text("report.js is damaged: 0 bytes")
    page.close()
