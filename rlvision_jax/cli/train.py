"""`rlvision train`: trains an agent, or continues a run."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rlvision_jax.cli.console import parse_options, stages
from rlvision_jax.training import PRESETS, PPOConfig, Progress, TrainConfig, train

PresetName = Literal["easy-25M", "hard-200M", "smoke"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainCommand:
    """Trains an agent with PPO, or continues the run that the folder holds.

    Ctrl-C and SIGTERM save; the same command then continues exactly there. All other defaults
    come from the preset.

    Attributes:
      folder: of the run; the agent ends up in its subfolder `agent`.
      preset: where the settings below start from.
      env: environment, such as procgen:coinrun.
      env_options: options of the environment, as NAME=VALUE, added to the preset's.
      model: network: impala, clear or nature.
      seed: of parameters, environments and actions.
      ppo: settings of the algorithm.
      checkpoint_minutes: minutes between checkpoints.
      tensorboard: write TensorBoard event files beside metrics.jsonl.
      initial_agent: folder of an agent to start from instead of fresh parameters.
    """

    folder: Annotated[Path, tyro.conf.Positional]
    preset: PresetName
    env: str
    env_options: tuple[str, ...] = ()
    model: str
    seed: int
    ppo: PPOConfig
    checkpoint_minutes: float
    tensorboard: bool
    initial_agent: str | None = None

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
        return TrainConfig(
            env=self.env,
            env_options={**preset.env_options, **parse_options(self.env_options)},
            model=self.model,
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

            def show(progress: Progress) -> None:
                metrics = progress.metrics
                mean_return = metrics.get("episode_return")
                note = f"{metrics['steps_per_second']:,.0f} steps/s"
                if mean_return is not None:
                    note += f", mean return {mean_return:.2f}"
                bars.notify("training", progress.step, progress.total_steps, note)

            bars.notify("training", 0, config.ppo.total_steps)
            result = train(config, self.folder, on_update=show)
        state = "finished" if result.finished else "stopped"
        print(f"{state} after {result.step:,} steps; the agent is in")
        print(result.agent)
        return 0 if result.finished else 130
