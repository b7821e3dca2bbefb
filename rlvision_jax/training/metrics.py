"""Metrics of a run: a JSON-lines file, and TensorBoard event files beside it. (Host only.)"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rlvision_jax.checkpoint import replace_file

METRICS_FILE = "metrics.jsonl"


class MetricsWriter:
    """Appends one line per update.

    A resumed run continues the file: lines after the step it resumes from, and one that was cut
    off, are dropped first.
    """

    def __init__(self, folder: str | Path, *, resume_step: int = 0, tensorboard: bool = True):
        """Opens the files.

        Args:
          folder: of the run; made if missing.
          resume_step: environment steps that the checkpoint had done; later lines are dropped.
          tensorboard: whether event files are written.

        Raises:
          ImportError: if TensorBoard files are wanted and tensorboardX is not installed.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / METRICS_FILE
        kept = [row for row in read_metrics(folder) if row["step"] <= resume_step]
        replace_file(path, "".join(json.dumps(row) + "\n" for row in kept).encode())
        self._events = _event_writer(folder / "tensorboard", resume_step) if tensorboard else None
        self._file = open(path, "a")  # noqa: SIM115 (closed by close)

    def write(self, step: int, metrics: Mapping[str, int | float]) -> None:
        """Writes the metrics after `step` environment steps."""
        self._file.write(json.dumps({"step": step, **metrics}) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._events is not None:
            for name, value in metrics.items():
                self._events.add_scalar(name, value, step)

    def close(self) -> None:
        """Flushes and closes the files."""
        self._file.close()
        if self._events is not None:
            self._events.close()

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def read_metrics(folder: str | Path) -> list[dict[str, int | float]]:
    """Rows of a run's metrics file, without a last line that was cut off; [] if there is none.

    Raises:
      ValueError: if another line is damaged.
    """
    path = Path(folder) / METRICS_FILE
    if not path.exists():
        return []
    rows = []
    # What stands behind the last line break is empty or was cut off by a kill.
    for number, line in enumerate(path.read_text().split("\n")[:-1], start=1):
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number} is damaged: {error}; remove that line"
            ) from None
    return rows


def _event_writer(folder: Path, resume_step: int):  # noqa: ANN202 (an optional package's class)
    try:
        from tensorboardX import SummaryWriter
    except ImportError:
        raise ImportError(
            "TensorBoard files need tensorboardX: pip install tensorboardX, or set "
            "tensorboard=False"
        ) from None
    # TensorBoard then hides what an interrupted run wrote past its checkpoint. The suffix keeps
    # runs that start in the same second from writing to one file.
    return SummaryWriter(str(folder), purge_step=resume_step + 1, filename_suffix=f".{resume_step}")
