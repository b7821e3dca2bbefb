"""The agents of a report, which are stored with it, to be asked about other frames."""

from typing import Any, TypeAlias

import jax
import numpy as np

from rlvision_jax import checkpoint
from rlvision_jax._types import Params
from rlvision_jax.interface.schema import Report
from rlvision_jax.models import VisionPolicy

Agent: TypeAlias = tuple[VisionPolicy, Params, dict[str, Any]]
"""Policy, parameters and config, as `checkpoint.load` returns them."""

FOLDERS = ("agent", "against")
"""Folders in a report of its agent, and of the one that plays against it."""


def check_agent(report: Report, agent: Agent, index: int = 0) -> None:
    """Raises CheckpointMismatchError unless a report's numbers are those of an agent.

    Args:
      report: whose provenance may name the parameters; one that does not fits any agent.
      agent: whose parameters are compared.
      index: of the agent in the report: 1 is the one that plays against the first.
    """
    made_by = report.provenance.get("against", {}) if index else report.provenance
    expected, found = made_by.get("parameters"), checkpoint.fingerprint(agent[1])
    if expected not in (None, found):
        raise checkpoint.CheckpointMismatchError(
            f'the report "{report.title}" is not of this agent: its parameters are {expected}, '
            f"the agent's {found}; give the agent that it was made of"
        )


def share_network(first: Agent, second: Agent) -> bool:
    """Whether one of two agents is an edit of the other, so that their layers mean the same.

    It is if the networks are alike and at least one kernel is the same to the last bit: agents
    trained apart share none.
    """
    if first[0].config != second[0].config:
        return False
    leaves = (jax.tree.leaves(agent[1]) for agent in (first, second))
    return any(
        np.ndim(a) > 1 and np.array_equal(np.asarray(a), np.asarray(b))
        for a, b in zip(*leaves, strict=True)
    )
