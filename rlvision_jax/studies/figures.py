"""Figures as SVG, the same bytes each time. (Host only: matplotlib, of the extra "studies".)

Without pyplot: no window, no global state.
"""

import io
from typing import Any

from rlvision_jax._extras import import_extra

COLORS = ("#3b6ea5", "#d1495b", "#edae49", "#66a182", "#8d6a9f", "#7f7f7f")
"""Colours that are told apart with any colour vision, in the order to use them."""


def check_installed() -> None:
    """Raises MissingExtraError without matplotlib: to be called before the work, not after."""
    import_extra("matplotlib.figure", extra="studies")


def new_figure(
    width: float | int, height: float | int, *, rows: int = 1, columns: int = 1
) -> tuple[Any, Any]:
    """A figure and a grid of its axes.

    Args:
      width, height: inches.
      rows, columns: of the grid.

    Returns:
      The `matplotlib.figure.Figure` and its axes as an array of `rows` by `columns`.

    Raises:
      MissingExtraError: if matplotlib is not installed.
    """
    figure = import_extra("matplotlib.figure", extra="studies").Figure(
        figsize=(width, height), layout="constrained"
    )
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def to_svg(figure: Any) -> bytes:
    """The figure as an SVG with text as text, and without the date."""
    matplotlib = import_extra("matplotlib", extra="studies")
    image = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "rlvision_jax", "svg.fonttype": "none"}):
        figure.savefig(image, format="svg", metadata={"Date": None})
    return image.getvalue()
