"""One agent's run between two updates: what is recorded, saved and restored. (Host only: files.)"""

import collections
import contextlib
import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from rlvision_jax import checkpoint, envs, models
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.checkpoint import CheckpointMismatchError, TrainingState
from rlvision_jax.training.config import TrainConfig
from rlvision_jax.training.metrics import MetricsWriter
from rlvision_jax.training.normalization import RewardScale
from rlvision_jax.training.rollout import RECENT_EPISODES, Episode
from rlvision_jax.training.run_folder import AGENT_FOLDER, check_folder, write_config
from rlvision_jax.training.trainer import Outcome, Trainer, run_keys
from rlvision_jax.training.update import LearnerState, initial_learner, learning_rate


@dataclasses.dataclass(frozen=True, kw_only=True)
class Progress:
    """What a run reports after each update.

    Attributes:
      step: environment steps done.
      total_steps: environment steps of the whole run.
      metrics: the row written to the metrics file.
    """

    step: int
    total_steps: int
    metrics: dict[str, int | float]


class AgentRun:
    """An agent in training.

    Attributes:
      config: the run.
      trainer: its environments.
      step: environment steps done.
      learner: as it was after that step.
    """

    def __init__(self, config: TrainConfig, folder: Path, trainer: Trainer):
        """Looks at all that could be refused, without writing.

        Args:
          config: the run.
          folder: of the run; may be missing.
          trainer: its environments, fresh.

        Raises:
          CheckpointMismatchError: if the folder holds another run or files of something else, or
            the initial agent is of another model.
        """
        self.config = config
        self.trainer = trainer
        self.step = 0
        self._folder = folder
        self._files = contextlib.ExitStack()
        self._ancestor: dict[str, Any] | None = None
        self._recent: collections.deque[Episode] = collections.deque(maxlen=RECENT_EPISODES)
        if not check_folder(folder, config) and config.initial_agent is not None:
            _initial_params(trainer.policy, config.initial_agent)
        parameter_key, _, self._key = run_keys(config.seed)
        self.learner = initial_learner(trainer.policy, config.ppo, parameter_key)
        self._boundary = trainer.state()

    def open(self, state: TrainingState | None) -> None:
        """Makes the folder this run's and continues from a state, or begins (None)."""
        write_config(self._folder, self.config)
        if state is not None:
            self.learner = LearnerState(*state.learner)
            if not self.trainer.restore(state.collector):
                self._abandon_episodes()
            self._boundary = self.trainer.state()
            self._recent.extend(Episode(*row) for row in state.progress["recent"])
            self._ancestor = state.progress["ancestor"]
            self.step = state.progress["step"]
        elif self.config.initial_agent is not None:
            params, self._ancestor = _initial_params(self.trainer.policy, self.config.initial_agent)
            self.learner = self.learner._replace(params=params)
        writer = MetricsWriter(
            self._folder, resume_step=self.step, tensorboard=self.config.tensorboard
        )
        self._metrics = self._files.enter_context(writer)
        self._saved_step = self.step

    def _abandon_episodes(self) -> None:
        """Forgets what the running episodes earned, since they do not go on; tells so."""
        warnings.warn(
            f"{self.config.env} cannot save its games: {self._folder} continues with new episodes",
            stacklevel=2,
        )
        scale = self.learner.reward_scale
        scale = scale._replace(returns=jnp.zeros_like(scale.returns))
        self.learner = self.learner._replace(reward_scale=scale)

    def next_key(self) -> PRNGKeyArray:
        """Key of the next rollout and update."""
        return jax.random.fold_in(self._key, self.step + 1)

    def commit(self, outcome: Outcome) -> Progress:
        """Moves the run to the end of an update and records it.

        Raises:
          FloatingPointError: if the loss is not finite; the run stays where it was.
        """
        ppo = self.config.ppo
        numbers = {**outcome.metrics._asdict(), **outcome.metrics.losses._asdict()}
        del numbers["losses"]
        metrics = {
            "steps_per_second": ppo.batch_size / outcome.seconds,
            "episodes": outcome.num_episodes,
            **_episode_metrics(self.config, [*self._recent, *outcome.episodes]),
            **{name: float(value) for name, value in numbers.items()},
            "reward_scale": _reward_scale(self.config, outcome.learner.reward_scale),
            "learning_rate": learning_rate(ppo, self.step),
        }
        step = self.step + ppo.batch_size
        if not np.isfinite(metrics["loss"]):
            raise FloatingPointError(
                f"the loss after {step} steps is {metrics['loss']}; the state of "
                f"{self._saved_step} steps is kept. Start {self._folder} again with a smaller "
                "learning rate"
            )
        self._metrics.write(step, metrics)
        self.learner, self._boundary = outcome.learner, outcome.env_state
        self._recent.extend(outcome.episodes)
        self.step = step
        return Progress(step=step, total_steps=ppo.total_steps, metrics=metrics)

    def state(self) -> TrainingState:
        """What `open` continues from."""
        progress = {
            "step": self.step,
            "recent": [list(episode) for episode in self._recent],
            "config": self.config.to_json(),
            "ancestor": self._ancestor,
        }
        return TrainingState(self.learner, self._boundary, progress)

    def save_agent(self) -> None:
        """Saves the agent for `checkpoint.load`."""
        checkpoint.save(
            self._folder / AGENT_FOLDER,
            self.trainer.policy,
            self.learner.params,
            _provenance(self.config, self.step, self.learner.reward_scale, self._ancestor),
        )
        self._saved_step = self.step

    def close(self) -> None:
        """Closes files and environments."""
        self._files.close()
        self.trainer.close()


def _provenance(
    config: TrainConfig,
    step: int,
    reward_scale: RewardScale,
    ancestor: dict[str, Any] | None,
) -> dict[str, Any]:
    """What an agent's file says of its training: config, steps, versions and device.

    Its `reward_scale` is what rewards were divided by: values are in units of it. Its `steps`
    count those of the agent that the run started from, whose own config is `initial_agent`.
    """
    training = config.to_json()
    del training["initial_agent"]  # a path, which means nothing elsewhere
    return {
        "training": training,
        "initial_agent": ancestor,
        "steps": step + (ancestor or {}).get("steps", 0),
        "reward_scale": _reward_scale(config, reward_scale),
        "env": config.env,
        "env_options": dict(config.env_options),
        "rlvision_jax": __version__,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
    }


def _reward_scale(config: TrainConfig, reward_scale: RewardScale) -> float:
    """What rewards are divided by."""
    return float(reward_scale.variance) ** 0.5 if config.ppo.normalize_rewards else 1.0


def _initial_params(policy: models.Policy, agent: str) -> tuple[Params, dict[str, Any]]:
    """Parameters to start from, and how they came to be."""
    other, params, config = checkpoint.load(agent)
    if other.config != policy.config:
        raise CheckpointMismatchError(
            f'initial agent {agent} is of model "{other.name}" with {other.num_actions} actions; '
            f'the run is of "{policy.name}" with {policy.num_actions}'
        )
    return params, config


def _episode_metrics(config: TrainConfig, episodes: Sequence[Episode]) -> dict[str, float]:
    """Means over the last 100 episodes; nothing before the first one ends."""
    recent = episodes[-RECENT_EPISODES:]
    if not recent:
        return {}
    metrics = {
        "episode_return": float(np.mean([episode.episode_return for episode in recent])),
        "episode_length": float(np.mean([episode.length for episode in recent])),
    }
    if envs.has_levels(config.env):
        metrics["level_completion"] = float(np.mean([episode.level_complete for episode in recent]))
    return metrics
