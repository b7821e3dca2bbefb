"""Trains several agents at once: seeds, level counts, or all pairs of them. (Host only: files.)

On an accelerator one compiled program runs an iteration of all of them, `jax.vmap` over the
members, in the memory of as many rollouts. On CPU they take turns: XLA there convolves with
kernels of several members 3 to 5 times more slowly than with one after the other. Either way a
member equals the run trained alone with its seed and levels, up to the order of sums.
"""

import dataclasses
import functools
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import PRNGKeyArray

from rlvision_jax._checks import check_at_least
from rlvision_jax.checkpoint import (
    CheckpointMismatchError,
    TrainingState,
    TrainingStateStore,
    replace_file,
)
from rlvision_jax.envs import DeviceEnv
from rlvision_jax.models import Policy
from rlvision_jax.training.agent_run import AgentRun, Progress
from rlvision_jax.training.config import PPOConfig, TrainConfig
from rlvision_jax.training.device_rollout import Playing
from rlvision_jax.training.device_training import DeviceTrainer, Iterated, iterate
from rlvision_jax.training.loop import run_to_end
from rlvision_jax.training.run_folder import AGENT_FOLDER, POPULATION_FILE, STATE_FOLDER
from rlvision_jax.training.train import TrainResult
from rlvision_jax.training.trainer import Outcome
from rlvision_jax.training.trainers import make_trainers
from rlvision_jax.training.update import LearnerState


def member_configs(
    config: TrainConfig, seeds: Sequence[int], num_levels: Sequence[int] | None = None
) -> list[TrainConfig]:
    """Configs of a population's members: each level count with each seed.

    Args:
      config: what they have in common.
      seeds: seeds, each once.
      num_levels: values of the environment's option of that name, each once; None: that of
        `config`.

    Raises:
      ValueError: if there is no member, or one is named twice.

    Example:
      >>> members = member_configs(TrainConfig(), seeds=[0, 1], num_levels=[100, 1000])
      >>> [(member.env_options["num_levels"], member.seed) for member in members]
      [(100, 0), (100, 1), (1000, 0), (1000, 1)]
    """
    for name, values in (("seeds", seeds), ("num_levels", num_levels)):
        if values is not None:
            check_at_least(f"number of {name}", len(values), 1)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} must all be different; got {list(values)}")
    options = [dict(config.env_options)]
    if num_levels is not None:
        options = [{**config.env_options, "num_levels": number} for number in num_levels]
    return [
        dataclasses.replace(config, seed=seed, env_options=each)
        for each in options
        for seed in seeds
    ]


def train_population(
    config: TrainConfig,
    folder: str | Path,
    *,
    seeds: Sequence[int],
    num_levels: Sequence[int] | None = None,
    on_update: Callable[[Sequence[Progress]], None] = lambda progress: None,
) -> list[TrainResult]:
    """Trains a population of agents, or continues the one that the folder holds.

    Stopping and resuming work as in `train`, for all members together.

    Args:
      config: what the members have in common; its seed is not used.
      folder: gets `population.json`, `state/` (to resume) and for each member a folder
        `member-000/` with `config.json`, `metrics.jsonl`, `tensorboard/` and `agent/`.
      seeds: seeds of the members.
      num_levels: level counts of the members, see `member_configs`.
      on_update: called after each update with what each member reports.

    Returns:
      Where each member stands.

    Raises:
      ValueError: if there is no member, or one is named twice.
      CheckpointMismatchError: if the folder holds another population, or files of something
        else.
      CheckpointError, FloatingPointError, OSError: as in `train`.
    """
    folder = Path(folder)
    configs = member_configs(config, seeds, num_levels)
    with _Population(configs, folder, on_update) as population:
        finished = run_to_end(population, config.ppo.total_steps, config.checkpoint_minutes)
        return [
            TrainResult(step=population.step, finished=finished, agent=member / AGENT_FOLDER)
            for member in _member_folders(folder, len(configs))
        ]


class _Population:
    """Several agents, all at the same step, and their checkpoints."""

    def __init__(
        self,
        configs: Sequence[TrainConfig],
        folder: Path,
        on_update: Callable[[Sequence[Progress]], None],
    ):
        described = [[member.env_options.get("num_levels"), member.seed] for member in configs]
        _check_population(folder, described)
        self._on_update = on_update
        trainers = make_trainers(configs)
        self._agents = [
            AgentRun(*member)
            for member in zip(configs, _member_folders(folder, len(configs)), trainers, strict=True)
        ]
        # What could be refused has been looked at: only now is the folder this population's.
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / POPULATION_FILE, (json.dumps(described) + "\n").encode())
        self._store = TrainingStateStore(folder / STATE_FOLDER)
        for agent, state in zip(self._agents, self._newest(), strict=True):
            agent.open(state)

    def __enter__(self) -> "_Population":
        return self

    def __exit__(self, *error: object) -> None:
        for agent in self._agents:
            agent.close()
        self._store.close()

    @property
    def step(self) -> int:
        """Environment steps done by each member."""
        return self._agents[0].step

    def compute(self) -> list[Outcome]:
        """One rollout and update of each member; `seconds` are those of all."""
        started = time.monotonic()
        agents = self._agents
        trainers = [a.trainer for a in agents if isinstance(a.trainer, DeviceTrainer)]
        if not trainers:
            outcomes = [a.trainer.iterate(a.learner, a.next_key()) for a in agents]
            seconds = time.monotonic() - started
            return [dataclasses.replace(outcome, seconds=seconds) for outcome in outcomes]
        members = [
            (*trainer.member(agent.learner), agent.next_key())
            for agent, trainer in zip(agents, trainers, strict=True)
        ]
        first = trainers[0]
        results = jax.block_until_ready(
            _iterate_all(first.policy, first.config.ppo, first.mesh, first.env, members)
        )
        seconds = time.monotonic() - started
        pairs = zip(trainers, results, strict=True)
        return [trainer.outcome(result, seconds) for trainer, result in pairs]

    def commit(self, outcome: list[Outcome]) -> None:
        """Moves all members to the end of the update and records it."""
        pairs = zip(self._agents, outcome, strict=True)
        self._on_update([agent.commit(of_agent) for agent, of_agent in pairs])

    def save(self) -> None:
        """Saves the state to resume from, of all at once, and the agents."""
        learners, env_states, progress = zip(*(a.state() for a in self._agents), strict=True)
        state = TrainingState(list(learners), list(env_states), {"members": list(progress)})
        self._store.save(self.step, state)
        for agent in self._agents:
            agent.save_agent()

    def _newest(self) -> list[TrainingState | None]:
        """State of each member at the newest checkpoint; None before the first."""
        latest = self._store.latest_step()
        if latest is None:
            return [None] * len(self._agents)
        shapes = [agent.trainer.state_shapes for agent in self._agents]
        state = self._store.load(
            latest,
            [agent.learner for agent in self._agents],
            None if any(shape is None for shape in shapes) else shapes,
        )
        members = zip(state.learner, state.collector, state.progress["members"], strict=True)
        return [TrainingState(*member) for member in members]


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _iterate_all(
    policy: Policy,
    config: PPOConfig,
    mesh: Mesh,
    env: DeviceEnv,
    members: list[tuple[LearnerState, Playing, PRNGKeyArray]],
) -> list[Iterated]:
    """`iterate` of every member, as one program."""
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    results = jax.vmap(functools.partial(iterate, policy, config, mesh, env))(*stacked)
    return [jax.tree.map(lambda leaf, i=i: leaf[i], results) for i in range(len(members))]


def _member_folders(folder: Path, number: int) -> list[Path]:
    return [folder / f"member-{index:03d}" for index in range(number)]


def _check_population(folder: Path, described: list) -> None:
    """Raises CheckpointMismatchError unless the folder is free or holds this population."""
    path = folder / POPULATION_FILE
    if not path.exists():
        if folder.exists() and not folder.is_dir():
            raise CheckpointMismatchError(f"{folder} is a file; expected a folder to train in")
        if folder.exists() and any(folder.iterdir()):
            raise CheckpointMismatchError(
                f"{folder} holds files but no population; choose another folder"
            )
        return
    try:
        held = json.loads(path.read_text())
    except ValueError as error:
        raise CheckpointMismatchError(
            f"{path} is no population's: {error}; choose another folder"
        ) from None
    if held != described:
        raise CheckpointMismatchError(
            f"{folder} holds a population of [levels, seed] {held}; got {described}. Choose "
            "another folder or the same members"
        )
