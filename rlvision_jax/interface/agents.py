"""The agent of a report, stored beside it so that it can be asked about other frames."""

from typing import Any, TypeAlias

from rlvision_jax import checkpoint
from rlvision_jax._types import Params
from rlvision_jax.interface.schema import Report
from rlvision_jax.models import VisionPolicy

Agent: TypeAlias = tuple[VisionPolicy, Params, dict[str, Any]]
"""Policy, parameters and config, as `checkpoint.load` returns them."""

AGENT = "agent"
"""Folder of the agent in a report."""


def check_agent(report: Report, agent: Agent) -> None:
    """Raises CheckpointMismatchError unless a report's numbers are those of an agent.

    Args:
      report: whose provenance may name the parameters; one that does not fits any agent.
      agent: whose parameters are compared.
    """
    expected = report.provenance.get("parameters")
    found = checkpoint.fingerprint(agent[1])
    if expected not in (None, found):
        raise checkpoint.CheckpointMismatchError(
            f'the report "{report.title}" is not of this agent: its parameters are {expected}, '
            f"the agent's {found}; give the agent that it was made of"
        )
