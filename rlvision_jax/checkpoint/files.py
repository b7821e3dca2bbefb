"""Files that are replaced whole or not at all. (Host only.)"""

import os
import uuid
from pathlib import Path


def replace_file(path: Path, payload: bytes) -> None:
    """Writes a file under a temporary name, flushes it to disk, and renames it.

    Args:
      path: file to write; one that is there already is replaced at once.
      payload: its content.

    Raises:
      OSError: if writing fails, as when the disk is full; the earlier file is intact.
    """
    temporary = temporary_name(path)
    try:
        with open(temporary, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OSError(
            error.errno,
            f"cannot write {path}: {error.strerror}; what was there before is intact",
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def temporary_name(path: Path) -> Path:
    """A fresh name beside `path`, hidden, which `is_temporary` recognizes."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")


def is_temporary(path: Path) -> bool:
    """Whether `replace_file` was cut off while it wrote this file.

    Example:
      >>> is_temporary(temporary_name(Path("agent.json"))), is_temporary(Path("agent.json"))
      (True, False)
    """
    return path.name.startswith(".") and path.name.endswith(".part")
