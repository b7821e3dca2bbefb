"""The report in a cell of a notebook: the page's bundle as an anywidget.

The page asks for the report's files over the widget's messages as it shows them; there is no server
and no network. (Host only.)
"""

import functools
import json
import os
from importlib import resources
from typing import Any

from rlvision_jax._extras import import_extra
from rlvision_jax.interface.files import FolderFiles
from rlvision_jax.interface.packing import PackedFiles
from rlvision_jax.interface.schema import Report
from rlvision_jax.interface.validation import validate


def show(report: Report | str | os.PathLike[str], *, height: int | None = 800) -> Any:
    """Shows a report in a notebook: JupyterLab, VS Code, Colab or another that has widgets.

    As the page on disk, except that the cell has no address of its own and takes keys once it was
    clicked. Any number may be shown beside each other. A report in memory is packed file by file
    as the reader looks at it.

    Args:
      report: a report, or the folder of one.
      height: of the cell in pixels, within which it scrolls; None: as high as what it shows.

    Returns:
      The widget (`anywidget.AnyWidget`); a cell that ends with it displays it. Its `height` may be
      changed later.

    Raises:
      MissingExtraError: if anywidget is not installed.
      ValueError: if the report is inconsistent, or `height` below 100.
      NotAReportError: if the folder is no report.
      ReportDataError: if the report is of another version of the format.
    """
    if height is not None and height < 100:
        raise ValueError(f"height must be at least 100 pixels, or None; got {height}")
    if isinstance(report, Report):
        validate(report)
        files = PackedFiles(report)
    else:
        files = FolderFiles(report)
    return _widget_class()(files, height=height)


def answer(files: PackedFiles | FolderFiles, request: object) -> tuple[dict[str, Any], list[bytes]]:
    """What the kernel replies to a message of the page.

    Args:
      files: the report's.
      request: expected to be `{"path": name of a data file}`; may be anything.

    Returns:
      `{"path"}` and the file's bytes, or `{"path", "error"}` with a sentence for the reader.
    """
    path = request.get("path") if isinstance(request, dict) else None
    if not isinstance(path, str):
        return {"path": None, "error": "expected a message with the path of a data file"}, []
    try:
        return {"path": path}, [files.read(path)]
    except ValueError as error:
        return {"path": path, "error": str(error)}, []


@functools.cache
def _widget_class() -> type:
    """Made when first wanted: its base class is of an optional package."""
    anywidget = import_extra("anywidget", extra="notebook")
    traitlets = import_extra("traitlets", extra="notebook")
    assets = resources.files("rlvision_jax.interface") / "assets"
    bundle = assets.joinpath("interface.js").read_text(encoding="utf-8")
    styles = assets.joinpath("interface.css").read_text(encoding="utf-8")

    class ReportWidget(anywidget.AnyWidget):
        """A report in a notebook."""

        # The page's own script, which also defines the widget (web/src/main.ts).
        _esm = f"{bundle}\nexport default rlvision.widget({json.dumps(styles)});\n"
        height = traitlets.Int(None, allow_none=True).tag(sync=True)

        def __init__(self, files: PackedFiles | FolderFiles, *, height: int | None):
            super().__init__(height=height)
            self._files = files
            self.on_msg(self._answer)

        def _answer(self, widget: object, request: object, buffers: object) -> None:
            reply, files = answer(self._files, request)
            self.send(reply, files)

    return ReportWidget
