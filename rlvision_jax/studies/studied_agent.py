"""What every cell and every table of a study depends on: whose parameters, in which environment."""

from collections.abc import Mapping
from typing import Any

from rlvision_jax import checkpoint
from rlvision_jax._types import Params


def studied_agent(params: Params, agent_config: Mapping[str, Any]) -> dict[str, Any]:
    """An agent and its environment as JSON values.

    Args:
      params: of the agent.
      agent_config: as `checkpoint.load` returned it.
    """
    return {
        "parameters": checkpoint.fingerprint(params),
        "env": agent_config.get("env"),
        "env_options": dict(agent_config.get("env_options", {})),
    }
