"""Agents that come with the package."""

from pathlib import Path

from rlvision_jax._checks import check_choice

_AGENTS = Path(__file__).parents[1] / "agents"


def shipped_agents() -> tuple[str, ...]:
    """Names of the agents that come with the package; docs/agents.md describes them."""
    return tuple(sorted(path.parent.name for path in _AGENTS.glob("*/agent.json")))


def shipped(name: str) -> Path:
    """Folder of an agent that comes with the package, for `load`.

    Raises:
      ValueError: if there is no agent of that name.

    Example:
      >>> from rlvision_jax.checkpoint import load
      >>> policy, params, config = load(shipped("coinrun"))
      >>> config["env"]
      'procgen:coinrun'
    """
    check_choice("shipped agent", name, shipped_agents())
    return _AGENTS / name
