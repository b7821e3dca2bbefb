"""The training loop: compute, commit, save now and then; nothing else. (Host only: signals.)"""

import time
from typing import Protocol, TypeVar, runtime_checkable

from rlvision_jax.training.interrupts import Interrupts

T = TypeVar("T")


@runtime_checkable
class Resumable(Protocol[T]):
    """A run between two updates."""

    @property
    def step(self) -> int:
        """Environment steps done."""
        ...

    def compute(self) -> T:
        """One rollout and update; may be cut off anywhere."""
        ...

    def commit(self, outcome: T) -> None:
        """Makes the update the run's own."""
        ...

    def save(self) -> None:
        """Saves the state to resume from."""
        ...


def run_to_end(run: Resumable[T], total_steps: int, checkpoint_minutes: float) -> bool:
    """Continues a run until it has done `total_steps`, or Ctrl-C or SIGTERM arrives.

    Either way it is saved as it was after its last whole update.

    Args:
      run: the run.
      total_steps: environment steps of the whole run.
      checkpoint_minutes: minutes of wall time between two saves.

    Returns:
      Whether the run is finished.
    """
    with Interrupts() as interrupts:
        saved_at = time.monotonic()
        try:
            while run.step < total_steps and not interrupts.requested:
                outcome = run.compute()
                with interrupts.held():
                    run.commit(outcome)
                    if time.monotonic() - saved_at > 60.0 * checkpoint_minutes:
                        run.save()
                        saved_at = time.monotonic()
        except KeyboardInterrupt:
            # An update was cut off; the run still stands at the one before.
            pass
        with interrupts.held():
            run.save()
    return run.step >= total_steps
