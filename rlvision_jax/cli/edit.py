"""`rlvision edit`: blinds an agent to a feature of its report."""

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from rlvision_jax import checkpoint, editing
from rlvision_jax.cli.console import agent_folder
from rlvision_jax.interface import read_report


@dataclasses.dataclass(frozen=True, kw_only=True)
class EditCommand:
    """Removes a feature's direction from the weights that read its layer.

    `rlvision evaluate` then tells what the agent can no longer do.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      report: folder of a report of this agent, which holds the feature.
      feature: number of the feature in the report's legend, from 1.
      out: folder of the edited agent.
      layer: layer of the feature, if the report has several.
    """

    agent: Annotated[str, tyro.conf.Positional]
    report: Path
    feature: int
    out: Path
    layer: str | None = None

    def run(self) -> int:
        """Edits, saves and prints the path of the edited agent."""
        policy, params, config = checkpoint.load(agent_folder(self.agent))
        report = read_report(self.report)
        fingerprint = checkpoint.fingerprint(params)
        if report.provenance.get("parameters") != fingerprint:
            raise checkpoint.CheckpointMismatchError(
                f"{self.report} is not a report of this agent: its parameters are "
                f"{report.provenance.get('parameters')}, the agent's {fingerprint}"
            )
        names = [layer.name for layer in report.layers]
        if self.layer is None and len(names) > 1:
            raise ValueError(f"the report has layers {', '.join(names)}; choose one with --layer")
        name = self.layer or names[0]
        if name not in names:
            raise ValueError(f'unknown layer "{name}"; the report has {", ".join(names)}')
        features = report.layers[names.index(name)].features
        if not 1 <= self.feature <= len(features):
            raise ValueError(f"feature must be from 1 to {len(features)}; got {self.feature}")
        direction = np.asarray(features[self.feature - 1].direction)
        edited = editing.project_out(policy, params, name, direction)
        edit = {"layer": name, "direction": direction.tolist(), "agent": fingerprint}
        history = [*config.get("edits", []), edit]
        checkpoint.save(self.out, policy, edited, {**config, "edits": history})
        print(self.out.resolve())
        return 0
