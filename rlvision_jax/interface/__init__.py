"""The interactive report: its data contract, its writer and its reader."""

from rlvision_jax.interface.bookmarks import advantage_bookmarks
from rlvision_jax.interface.build import build_report
from rlvision_jax.interface.config import PIXELS, ReportConfig
from rlvision_jax.interface.export import NotAReportError, is_report, write_report
from rlvision_jax.interface.files import ReportDataError
from rlvision_jax.interface.gallery import build_gallery, gallery_links
from rlvision_jax.interface.hallucinations import build_hallucinations, hallucination_links
from rlvision_jax.interface.labels import NotLabelsError, load_labels, save_labels, with_labels
from rlvision_jax.interface.notebook import show
from rlvision_jax.interface.reading import read_agents, read_report
from rlvision_jax.interface.schema import (
    Attribution,
    Bookmark,
    ExampleGrid,
    Failure,
    Feature,
    Layer,
    Report,
    Score,
    Trajectory,
)
from rlvision_jax.interface.scores import named_scores
from rlvision_jax.interface.validation import validate

__all__ = [
    "PIXELS",
    "Attribution",
    "Bookmark",
    "ExampleGrid",
    "Failure",
    "Feature",
    "Layer",
    "NotAReportError",
    "NotLabelsError",
    "Report",
    "ReportConfig",
    "ReportDataError",
    "Score",
    "Trajectory",
    "advantage_bookmarks",
    "build_gallery",
    "build_hallucinations",
    "build_report",
    "gallery_links",
    "hallucination_links",
    "is_report",
    "load_labels",
    "named_scores",
    "read_agents",
    "read_report",
    "save_labels",
    "show",
    "validate",
    "with_labels",
    "write_report",
]
