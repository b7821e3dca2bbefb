"""`rlvision view`: a report whose frames can be edited, with its agent's answers at once."""

import contextlib
import dataclasses
import os
import sys
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.console import agent_folder

_LOOPBACK = "127.0.0.1"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViewCommand:
    """Serves a report to the browser of this machine, live.

    In CoinRun, objects of any frame can be removed, added and moved, and the agent plays on from
    there; in any game pixels can be painted over. Value, policy and attribution follow at once.
    Ctrl-C ends it.

    Attributes:
      report: folder of the report.
      agent: folder of its agent, or the name of a shipped one; by default the one that is stored
        with the report.
      against: the second agent of a report of two, likewise; only together with --agent.
      host: address to listen on; others than this machine's own let others in.
      port: port to listen on; 0: a free one.
      open: whether to open the page in the browser.
    """

    report: Annotated[Path, tyro.conf.Positional] = Path("report")
    agent: str | None = None
    against: str | None = None
    host: str = _LOOPBACK
    port: int = 0
    open: bool = True

    def run(self) -> int:
        """Prints the address of the page, and serves it until Ctrl-C."""
        # Slow to import, and of no use to the other commands.
        from rlvision_jax.live import bind, serve

        if self.against is not None and self.agent is None:
            raise ValueError("--against names the second of two agents; name the first by --agent")
        named = [path for path in (self.agent, self.against) if path is not None]
        agents = [checkpoint.load(agent_folder(path)) for path in named]
        listening = bind(self.host, self.port)
        if self.host not in (_LOOPBACK, "localhost", "::1"):
            _say(
                f"listening on {self.host}: whoever reaches this machine and has the address below "
                "can see the report and use the agent, and what is sent is not encrypted"
            )
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            serve(
                self.report,
                listening,
                host=self.host,
                agents=agents,
                open_browser=self.open and _has_screen(),
                notify=lambda stage: _say(f"{stage} ..."),
                announce=lambda address: print(address, flush=True),
            )
        _say("stopped")
        return 0


def _has_screen() -> bool:
    """Whether a browser would open a window; in a terminal it would take the place of ours."""
    return sys.platform != "linux" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def _say(line: str) -> None:
    print(f"rlvision: {line}", file=sys.stderr, flush=True)
