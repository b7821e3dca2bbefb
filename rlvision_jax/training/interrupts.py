"""Ctrl-C and SIGTERM as a request to stop at a point where nothing is lost. (Host only.)"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType


class Interrupts:
    """While entered, the first signal raises KeyboardInterrupt, but not inside `held`.

    Later ones change nothing, so that they cannot cut off what the first one set going.
    Outside the main thread, where Python allows no signal handlers, it changes nothing.

    Attributes:
      requested: whether a signal arrived.
    """

    def __init__(self) -> None:
        self.requested = False
        self._held = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        first, self.requested = not self.requested, True
        if first and not self._held:
            raise KeyboardInterrupt

    @contextmanager
    def held(self) -> Iterator[None]:
        """Runs the block to its end; a signal meanwhile only sets `requested`."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
