"""Agents that come with the package.

Each is a folder with the agent, `curve.csv` (how it learned) and `evaluation.json` (what `rlvision
evaluate` printed of it). `python -m benchmarks.agents` makes them; docs/agents.md describes them.
"""

from pathlib import Path

from rlvision_jax._checks import check_choice

_AGENTS = Path(__file__).parents[1] / "agents"

SHIPPED = tuple(sorted(path.parent.name for path in _AGENTS.glob("*/agent.json")))
"""Names of the agents that come with the package."""

DEFAULT_AGENT = "coinrun"
"""The one that commands take where none is named."""


def shipped(name: str = DEFAULT_AGENT) -> Path:
    """Folder of an agent that comes with the package, for `load`.

    Raises:
      ValueError: if there is no agent of that name.

    Example:
      >>> from rlvision_jax.checkpoint import load
      >>> policy, params, config = load(shipped("coinrun"))
      >>> config["env"]
      'procgen:coinrun'
    """
    check_choice("shipped agent", name, SHIPPED)
    return _AGENTS / name
