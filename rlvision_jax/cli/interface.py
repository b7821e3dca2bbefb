"""`rlvision interface`: the interactive report of an agent."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from rlvision_jax import checkpoint
from rlvision_jax.cli.console import agent_folder, num_threads, stages
from rlvision_jax.interface import (
    NotAReportError,
    ReportConfig,
    build_report,
    is_report,
    load_labels,
    with_labels,
    write_report,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class InterfaceCommand:
    """Plays an agent, attributes its outputs to its layers, and writes a report.

    The report is a folder whose index.html opens from disk in a browser.

    Attributes:
      agent: folder of the agent, or the name of a shipped one.
      against: another agent, or an edit of this one, that plays the same levels; the page shows
        both beside each other.
      out: folder of the report; an earlier report there is replaced once the new one is complete.
      labels: file with names of the features, which a page saved; of an earlier report of the
        same agent and options.
      report: what the report shows.
    """

    agent: Annotated[str, tyro.conf.Positional] = "coinrun"
    against: str | None = None
    out: Path = Path("report")
    labels: Path | None = None
    report: Annotated[ReportConfig, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=ReportConfig
    )

    def run(self) -> int:
        """Builds and writes the report; prints its path."""
        page = make_report(
            self.agent, self.out, self.report, labels=self.labels, against=self.against
        )
        print(page)
        return 0


def make_report(
    agent: str,
    out: Path,
    config: ReportConfig,
    *,
    labels: Path | None = None,
    against: str | None = None,
) -> Path:
    """Builds a report with progress on the terminal; the path of its page."""
    names = {} if labels is None else load_labels(labels)
    if out.exists() and not is_report(out) and (not out.is_dir() or any(out.iterdir())):
        raise NotAReportError(
            f"{out} exists and is not a report; choose another folder, or remove it"
        )
    policy, params, agent_config = checkpoint.load(agent_folder(agent))
    other = None if against is None else checkpoint.load(agent_folder(against))
    both = _names_apart(agent, against or "")
    title = f"{agent_config.get('env', 'imported agent')}, {policy.name} network"
    with stages() as bars:
        report = build_report(
            policy,
            params,
            agent_config,
            config,
            title=title if against is None else f"{title}: {both[0]} against {both[1]}",
            against=other,
            names=both,
            num_threads=num_threads(),
            notify=bars.notify,
        )
        report = with_labels(report, names)
        bars.notify("writing the report", 0, 1)
        page = write_report(report, out, agent=(policy, params, agent_config), against=other)
        bars.notify("writing the report", 1, 1)
    return page.resolve()


def _names_apart(agent: str, against: str) -> tuple[str, str]:
    """Short names of two agents: the last part of their paths, if that tells them apart."""
    short = (Path(agent).name, Path(against).name)
    return short if short[0] != short[1] else (agent, against)
