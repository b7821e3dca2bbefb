"""The training loop: collect, update, record, save; nothing else."""

import collections
import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlvision_jax import checkpoint, envs, models
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.checkpoint import (
    CheckpointMismatchError,
    TrainingState,
    TrainingStateStore,
)
from rlvision_jax.training.config import TrainConfig
from rlvision_jax.training.interrupts import Interrupts
from rlvision_jax.training.metrics import MetricsWriter
from rlvision_jax.training.normalization import RewardScale
from rlvision_jax.training.rollout import Collector, Episode
from rlvision_jax.training.run_folder import (
    AGENT_FOLDER,
    STATE_FOLDER,
    check_folder,
    write_config,
)
from rlvision_jax.training.update import (
    LearnerState,
    UpdateMetrics,
    initial_learner,
    learning_rate,
    make_update,
)

_NUM_GROUPS = 2
_RECENT_EPISODES = 100


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
    of the last finished update and return. (Host only: files, signals.)

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
    with _Run(config, folder) as run, Interrupts() as interrupts:
        saved_at = time.monotonic()
        try:
            while run.step < config.ppo.total_steps and not interrupts.requested:
                outcome = run.compute()
                with interrupts.held():
                    on_update(run.commit(outcome))
                    if time.monotonic() - saved_at > 60.0 * config.checkpoint_minutes:
                        run.save()
                        saved_at = time.monotonic()
        except KeyboardInterrupt:
            # An update was cut off; the run still stands at the one before.
            pass
        with interrupts.held():
            run.save()
        finished = run.step >= config.ppo.total_steps
        return TrainResult(step=run.step, finished=finished, agent=folder / AGENT_FOLDER)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Outcome:
    """Result of one update."""

    learner: LearnerState
    collector: dict[str, np.ndarray]
    episodes: list[Episode]
    metrics: UpdateMetrics
    steps_per_second: float


class _Run:
    """A run between two updates: everything that is saved and restored."""

    def __init__(self, config: TrainConfig, folder: Path):
        self._config = config
        self._folder = folder
        known = check_folder(folder, config)
        self._policy, self._collector = _make(config)
        if config.initial_agent is not None and not known:
            _initial_params(self._policy, config.initial_agent)
        # What could be refused has been looked at: only now is the folder this run's.
        write_config(folder, config)
        self._update = make_update(self._policy, config.ppo)
        init_key, self._key = jax.random.split(jax.random.key(config.seed))
        self._learner = initial_learner(self._policy, config.ppo, init_key)
        self._recent: collections.deque[Episode] = collections.deque(maxlen=_RECENT_EPISODES)
        self._ancestor: dict[str, Any] | None = None
        self.step = 0
        self._store = TrainingStateStore(folder / STATE_FOLDER)
        latest = self._store.latest_step()
        if latest is not None:
            self._restore(self._store.load(latest, self._learner))
        elif config.initial_agent is not None:
            params, self._ancestor = _initial_params(self._policy, config.initial_agent)
            self._learner = self._learner._replace(params=params)
        self._boundary = self._collector.state()
        self._metrics = MetricsWriter(folder, resume_step=self.step, tensorboard=config.tensorboard)

    def __enter__(self) -> "_Run":
        return self

    def __exit__(self, *error: object) -> None:
        self._metrics.close()
        self._store.close()
        for env in self._collector.envs:
            env.close()

    def compute(self) -> "_Outcome":
        """One rollout and update, which `commit` makes the run's own."""
        ppo = self._config.ppo
        started = time.monotonic()
        rollout_key, update_key = jax.random.split(jax.random.fold_in(self._key, self.step + 1))
        rollout, episodes = self._collector.collect(
            self._policy, self._learner.params, rollout_key, ppo.num_steps
        )
        learner, metrics = jax.block_until_ready(self._update(self._learner, rollout, update_key))
        return _Outcome(
            learner=learner,
            collector=self._collector.state(),
            episodes=episodes,
            metrics=metrics,
            steps_per_second=ppo.batch_size / (time.monotonic() - started),
        )

    def commit(self, outcome: "_Outcome") -> Progress:
        """Moves the run to the end of the update and records it."""
        numbers = {**outcome.metrics._asdict(), **outcome.metrics.losses._asdict()}
        del numbers["losses"]
        metrics = {
            "steps_per_second": outcome.steps_per_second,
            "episodes": len(outcome.episodes),
            **_episode_metrics([*self._recent, *outcome.episodes][-_RECENT_EPISODES:]),
            **{name: float(value) for name, value in numbers.items()},
            "reward_scale": _reward_scale(self._config, outcome.learner.reward_scale),
            "learning_rate": learning_rate(self._config.ppo, self.step),
        }
        step = self.step + self._config.ppo.batch_size
        if not np.isfinite(metrics["loss"]):
            raise FloatingPointError(
                f"the loss after {step} steps is {metrics['loss']}; the state of "
                f"{self._store.latest_step() or 0} steps is kept. Start again with a smaller "
                "learning rate"
            )
        self._metrics.write(step, metrics)
        self._learner, self._boundary = outcome.learner, outcome.collector
        self._recent.extend(outcome.episodes)
        self.step = step
        return Progress(step=step, total_steps=self._config.ppo.total_steps, metrics=metrics)

    def save(self) -> None:
        """Saves the state to resume from and the agent."""
        progress = {
            "step": self.step,
            "recent": [list(episode) for episode in self._recent],
            "config": self._config.to_json(),
            "ancestor": self._ancestor,
        }
        self._store.save(self.step, TrainingState(self._learner, self._boundary, progress))
        checkpoint.save(
            self._folder / AGENT_FOLDER,
            self._policy,
            self._learner.params,
            provenance(self._config, self.step, self._learner.reward_scale, self._ancestor),
        )

    def _restore(self, state: TrainingState) -> None:
        self._learner = LearnerState(*state.learner)
        self._collector.restore(state.collector)
        self._recent.extend(Episode(*row) for row in state.progress["recent"])
        self._ancestor = state.progress["ancestor"]
        self.step = state.progress["step"]


def provenance(
    config: TrainConfig,
    step: int,
    reward_scale: RewardScale,
    ancestor: dict[str, Any] | None = None,
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


def _make(config: TrainConfig) -> tuple[models.Policy, Collector]:
    num_groups = _NUM_GROUPS if config.ppo.num_envs % _NUM_GROUPS == 0 else 1
    seeds = np.random.SeedSequence(config.seed).generate_state(num_groups) >> 1
    groups = []
    for seed in seeds:
        options = {"num_threads": os.cpu_count() or 1, "copy": False, **config.env_options}
        groups.append(
            envs.make(
                config.env,
                num_envs=config.ppo.num_envs // num_groups,
                seed=int(seed),
                **options,
            )
        )
    policy = models.make(config.model, groups[0].num_actions, groups[0].observation_shape)
    return policy, Collector(groups)


def _initial_params(policy: models.Policy, agent: str) -> tuple[Params, dict[str, Any]]:
    """Parameters to start from, and how they came to be."""
    other, params, config = checkpoint.load(agent)
    if other != policy:
        raise CheckpointMismatchError(
            f'initial agent {agent} is of model "{other.name}" with {other.num_actions} actions; '
            f'the run is of "{policy.name}" with {policy.num_actions}'
        )
    return params, config


def _episode_metrics(recent: Sequence[Episode]) -> dict[str, float]:
    """Means over the last 100 episodes; nothing before the first one ends."""
    if not recent:
        return {}
    return {
        "episode_return": float(np.mean([episode.episode_return for episode in recent])),
        "episode_length": float(np.mean([episode.length for episode in recent])),
        "level_completion": float(np.mean([episode.level_complete for episode in recent])),
    }
