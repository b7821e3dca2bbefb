"""Trains one agent. (Host only: files, signals.)"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from rlvision_jax.checkpoint import CheckpointMismatchError, TrainingStateStore
from rlvision_jax.training.agent_run import AgentRun, Progress
from rlvision_jax.training.config import TrainConfig
from rlvision_jax.training.loop import run_to_end
from rlvision_jax.training.run_folder import (
    AGENT_FOLDER,
    POPULATION_FILE,
    STATE_FOLDER,
    check_folder,
)
from rlvision_jax.training.trainer import Outcome
from rlvision_jax.training.trainers import make_trainers


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainResult:
    """Where a run stands when `train` returns.

    Attributes:
      step: environment steps done.
      finished: whether that is the whole run; False after Ctrl-C or SIGTERM.
      agent: folder of the saved agent.
    """

    step: int
    finished: bool
    agent: Path


def train(
    config: TrainConfig,
    folder: str | Path,
    *,
    on_update: Callable[[Progress], None] = lambda progress: None,
) -> TrainResult:
    """Trains an agent, or continues the run that the folder holds.

    A resumed run takes the same steps as an uninterrupted one. Ctrl-C and SIGTERM save the state
    of the last finished update and return. Games that cannot be saved (Atari's and Gymnasium's)
    begin anew when a run is resumed, of which a warning tells.

    Environments on the device (`coinrun`, `gymnax:...`) are trained on without leaving it, spread
    over all devices, if these are accelerators; a rollout of 64x64 frames takes num_envs *
    num_steps * 12 KB of memory.

    Args:
      config: the run. A folder that holds a run must hold this one; only `ppo.total_steps`,
        `checkpoint_minutes` and `tensorboard` may differ.
      folder: of the run; gets `config.json`, `metrics.jsonl`, `tensorboard/`, `state/` (to
        resume) and `agent/` (to load).
      on_update: called after each update.

    Returns:
      Where the run stands.

    Raises:
      CheckpointMismatchError: if the folder holds another run, or files of something else.
      CheckpointError: if the run's newest checkpoint is damaged.
      FloatingPointError: if the loss is no longer finite; the newest checkpoint stays.
      OSError: if writing fails, as when the disk is full; earlier checkpoints are intact.
    """
    folder = Path(folder)
    with _Run(config, folder, on_update) as run:
        finished = run_to_end(run, config.ppo.total_steps, config.checkpoint_minutes)
        return TrainResult(step=run.step, finished=finished, agent=folder / AGENT_FOLDER)


class _Run:
    """One agent and its checkpoints."""

    def __init__(self, config: TrainConfig, folder: Path, on_update: Callable[[Progress], None]):
        if (folder.parent / POPULATION_FILE).exists():
            raise CheckpointMismatchError(
                f"{folder} is a member of a population, whose state {folder.parent} holds; "
                "continue all members with `train_population`"
            )
        check_folder(folder, config)
        (trainer,) = make_trainers([config])
        self._agent = AgentRun(config, folder, trainer)
        self._on_update = on_update
        # What could be refused has been looked at: only now is the folder this run's.
        self._store = TrainingStateStore(folder / STATE_FOLDER)
        latest = self._store.latest_step()
        like = self._agent.learner, trainer.state_shapes
        self._agent.open(None if latest is None else self._store.load(latest, *like))

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *error: object) -> None:
        self._agent.close()
        self._store.close()

    @property
    def step(self) -> int:
        """Environment steps done."""
        return self._agent.step

    def compute(self) -> Outcome:
        """One rollout and update, which `commit` makes the run's own."""
        return self._agent.trainer.iterate(self._agent.learner, self._agent.next_key())

    def commit(self, outcome: Outcome) -> None:
        """Moves the run to the end of the update and records it."""
        self._on_update(self._agent.commit(outcome))

    def save(self) -> None:
        """Saves the state to resume from and the agent."""
        self._store.save(self.step, self._agent.state())
        self._agent.save_agent()
