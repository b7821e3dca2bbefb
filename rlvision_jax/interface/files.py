"""The files of a report folder, checked against its marker as they are read. Host module."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from rlvision_jax.interface.agents import FOLDERS
from rlvision_jax.interface.export import NotAReportError, is_report
from rlvision_jax.interface.layout import MARKER, VERSION, is_data_file


class ReportDataError(ValueError):
    """A file of a report is missing, cut short or changed."""


def read_listing(folder: Path) -> dict[str, Any]:
    """The files of a report by their paths, each with its size and hash.

    Raises:
      NotAReportError: if the folder is no report.
      ReportDataError: if it is of another version of the format.
    """
    if not is_report(folder):
        raise NotAReportError(f"{folder} is not a report; expected a folder with {MARKER}")
    marker = json.loads((folder / MARKER).read_bytes())
    if marker["version"] != VERSION:
        raise ReportDataError(
            f"{folder} has format version {marker['version']}; this version reads {VERSION}: "
            "write the report again"
        )
    return marker["files"]


class FolderFiles:
    """The files of one report folder."""

    def __init__(self, folder: str | os.PathLike[str]):
        """Opens a folder.

        Raises:
          NotAReportError: if it is no report.
          ReportDataError: if the report is of another version of the format.
        """
        self._folder = Path(folder)
        self._listing = read_listing(self._folder)

    def read(self, path: str) -> bytes:
        """Reads one data file.

        Raises:
          ReportDataError: if the report has no such data file, or it is missing or differs from
            what was written.
        """
        if path not in self._listing or not is_data_file(path):
            raise ReportDataError(f"{self._folder} has no data file {path!r}")
        return self._checked(path)

    def checked_agents(self) -> list[str]:
        """The folders of the stored agents, whose files are whole.

        Raises:
          ReportDataError: if a file is missing, differs from what was written, lies elsewhere, or
            is none of those written.
        """
        for path in self._listing:
            if path.partition("/")[0] not in FOLDERS:
                continue
            if not (self._folder / path).resolve().is_relative_to(self._folder.resolve()):
                raise ReportDataError(
                    f"{self._folder / path} is a link out of the report; expected a file"
                )
            self._checked(path)
        stored = [name for name in FOLDERS if f"{name}/agent.json" in self._listing]
        for name in stored:
            for file in (self._folder / name).iterdir():
                if f"{name}/{file.name}" not in self._listing:
                    raise ReportDataError(f"{file} is not listed in {MARKER}; remove it")
        return stored

    def _checked(self, path: str) -> bytes:
        try:
            content = (self._folder / path).read_bytes()
        except OSError as error:
            raise ReportDataError(f"{self._folder / path} cannot be read: {error}") from error
        expected = self._listing[path]
        if hashlib.sha256(content).hexdigest() != expected["sha256"]:
            raise ReportDataError(
                f"{self._folder / path} is damaged: {len(content)} bytes whose hash is not the one "
                f"in {MARKER} (written with {expected['bytes']}); write the report again"
            )
        return content
