"""The diversity hypothesis: do interpretable features need diverse training levels?

Agents are trained on 100 to 100,000 levels; each is evaluated on its training levels and on unseen
ones, and its features are scored by ground truth. A network that was never trained stands beside
them. Every agent is a cell: it is trained, evaluated and scored on its own, anywhere.

Source: Hilton et al. 2020, "Interpretability and generalization", doi 10.23915/distill.00029.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from jaxtyping import Array

from rlvision_jax import checkpoint, envs, models
from rlvision_jax._checks import check_at_least
from rlvision_jax._nodes import map_on_nodes
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.diversity_result import DiversityResult
from rlvision_jax.studies.interpretability import MEAN, InterpretabilityConfig, score_layer
from rlvision_jax.studies.labelled_frames import check_ground_truth
from rlvision_jax.studies.played_cells import Notify
from rlvision_jax.studies.scored_features import FeaturesConfig, chosen_layer, sample_frames
from rlvision_jax.training import (
    PPOConfig,
    Progress,
    TrainConfig,
    evaluate_split,
    train,
    train_population,
)

UNTRAINED = 0
"""The number of levels that stands for a network with its first, random parameters."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiversityConfig:
    """Which agents are trained, and how they are measured.

    Attributes:
      levels: numbers of training levels, separated by commas.
      seeds: agents of each number.
      timesteps: environment steps that each is trained for.
      env: environment; coinrun lives on the device.
      distribution_mode: easy or hard levels.
      model: network: clear, impala or nature.
      ppo: settings of the algorithm; its total_steps is `timesteps`.
      evaluation_levels: levels played of each kind, training and unseen.
      evaluation_envs: environments that they are played in.
      features: which features are found and scored.
    """

    levels: str = "100,300,1000,3000,10000,30000,100000"
    seeds: int = 2
    timesteps: int = 25_000_000
    env: str = "procgen:coinrun"
    distribution_mode: str = "hard"
    model: str = "clear"
    ppo: PPOConfig = dataclasses.field(default_factory=PPOConfig)
    evaluation_levels: int = 10_000
    evaluation_envs: int = 64
    features: FeaturesConfig = dataclasses.field(default_factory=FeaturesConfig)

    def __post_init__(self) -> None:
        for name in ("seeds", "timesteps", "evaluation_levels", "evaluation_envs"):
            check_at_least(name, getattr(self, name), 1)
        for count in self.level_counts:
            check_at_least("levels", count, 1)

    @property
    def level_counts(self) -> tuple[int, ...]:
        """The numbers of training levels, ascending.

        Raises:
          ValueError: if `levels` is no list of different numbers.
        """
        try:
            counts = sorted(int(part) for part in self.levels.split(","))
        except ValueError:
            counts = []
        if not counts or len(set(counts)) < len(counts):
            raise ValueError(
                f'levels must be different numbers, such as "100,1000"; got "{self.levels}"'
            )
        return tuple(counts)

    @property
    def cells(self) -> dict[str, tuple[int, int]]:
        """Number of levels and seed of every agent, by the name of its cell."""
        return {
            f"untrained-seed-{seed}" if count == UNTRAINED else f"levels-{count}-seed-{seed}": (
                count,
                seed,
            )
            for count in (UNTRAINED, *self.level_counts)
            for seed in range(self.seeds)
        }

    def train_config(self, count: int, seed: int) -> TrainConfig:
        """The training of one agent."""
        return TrainConfig(
            env=self.env,
            env_options={
                "distribution_mode": self.distribution_mode,
                "num_levels": count,
                "paint_velocity": True,
            },
            model=self.model,
            seed=seed,
            ppo=dataclasses.replace(self.ppo, total_steps=self.timesteps),
            tensorboard=False,
        )


def study_diversity(
    config: DiversityConfig,
    folder: Path,
    *,
    part: tuple[int, int] = (0, 1),
    on_ray: bool = False,
    population: bool | None = None,
    on_problem: Callable[[str], None] = print,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> DiversityResult:
    """Trains, evaluates and scores agents, or those that are missing.

    Args:
      config: which agents.
      folder: gets `cells/` and `runs/`; on a disk of all processes.
      part: (i, n): only every n-th agent, from the i-th on.
      on_ray: spread the agents over the nodes of a Ray cluster.
      population: train all agents at once, on the device; None: if the environment lives there,
        it is an accelerator, and nothing else shares the work.
      on_problem: told of cells that are computed again.
      num_threads: threads that step host environments.
      notify: told of progress.

    Returns:
      What is finished so far, of this part and of others; `missing` names the rest.

    Raises:
      ValueError: if the ground truth of the environment is not known, or a setting is out of range.
      KeyboardInterrupt: if the training was stopped; it is saved.
    """
    check_ground_truth({"env": config.env})
    index, of = part
    check_at_least("the number of parts", of, 1)
    if not 0 <= index < of:
        raise ValueError(f"the part must be from 0 to {of - 1}, of {of} parts; got {index}")
    alone = of == 1 and not on_ray
    if population and not alone:
        raise ValueError("a population is trained in one process; leave parts and Ray away")
    if population is None:
        on_device = envs.lives_on_device(config.env) and jax.default_backend() != "cpu"
        population = alone and on_device
    work = AgentWork(config, folder, population, num_threads)
    names = list(config.cells)[index::of]
    cells = Cells(folder / "cells", on_problem=on_problem)
    missing = list(cells.unfinished({name: work.depends_on(name) for name in names}))
    if population and missing:
        work.train_all(notify)
    done = len(names) - len(missing)

    def on_done(name: str) -> None:
        nonlocal done
        done += 1
        notify("agents", done, len(names))

    notify("agents", done, len(names))
    if on_ray:
        map_on_nodes(work, missing, on_done)
    else:
        for name in missing:
            work(name, notify=notify, on_problem=on_problem)
            on_done(name)
    return work.result()


@dataclasses.dataclass(frozen=True)
class AgentWork:
    """Computes the cell of one agent when called with its name. Can be pickled.

    Attributes:
      config: of the study.
      folder: of the study.
      population: whether `train_all` trains the agents.
      num_threads: threads that step host environments.
    """

    config: DiversityConfig
    folder: Path
    population: bool
    num_threads: int

    def depends_on(self, name: str) -> dict[str, Any]:
        """Everything that the result of a cell depends on."""
        config = self.config
        count, seed = config.cells[name]
        return {
            "training": config.train_config(count, seed).to_json(),
            "population": self.population and count != UNTRAINED,
            "evaluation_levels": config.evaluation_levels,
            "evaluation_envs": config.evaluation_envs,
            "features": dataclasses.asdict(config.features),
        }

    def train_all(self, notify: Notify) -> None:
        """Trains all agents at once."""
        config = self.config
        results = train_population(
            config.train_config(config.level_counts[0], 0),
            self._population_folder,
            seeds=range(config.seeds),
            num_levels=config.level_counts,
            on_update=lambda members: notify(
                "training all agents", members[0].step, members[0].total_steps
            ),
        )
        if not all(result.finished for result in results):
            raise KeyboardInterrupt

    def __call__(
        self,
        name: str,
        *,
        notify: Notify = lambda stage, done, total: None,
        on_problem: Callable[[str], None] = print,
    ) -> None:
        """Trains (unless all are), evaluates and scores one agent."""
        cells = Cells(self.folder / "cells", on_problem=on_problem)
        compute = functools.partial(self._compute, name, notify)
        cells.run(name, self.depends_on(name), compute)

    def result(self) -> DiversityResult:
        """All finished cells, and the names of the others."""
        cells = Cells(self.folder / "cells", on_problem=lambda line: None)
        configs = {name: self.depends_on(name) for name in self.config.cells}
        missing = cells.unfinished(configs)
        agents = [
            cells.run(name, depends_on, _never)
            for name, depends_on in configs.items()
            if name not in missing
        ]
        return DiversityResult(agents=tuple(agents), missing=missing)

    def _compute(self, name: str, notify: Notify) -> dict[str, Any]:
        count, seed = self.config.cells[name]
        policy, params, agent_config = self._agent(name, notify)
        total = self.config.evaluation_levels
        # What was never trained has no training levels.
        splits = ("test",) if count == UNTRAINED else ("train", "test")
        evaluations = {
            split: evaluate_split(
                policy,
                params,
                agent_config,
                split,
                num_levels=total,
                num_envs=self.config.evaluation_envs,
                seed=seed,
                num_threads=self.num_threads,
                on_level=lambda done, split=split: notify(f"{name}: {split} levels", done, total),
            ).record()
            for split in splits
        }
        features = dataclasses.replace(
            self.config.features, layer=chosen_layer(policy, self.config.features.layer)
        )
        frames = sample_frames(
            policy, params, agent_config, features, self.num_threads, _prefixed(name, notify)
        )
        scoring = InterpretabilityConfig(**dataclasses.asdict(features), planted=False)
        rows = score_layer(policy, params, frames, scoring, notify=_prefixed(name, notify))
        return {
            "levels": count,
            "seed": seed,
            "steps": agent_config.get("steps", 0),
            **evaluations,
            "features": [row for row in rows if row["feature"] != MEAN],
            "mean": next(row for row in rows if row["feature"] == MEAN),
        }

    def _agent(self, name: str, notify: Notify) -> tuple[Any, Any, dict[str, Any]]:
        """Policy, parameters and config of one agent, trained here if it must be."""
        count, seed = self.config.cells[name]
        config = self.config.train_config(count, seed)
        if count == UNTRAINED:
            return _untrained(config)
        if self.population:
            members = [each for each in self.config.cells.values() if each[0] != UNTRAINED]
            # The population's members: each number of levels with each seed.
            number = members.index((count, seed))
            return checkpoint.load(self._population_folder / f"member-{number:03d}" / "agent")

        def show(progress: Progress) -> None:
            notify(f"{name}: training", progress.step, progress.total_steps)

        trained = train(config, self.folder / "runs" / name, on_update=show)
        if not trained.finished:
            raise KeyboardInterrupt
        return checkpoint.load(trained.agent)

    @property
    def _population_folder(self) -> Path:
        return self.folder / "runs" / "population"


def _untrained(config: TrainConfig) -> tuple[Any, Any, dict[str, Any]]:
    env = envs.make_host(config.env, num_envs=1, **config.env_options)
    policy = models.make(
        config.model, num_actions=env.num_actions, observation_shape=env.observation_shape
    )
    env.close()
    key: Array = jax.random.key(config.seed)
    agent_config = {"env": config.env, "env_options": dict(config.env_options)}
    return policy, policy.init(key), agent_config


def _prefixed(name: str, notify: Notify) -> Notify:
    return lambda stage, done, total: notify(f"{name}: {stage}", done, total)


def _never() -> Sequence[Any]:
    raise AssertionError("a finished cell was computed")
