"""What a training run needs of its environments, wherever they live."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import jax
from jaxtyping import PRNGKeyArray

from rlvision_jax.models import Policy
from rlvision_jax.training.rollout import Episode
from rlvision_jax.training.update import LearnerState, UpdateMetrics


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """Result of a rollout and its update.

    Attributes:
      learner: the learner afterwards.
      env_state: what `Trainer.state` was afterwards.
      episodes: the episodes that ended last, at least `RECENT_EPISODES` if so many ended, in
        order of time.
      num_episodes: how many ended in all.
      metrics: of the update.
      seconds: wall time.
    """

    learner: LearnerState
    env_state: Any
    episodes: Sequence[Episode]
    num_episodes: int
    metrics: UpdateMetrics
    seconds: float


@runtime_checkable
class Trainer(Protocol):
    """Environments, and the way to collect from them and to learn.

    Attributes:
      policy: the policy to train.
      state_shapes: pytree of arrays like those of `state`, if these are always of one shape;
        else None.
    """

    policy: Policy

    @property
    def state_shapes(self) -> Any:  # noqa: D102
        ...

    def state(self) -> Any:
        """Pytree of arrays from which `restore` continues exactly here, where games have states."""
        ...

    def restore(self, state: Any) -> bool:
        """Continues from what `state` returned; whether the running episodes go on.

        They do not where the environments cannot save their games: new ones begin.
        """
        ...

    def iterate(self, learner: LearnerState, key: PRNGKeyArray) -> Outcome:
        """One rollout and update; `key` is consumed."""
        ...

    def close(self) -> None:
        """Frees the environments."""
        ...


def run_keys(seed: int) -> tuple[PRNGKeyArray, PRNGKeyArray, PRNGKeyArray]:
    """Keys of a run: of its parameters, of its games, and of its iterations.

    The iteration that begins after `step` steps uses `fold_in(key, step + 1)` of the last.
    """
    parameter_key, key = jax.random.split(jax.random.key(seed))
    return parameter_key, jax.random.fold_in(key, 0), key
