"""What the commands of all studies share: their folder, and the line that repeats them."""

import sys
from pathlib import Path

from rlvision_jax.studies import StudyFolder, figures


def open_folder(path: Path, study: str) -> StudyFolder:
    """Opens the folder of a study, and checks that its figure can be drawn in the end.

    Raises:
      ValueError: if the folder holds something else.
      MissingExtraError: if matplotlib is not installed.
    """
    figures.check_installed()
    return StudyFolder(path, study, on_problem=lambda line: print(line, file=sys.stderr))


def print_outcome(folder: StudyFolder) -> None:
    """Prints the table and, last, the path of the folder."""
    print((folder.path / "table.csv").read_text(), end="")
    print(folder.path.resolve())
