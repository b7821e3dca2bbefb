"""The folder of a study: cells, table, figure, and what made them. (Host only: files.)"""

import dataclasses
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax

from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.checkpoint.files import replace_file
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.cells import Cells
from rlvision_jax.studies.studied_agent import studied_agent
from rlvision_jax.studies.tables import Table

_MARKER = "study.json"


class StudyFolder:
    """Where a study writes: cells/, table.csv, table.json and figure.svg.

    The same study opens its folder again and goes on; files are replaced one by one, each at once.

    Attributes:
      path: of the folder.
      cells: finished work of this and earlier runs.
    """

    def __init__(self, path: str | Path, study: str, *, on_problem: Callable[[str], None] = print):
        """Opens the folder, which is made if missing.

        Args:
          path: of the folder; missing, empty, or an earlier one of the same study.
          study: name of the study.
          on_problem: told of cells that are computed again, see `Cells`.

        Raises:
          ValueError: if the folder holds anything else.
        """
        self.path = Path(path)
        self._study = study
        self._check()
        self.path.mkdir(parents=True, exist_ok=True)
        replace_file(self.path / _MARKER, (json.dumps({"study": study}) + "\n").encode())
        self.cells = Cells(self.path / "cells", on_problem=on_problem)

    def write(
        self,
        table: Table,
        figure: bytes,
        made_by: Mapping[str, Any],
        *,
        more: Mapping[str, Table] = MappingProxyType({}),
    ) -> None:
        """Writes the outcome.

        Args:
          table: goes into table.csv and, with columns explained, into table.json.
          figure: an SVG.
          made_by: what `provenance` returned; goes into each JSON.
          more: further tables by the name of their files.
        """
        for name, each in {"table": table, **more}.items():
            content = {"study": self._study, **each.to_json(), "provenance": dict(made_by)}
            text = json.dumps(content, indent=1) + "\n"
            replace_file(self.path / f"{name}.csv", each.to_csv().encode())
            replace_file(self.path / f"{name}.json", text.encode())
        replace_file(self.path / "figure.svg", figure)

    def _check(self) -> None:
        if not self.path.exists() or (self.path.is_dir() and not any(self.path.iterdir())):
            return
        try:
            found = json.loads((self.path / _MARKER).read_bytes())["study"]
        except (OSError, ValueError, KeyError, TypeError):
            found = "something else"
        if found != self._study:
            raise ValueError(
                f'{self.path} holds {found}, not the study "{self._study}"; choose another folder'
            )


def provenance(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: Any,
    *,
    command: Sequence[str] = (),
) -> dict[str, Any]:
    """What a study's numbers depend on, as JSON values.

    Args:
      policy: of the agent.
      params: of the agent.
      agent_config: as `checkpoint.load` returned it; names the environment.
      config: of the study, a dataclass.
      command: arguments of `rlvision`; empty if the study was called from Python.
    """
    return {
        "rlvision_jax": __version__,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "command": shlex.join(["rlvision", *command]) if command else None,
        "policy": policy.name,
        **studied_agent(params, agent_config),
        "steps": agent_config.get("steps"),
        "config": dataclasses.asdict(config),
    }
