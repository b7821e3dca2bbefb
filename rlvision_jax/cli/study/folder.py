"""What the commands of all studies share: their folder, and the work between agent and table."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rlvision_jax import checkpoint
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.studies import LevelChanges, StudyFolder, Table, figures, provenance


def open_folder(path: Path, study: str) -> StudyFolder:
    """Opens the folder of a study, and checks that its figure can be drawn in the end.

    Raises:
      ValueError: if the folder holds something else.
      MissingExtraError: if matplotlib is not installed.
    """
    figures.check_installed()
    return StudyFolder(path, study, on_problem=lambda line: print(line, file=sys.stderr))


def study_agent(
    name: str,
    agent: str,
    out: Path,
    config: Any,
    study: Callable[..., Any],
    draw: Callable[[Any], bytes],
    more: Callable[[Any], Mapping[str, Table]] = lambda result: {},
    changes: LevelChanges | None = None,
) -> Any:
    """Studies one agent, writes table and figure, and prints the table and the folder.

    Args:
      name: of the study.
      agent: as `agent_folder` takes it.
      out: folder of the study.
      config: of the study.
      study: such as `studies.study_editing`; its result has a `table`.
      draw: makes the figure of a result.
      more: further tables of a result.
      changes: of the levels that are played.

    Returns:
      The result.
    """
    policy, params, agent_config = checkpoint.load(agent_folder(agent))
    loaded = policy, params, changes.apply(agent_config) if changes else agent_config
    folder = open_folder(out, name)
    with stages() as bars:
        result = study(
            *loaded, config, cells=folder.cells, num_threads=num_threads(), notify=bars.notify
        )
    made_by = provenance(*loaded, config, command=sys.argv[1:])
    folder.write(result.table, draw(result), made_by, more=more(result))
    print_outcome(folder)
    return result


def print_outcome(folder: StudyFolder) -> None:
    """Prints the table and, last, the path of the folder."""
    print((folder.path / "table.csv").read_text(), end="")
    print(folder.path.resolve())
