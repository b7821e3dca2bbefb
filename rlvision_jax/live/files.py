"""What the live server shows of the disk: the page of this version, and a report's data files."""

import re
from importlib import resources
from pathlib import Path

from rlvision_jax.interface.files import read_listing
from rlvision_jax.interface.layout import from_script, is_data_file, to_script

LIVE_MARK = '<meta name="rlvision-live" />'
"""By this in its head the page knows that it may ask the server."""

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
_PAGE = ("index.html", "interface.js", "interface.css")
# The page from disk forbids itself all requests; here the header says what it may.
_OWN_POLICY = re.compile(rb'<meta\s+http-equiv="Content-Security-Policy"[^>]*>')


class ReportFiles:
    """The files that a live report is made of.

    The page comes from this package, not from the report: it fits this server, and a report from
    elsewhere brings numbers, no scripts of its own.
    """

    def __init__(self, folder: Path):
        """Reads the report's list of files.

        Args:
          folder: of the report.

        Raises:
          NotAReportError, ReportDataError: if it is none that this version reads.
        """
        self._folder = folder.resolve()
        self._listed = set(filter(is_data_file, read_listing(folder)))
        assets = resources.files("rlvision_jax.interface") / "assets"
        self._page = {name: assets.joinpath(name).read_bytes() for name in _PAGE}
        self._page["index.html"] = _made_live(self._page["index.html"])

    def read(self, path: str) -> tuple[bytes, str] | None:
        """A file's content and its media type.

        Args:
          path: as it stands in the address, without the first slash; empty: the page.

        Returns:
          None if the report lists no such file, it is missing or damaged, or it is a link out of
          the folder. Data files are read and written anew, so that what is more than data in them
          never reaches the page.
        """
        path = path or "index.html"
        media_type = _TYPES.get(Path(path).suffix, "application/octet-stream")
        if path in self._page:
            return self._page[path], media_type
        if path not in self._listed:
            return None
        file = (self._folder / path).resolve()
        if not file.is_relative_to(self._folder) or not file.is_file():
            return None
        try:
            return to_script(path, from_script(path, file.read_bytes())), media_type
        except ValueError:
            return None


def _made_live(page: bytes) -> bytes:
    page = _OWN_POLICY.sub(b"", page)
    return page.replace(b"<head>", b"<head>\n    " + LIVE_MARK.encode(), 1)
