"""State of a running training, kept by Orbax. (Host only: files.)

Orbax writes every checkpoint under a temporary name and renames it when complete, so one cut off
in the middle, by a kill or a full disk, is never taken for whole.
"""

import logging
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

from rlvision_jax.checkpoint.errors import CheckpointError

_KEPT = 2


class TrainingState(NamedTuple):
    """What a resumed run needs to equal the uninterrupted one.

    Attributes:
      learner: pytree of parameters, optimizer state and running statistics.
      collector: arrays of the environments' states and running episodes.
      progress: JSON values: steps done, recent returns, the run's config.
    """

    learner: Any
    collector: Any
    progress: dict[str, Any]


class TrainingStateStore:
    """The checkpoints of one run; the newest two are kept."""

    def __init__(self, folder: str | Path):
        """Opens the folder, made if missing, and removes what a killed save left in it."""
        self._folder = Path(folder).absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished()
        self._manager = ocp.CheckpointManager(
            self._folder,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=_KEPT, enable_async_checkpointing=False
            ),
        )

    def latest_step(self) -> int | None:
        """Step of the newest complete checkpoint, or None."""
        return self._manager.latest_step()

    def save(self, step: int, state: TrainingState) -> None:
        """Saves the state after `step` environment steps; a step saved already is left alone.

        Raises:
          OSError: if writing fails, as when the disk is full; earlier checkpoints are intact.
        """
        if step in self._manager.all_steps():
            return
        items = ocp.args.Composite(
            learner=ocp.args.StandardSave(state.learner),
            collector=ocp.args.StandardSave(state.collector),
            progress=ocp.args.JsonSave(state.progress),
        )
        orbax_log = logging.getLogger("absl")
        level = orbax_log.level
        orbax_log.setLevel(logging.CRITICAL)
        try:
            self._manager.save(step, args=items)
        except Exception as error:
            # TensorStore reports a full disk as a ValueError. Other threads of the save fail
            # after this one; the log stays as it is, or each would print a traceback.
            raise OSError(
                f"cannot save the training state after {step} steps in {self._folder}: "
                f"{_first_line(error)}; earlier checkpoints are intact"
            ) from error
        orbax_log.setLevel(level)

    def load(self, step: int, like: Any, collector_like: Any = None) -> TrainingState:
        """Loads a checkpoint.

        Args:
          step: one that was saved.
          like: a learner of the same structure, shapes and types.
          collector_like: the same of the environments' states; None: a dictionary of whatever
            arrays were saved.

        Raises:
          CheckpointError: if the checkpoint is damaged, or of another structure.
        """
        learner, collector = (
            jax.tree.map(ocp.utils.to_shape_dtype_struct, tree) for tree in (like, collector_like)
        )
        wanted = ocp.args.Composite(
            learner=ocp.args.StandardRestore(learner),
            collector=ocp.args.StandardRestore(collector),
            progress=ocp.args.JsonRestore(),
        )
        try:
            items = self._manager.restore(step, args=wanted)
        except Exception as error:
            folder = self._folder / str(step)
            raise CheckpointError(
                f"{folder} is damaged or of another model: {_first_line(error)}; remove that "
                "folder to continue from an earlier checkpoint"
            ) from error
        return TrainingState(items["learner"], items["collector"], items["progress"])

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()

    def _remove_unfinished(self) -> None:
        for unfinished in self._folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*"):
            shutil.rmtree(unfinished)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
