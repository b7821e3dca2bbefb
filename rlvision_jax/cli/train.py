"""`rlvision train`: trains an agent, or continues a run."""

import argparse
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rlvision_jax import envs
from rlvision_jax._checks import check_at_least
from rlvision_jax.cli.console import parse_options, stages
from rlvision_jax.training import (
    PRESETS,
    PPOConfig,
    Progress,
    TrainConfig,
    TrainResult,
    train,
    train_population,
)

PresetName = Literal["easy-25M", "hard-200M", "smoke"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """Trains an agent with PPO, or a population, or continues what the folder holds.

    Ctrl-C and SIGTERM save; the same command then continues exactly there. All other defaults
    come from the preset.

    Attributes:
      folder: of the run; the agent ends up in its subfolder `agent`, those of a population in
        `member-000/agent` and so on.
      preset: where the settings below start from.
      env: environment, such as procgen:coinrun, or coinrun, which lives on the device;
        atari:GAME, gymnasium:ID and gymnax:ID with their extras.
      env_options: options of the environment, as NAME=VALUE, added to the preset's where games
        have levels.
      model: network: impala, clear or nature.
      activation_dtype: of the network in training; bfloat16 halves the memory of activations.
      seed: of parameters, environments and actions.
      ppo: settings of the algorithm.
      checkpoint_minutes: minutes between checkpoints.
      tensorboard: write TensorBoard event files beside metrics.jsonl.
      initial_agent: folder of an agent to start from instead of fresh parameters.
      population: agents trained at once, with seeds from `seed` on.
      population_levels: numbers of levels; each is trained on with every seed.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    preset: PresetName
    env: str
    env_options: tuple[str, ...] = ()
    model: str
    activation_dtype: Literal["float32", "bfloat16"] = "float32"
    seed: int
    ppo: PPOConfig
    checkpoint_minutes: float
    tensorboard: bool
    initial_agent: str | None = None
    population: int = 1
    population_levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check_at_least("population", self.population, 1)

    @classmethod
    def default(cls, arguments: Sequence[str]) -> "TrainCommand":
        """The command as the preset named in the arguments fills it."""
        parser = argparse.ArgumentParser(add_help=False, exit_on_error=False)
        parser.add_argument("--preset", default="easy-25M", choices=tuple(PRESETS))
        try:
            preset = parser.parse_known_args(arguments)[0].preset
        except argparse.ArgumentError:
            preset = "easy-25M"  # tyro reports the mistake
        config = PRESETS[preset]()
        return cls(
            folder=Path("runs") / preset,
            preset=preset,
            env=config.env,
            model=config.model,
            seed=config.seed,
            ppo=config.ppo,
            checkpoint_minutes=config.checkpoint_minutes,
            tensorboard=config.tensorboard,
        )

    @property
    def config(self) -> TrainConfig:
        """The run's settings."""
        preset = PRESETS[self.preset]()
        # The presets' options choose levels and their difficulty.
        shared = preset.env_options if envs.has_levels(self.env) else {}
        return TrainConfig(
            env=self.env,
            env_options={**shared, **parse_options(self.env_options)},
            model=self.model,
            activation_dtype=self.activation_dtype,
            seed=self.seed,
            ppo=self.ppo,
            checkpoint_minutes=self.checkpoint_minutes,
            tensorboard=self.tensorboard,
            initial_agent=self.initial_agent,
        )

    def run(self) -> int:
        """Trains; exit status 0 if the run is finished, 130 if it was stopped."""
        config = self.config
        print(
            f"{config.env} {dict(config.env_options)}, {config.model} network; effective batch "
            f"{config.ppo.batch_size} steps ({config.ppo.num_envs} environments x "
            f"{config.ppo.num_steps}), {config.ppo.num_epochs} epochs of "
            f"{config.ppo.num_minibatches} minibatches of {config.ppo.minibatch_size}",
            flush=True,
        )
        with stages() as bars:

            def show(members: Sequence[Progress]) -> None:
                rate = sum(member.metrics["steps_per_second"] for member in members)
                returns = [member.metrics.get("episode_return") for member in members]
                note = f"{rate:,.0f} steps/s"
                if None not in returns:
                    note += f", mean return {' '.join(f'{value:.2f}' for value in returns)}"
                bars.notify("training", members[0].step, members[0].total_steps, note)

            bars.notify("training", 0, config.ppo.total_steps)
            results = self._train(config, show)
        state = "finished" if results[0].finished else "stopped"
        print(f"{state} after {results[0].step:,} steps; saved in")
        for result in results:
            print(result.agent)
        return 0 if results[0].finished else 130

    def _train(
        self, config: TrainConfig, show: Callable[[Sequence[Progress]], None]
    ) -> Sequence[TrainResult]:
        """Trains the agent or the population."""
        if self.population == 1 and not self.population_levels:
            return [train(config, self.folder, on_update=lambda progress: show([progress]))]
        return train_population(
            config,
            self.folder,
            seeds=range(config.seed, config.seed + self.population),
            num_levels=self.population_levels or None,
            on_update=show,
        )
