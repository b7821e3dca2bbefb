"""Makes the folders of shipped agents, measures them, and writes what the model card says of them.

From the repository's root:

- `python -m benchmarks.agents add RUN NAME`: takes the agent of a folder of `rlvision train`,
  with its learning curve (joined to that of the agent of this name if the run went on from it),
  evaluates it on 10,000 levels of each kind, and renews the card.
- `python -m benchmarks.agents evaluate NAME ...`: measures again, and renews the card.
- `python -m benchmarks.agents repeat NAME RUN ...`: keeps the agents of runs that repeat the
  agent's training from other seeds in benchmarks/runs, and renews the card.
- `python -m benchmarks.agents keep NAME RUN ...`: keeps the agents of other runs there, which the
  card tells of in words.
- `python -m benchmarks.agents card`: renews the tables of docs/agents.md and docs/agents.svg.

Numbers on the card come from the agents' files only; tests/test_agents.py compares.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks._agent_card import fill
from benchmarks._agent_curves import draw
from benchmarks._agent_files import (
    EVALUATION,
    ShippedAgent,
    add_repeat,
    copy_agent,
    keep_run,
    read_agent,
)

_ROOT = Path(__file__).parent.parent
AGENTS = _ROOT / "rlvision_jax" / "agents"
CARD, PICTURE = _ROOT / "docs" / "agents.md", _ROOT / "docs" / "agents.svg"
_RLVISION = "from rlvision_jax.cli.main import main; main()"


def evaluate(folder: Path, num_levels: int, more: Sequence[str] = ()) -> None:
    """Writes `evaluation.json`: what `rlvision evaluate NAME --json` prints."""
    command = ["evaluate", folder.name, "--num-levels", str(num_levels), "--json", *more]
    # A process of its own, which finds the agent that has just been added.
    printed = subprocess.run(
        [sys.executable, "-c", _RLVISION, *command], stdout=subprocess.PIPE, cwd=_ROOT, check=True
    ).stdout
    (folder / EVALUATION).write_bytes(printed)


def read_agents(folder: Path = AGENTS) -> list[ShippedAgent]:
    """All shipped agents, by name."""
    return [read_agent(path.parent) for path in sorted(folder.glob("*/agent.json"))]


def write_card(agents: Sequence[ShippedAgent]) -> None:
    """Renews the tables and the picture of the model card."""
    CARD.write_text(fill(CARD.read_text(), agents))
    PICTURE.write_text(draw(agents))


def main() -> None:
    parser = argparse.ArgumentParser(description="Shipped agents and their model card.")
    actions = parser.add_subparsers(dest="action", required=True)
    add = actions.add_parser("add", help="take the agent of a training run")
    add.add_argument("run", type=Path, help="folder of `rlvision train`")
    add.add_argument("names", metavar="name", nargs=1, help="of the shipped agent")
    again = actions.add_parser("evaluate", help="measure shipped agents again")
    again.add_argument("names", metavar="name", nargs="+")
    repeat = actions.add_parser("repeat", help="keep the agents of runs from other seeds")
    repeat.add_argument("names", metavar="name", nargs=1, help="of the shipped agent")
    repeat.add_argument("runs", type=Path, nargs="+", help="folders of `rlvision train`")
    keep = actions.add_parser("keep", help="keep the agents of runs with other settings")
    keep.add_argument("names", metavar="name", nargs=1, help="of these settings")
    keep.add_argument("runs", type=Path, nargs="+", help="folders of `rlvision train`")
    for action in (add, again):
        action.add_argument("--num-levels", type=int, default=10_000, help="of each kind")
        action.add_argument("--env", help="such as coinrun: the same levels on the device")
    actions.add_parser("card", help="renew docs/agents.md and docs/agents.svg")
    arguments = parser.parse_args()
    if arguments.action == "add":
        copy_agent(arguments.run, AGENTS / arguments.names[0])
    if arguments.action == "repeat":
        for run in arguments.runs:
            add_repeat(run, AGENTS / arguments.names[0])
    if arguments.action == "keep":
        for run in arguments.runs:
            keep_run(run, arguments.names[0])
    if arguments.action in ("add", "evaluate"):
        more = ["--env", arguments.env] if arguments.env else []
        for name in arguments.names:
            evaluate(AGENTS / name, arguments.num_levels, more)
    write_card(read_agents())


if __name__ == "__main__":
    main()
