"""Runs the live server until it is stopped. (Host only.)"""

import gc
import socket
import threading
import webbrowser
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import uvicorn

from rlvision_jax.interface import NotAReportError, Report, is_report, read_agents, read_report
from rlvision_jax.interface.agents import Agent, check_agent
from rlvision_jax.live.app import make_app
from rlvision_jax.live.files import ReportFiles
from rlvision_jax.live.guard import new_token
from rlvision_jax.live.session import Session

LOOPBACK = "127.0.0.1"
_GRACE_SECONDS = 2


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
      host: address or name.
      port: 0 takes a free one.

    Raises:
      OSError: if the address is not this machine's, or the port is in use; says so.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"cannot listen on {host}: {error.strerror}; choose another --host") from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()
    except OSError as error:
        listening.close()
        raise OSError(
            f"cannot listen on port {port} of {host}: {error.strerror}; choose another --port, or "
            "leave it out for a free one"
        ) from None
    return listening


def serve(
    report: Path,
    listening: socket.socket,
    *,
    host: str = LOOPBACK,
    agents: Sequence[Agent] = (),
    open_browser: bool = False,
    notify: Callable[[str], None] = lambda stage: None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serves a report until a signal stops it.

    Args:
      report: folder of the report.
      listening: of `bind`; closed afterwards.
      host: that it was bound to.
      agents: of the report; none: those stored with it.
      open_browser: whether to open the page.
      notify: told what is being prepared.
      announce: told the address to open, token included, once requests are answered.

    Raises:
      NotAReportError, ReportDataError: if there is no report, or it is damaged.
      CheckpointError: if the agent cannot be loaded, or is not the report's.
      ValueError: if an agent of the report is neither stored with it nor given.
    """
    with closing(listening):
        if not is_report(report):
            raise NotAReportError(
                f"{report} is not a report; expected a folder that `rlvision demo` or `rlvision "
                "interface` wrote"
            )
        notify("reading the report")
        files = ReportFiles(report)
        shown = read_report(report, attributions=False, human_frames=False)
        agents = agents or read_agents(report)
        expected = max(1, len(shown.agents))
        if len(agents) != expected:
            missing = "--agent PATH" if expected == 1 else "--agent PATH --against PATH"
            raise ValueError(
                f"of {report}, {len(agents)} agents are known; expected {expected}: name what it "
                f"was made of, rlvision view {report} {missing}"
            )
        for index, agent in enumerate(agents):
            check_agent(shown, agent, index)
        port = listening.getsockname()[1]
        token = new_token()
        with ThreadPoolExecutor(1, "rlvision") as worker:
            session = _prepared(worker, shown, agents, notify)
            # What was made so far stays. To look through it for garbage takes half a second,
            # which some answer would have to wait for.
            gc.collect()
            gc.freeze()
            with closing(session):
                app = make_app(session, files, worker, token=token, host=host, port=port)
                name = "localhost" if host in ("0.0.0.0", "::") else host
                name = f"[{name}]" if ":" in name else name
                address = f"http://{name}:{port}/?token={token}"
                announce(address)
                if open_browser:
                    webbrowser.open(address)
                make_server(app).run(sockets=[listening])


def _prepared(
    worker: ThreadPoolExecutor,
    report: Report,
    agents: Sequence[Agent],
    notify: Callable[[str], None],
) -> Session:
    """A session made in the worker, which is left at its next stage if this thread is stopped."""
    is_stopped = threading.Event()

    def tell(stage: str) -> None:
        if is_stopped.is_set():
            raise InterruptedError("stopped while it was prepared")
        notify(stage)

    try:
        return worker.submit(Session, report, agents, notify=tell).result()
    except BaseException:
        is_stopped.set()
        raise


def make_server(app: Callable) -> uvicorn.Server:
    """A server that says nothing but its failures, and does not wait for pages when stopped."""
    config = uvicorn.Config(
        app,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return uvicorn.Server(config)
