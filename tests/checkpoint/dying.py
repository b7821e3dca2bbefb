"""Runs functions in forked children that may be killed part-way, for tests of saving.

The parent imports everything once and computes nothing, so that its children start quickly and
inherit no threads.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

# What Python reports before it touches a file's name; contents are written in between.
_FILE_EVENTS = (
    "open",
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.listdir",
    "os.scandir",
)


def kill_at_event(number: int, folder: Path) -> None:
    """Arranges for SIGKILL before this process's `number`-th file operation in a folder."""
    seen = 0

    def hook(event: str, arguments: tuple) -> None:
        nonlocal seen
        if event in _FILE_EVENTS and str(arguments[0]).startswith(str(folder)):
            seen += 1
            if seen == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def start(function: Callable[[], object]) -> int:
    """Runs the function in a child, which exits with 0, or with 1 if it raised; its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        function()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def finish(pid: int) -> int:
    """Waits for a child; its exit status, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
