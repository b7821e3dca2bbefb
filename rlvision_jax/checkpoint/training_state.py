"""State of a running training, kept by Orbax.

Orbax writes every checkpoint under a temporary name and renames it when complete, so one cut off
in the middle, by a kill or a full disk, is never taken for whole. (Host only: files.)
"""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp

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
        self._manager = ocp.CheckpointManager(
            Path(folder).absolute(),
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
          OSError: if writing fails; earlier checkpoints are intact.
        """
        if step in self._manager.all_steps():
            return
        self._manager.save(
            step,
            args=ocp.args.Composite(
                learner=ocp.args.StandardSave(state.learner),
                collector=ocp.args.StandardSave(state.collector),
                progress=ocp.args.JsonSave(state.progress),
            ),
        )

    def progress(self, step: int) -> dict[str, Any]:
        """The JSON part alone."""
        items = self._manager.restore(
            step, args=ocp.args.Composite(progress=ocp.args.JsonRestore())
        )
        return items["progress"]

    def load(self, step: int, like: Any) -> TrainingState:
        """Loads a checkpoint.

        Args:
          step: one that was saved.
          like: a learner of the same structure, shapes and types.
        """
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        items = self._manager.restore(
            step,
            args=ocp.args.Composite(
                learner=ocp.args.StandardRestore(abstract),
                collector=ocp.args.StandardRestore(),
                progress=ocp.args.JsonRestore(),
            ),
        )
        return TrainingState(items["learner"], items["collector"], items["progress"])

    def close(self) -> None:
        """Waits for what is being written."""
        self._manager.close()
