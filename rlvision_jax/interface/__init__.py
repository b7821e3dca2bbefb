"""The interactive report: its data contract, its writer and its reader."""

from rlvision_jax.interface.bookmarks import advantage_bookmarks
from rlvision_jax.interface.build import ReportConfig, build_report, middle_layer
from rlvision_jax.interface.export import NotAReportError, is_report, write_report
from rlvision_jax.interface.reading import ReportDataError, read_report
from rlvision_jax.interface.schema import (
    Attribution,
    Bookmark,
    Feature,
    Layer,
    Report,
    Score,
    Trajectory,
)
from rlvision_jax.interface.validation import validate

__all__ = [
    "Attribution",
    "Bookmark",
    "Feature",
    "Layer",
    "NotAReportError",
    "Report",
    "ReportConfig",
    "ReportDataError",
    "Score",
    "Trajectory",
    "advantage_bookmarks",
    "build_report",
    "is_report",
    "middle_layer",
    "read_report",
    "validate",
    "write_report",
]
