"""Files that are replaced whole or not at all. (Host only.)"""

import os
import shutil
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

# A file that nobody has written to for so long was left by a process that was killed.
_ABANDONED_SECONDS = 60


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


def remove_abandoned(files: Iterable[Path]) -> None:
    """Removes half-written files and folders that no process writes to any more.

    Args:
      files: temporary ones; those touched within the last minute may still be written, by another
        process, and stay.
    """
    for file in files:
        try:
            if time.time() - file.stat().st_mtime < _ABANDONED_SECONDS:
                continue
        except FileNotFoundError:
            continue  # just renamed by the process that wrote it
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


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
