"""The entry point: parses the command, runs it, and turns bad input into one line."""

import sys
from collections.abc import Sequence
from typing import Annotated

import tyro

from rlvision_jax.cli.attribute import AttributeCommand
from rlvision_jax.cli.demo import DemoCommand
from rlvision_jax.cli.edit import EditCommand
from rlvision_jax.cli.evaluate import EvaluateCommand
from rlvision_jax.cli.import_jd import ImportJdCommand
from rlvision_jax.cli.interface import InterfaceCommand
from rlvision_jax.cli.study import StudyCommand
from rlvision_jax.cli.train import TrainCommand
from rlvision_jax.cli.view import ViewCommand
from rlvision_jax.envs import MissingExtraError, MissingProcgenError


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs `rlvision`; ends the process with the command's status.

    Args:
      arguments: command line without the program; None: `sys.argv`.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        sys.exit(_parse(arguments).run())
    except (
        ValueError,
        OSError,
        FloatingPointError,
        MissingExtraError,
        MissingProcgenError,
    ) as error:
        one_line = " ".join(str(error).split())
        sys.exit(f"rlvision: {one_line}")
    except KeyboardInterrupt:
        print("rlvision: stopped", file=sys.stderr)
        sys.exit(130)


def _parse(
    arguments: Sequence[str],
) -> (
    DemoCommand
    | TrainCommand
    | EvaluateCommand
    | AttributeCommand
    | InterfaceCommand
    | ViewCommand
    | EditCommand
    | StudyCommand
    | ImportJdCommand
):
    """The command with its settings; tyro ends the process on `--help` and malformed input."""
    return tyro.cli(
        Annotated[DemoCommand, tyro.conf.subcommand("demo")]
        | Annotated[
            TrainCommand,
            tyro.conf.subcommand("train", default=TrainCommand.default(arguments)),
        ]
        | Annotated[EvaluateCommand, tyro.conf.subcommand("evaluate")]
        | Annotated[AttributeCommand, tyro.conf.subcommand("attribute")]
        | Annotated[InterfaceCommand, tyro.conf.subcommand("interface")]
        | Annotated[ViewCommand, tyro.conf.subcommand("view")]
        | Annotated[EditCommand, tyro.conf.subcommand("edit")]
        | Annotated[StudyCommand, tyro.conf.subcommand("study")]
        | Annotated[ImportJdCommand, tyro.conf.subcommand("import-jd")],  # pyright: ignore[reportArgumentType]
        args=arguments,
        prog="rlvision",
        description="Understand reinforcement-learning agents that see.",
    )
