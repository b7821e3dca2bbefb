"""The generated parts of docs/agents.md: tables between markers, made from the agents' files."""

import itertools
import re
import statistics
from collections.abc import Sequence

from benchmarks._agent_curves import PUBLISHED
from benchmarks._agent_files import CurveRow, ShippedAgent
from rlvision_jax.training import FAILURE_CAUSES

_CURVE_ROWS = 8
_SEED_ROWS = 6


def fill(text: str, agents: Sequence[ShippedAgent]) -> str:
    """The page with its generated parts renewed.

    Raises:
      ValueError: if the page lacks one of the markers.
    """
    for name, make in _PARTS.items():
        begin, end = f"<!-- {name}: from the agents' files -->", f"<!-- end of {name} -->"
        pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"docs/agents.md lacks the lines {begin} and {end}")
        content = "\n" + make(agents) + "\n"
        text = pattern.sub(lambda match, content=content: match[1] + content + match[2], text)
    return text


def _overview(agents: Sequence[ShippedAgent]) -> str:
    rows = ["| agent | network | trained on | steps | levels | completed, 95% interval | return |"]
    rows.append("|---|---|---|---|---|---|---|")
    for agent in agents:
        for split in ("train", "test"):
            result = agent.evaluation[split]
            facts = ["", "", "", ""]
            if split == "train":
                network = f"{agent.network}, {agent.num_parameters:,} parameters"
                steps = f"{agent.config['steps']:,}"
                facts = [f"[`{agent.name}`](#{agent.name})", network, agent.setting, steps]
            percent = f"{100 * result['completion']:.1f}% {_interval(result)}"
            mean = f"{result['mean_return']:.2f} ± {result['return_standard_error']:.2f}"
            cells = [*facts, f"{result['num_levels']:,} {split}", percent, mean]
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _interval(result: dict) -> str:
    low, high = result["completion_interval"]
    return f"[{100 * low:.1f}, {100 * high:.1f}]"


def _failures(agents: Sequence[ShippedAgent]) -> str:
    names = [cause.replace("_", " ") for cause in FAILURE_CAUSES]
    rows = [f"| agent | levels | {' | '.join(names)} |", f"|---|---|{'---|' * len(names)}"]
    for agent in agents:
        for split in ("train", "test"):
            result = agent.evaluation[split]
            cells = []
            for cause in FAILURE_CAUSES:
                count, (low, high) = result["failures"][cause], result["failure_intervals"][cause]
                share = 100 * count / result["num_levels"]
                cells.append(f"{count}: {share:.2f}% [{100 * low:.2f}, {100 * high:.2f}]")
            name = f"`{agent.name}`" if split == "train" else ""
            rows.append(f"| {name} | {split} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _curves(agents: Sequence[ShippedAgent]) -> str:
    rows = ["| agent | steps | mean return of training episodes | levels completed | steps/s |"]
    rows.append("|---|---|---|---|---|")
    for agent in agents:
        curve = agent.curve
        count = min(_CURVE_ROWS, len(curve))
        chosen = [curve[(i + 1) * len(curve) // count - 1] for i in range(count)]
        for index, row in enumerate(chosen):
            name = "" if index else f"`{agent.name}`"
            rows.append(
                f"| {name} | {row.step:,} | {row.episode_return:.2f} | "
                f"{100 * row.level_completion:.0f}% | {row.steps_per_second:.0f} |"
            )
    return "\n".join(rows) + "\n"


def _seeds(agents: Sequence[ShippedAgent]) -> str:
    """A table for each agent whose training was repeated, as far as the shortest run goes."""
    tables = []
    for agent in agents:
        if not agent.repeats:
            continue
        curves = {agent.seed: agent.curve, **agent.repeats}
        steps = min(curve[-1].step for curve in curves.values()) - agent.first_step
        seeds = " | ".join(f"seed {seed}" for seed in curves)
        rows = [f"| `{agent.name}`, steps | {seeds} | mean | spread of seeds |"]
        rows.append(f"|---|{'---|' * (len(curves) + 2)}")
        ends = [agent.first_step + steps * i // _SEED_ROWS for i in range(_SEED_ROWS + 1)]
        for begin, end in itertools.pairwise(ends):
            returns = [_mean_return(curve, begin, end) for curve in curves.values()]
            cells = [f"{begin:,} to {end:,}", *(f"{value:.2f}" for value in returns)]
            cells += [f"{statistics.mean(returns):.2f}", f"{statistics.stdev(returns):.2f}"]
            rows.append(f"| {' | '.join(cells)} |")
        tables.append("\n".join(rows) + "\n")
    return "\n".join(tables)


def _mean_return(curve: Sequence[CurveRow], begin: int, end: int) -> float:
    return statistics.mean(row.episode_return for row in curve if begin < row.step <= end)


def _published(agents: Sequence[ShippedAgent]) -> str:
    steps = sorted({millions for published in PUBLISHED for millions, _ in published.points})
    repeated = [agent for agent in agents if agent.repeats]
    names = [published.label for published in PUBLISHED]
    names += [f"ours: `{agent.name}` and its repeats" for agent in repeated]
    rows = [f"| steps | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    for millions in steps:
        found = [dict(published.points).get(millions) for published in PUBLISHED]
        cells = ["" if value is None else f"{value:.2f}" for value in found]
        cells += [_ours(agent, round(1e6 * millions)) for agent in repeated]
        rows.append(f"| {millions:g}M | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _ours(agent: ShippedAgent, steps: int) -> str:
    """Mean return of an agent's runs that went so far, within 10% of so many steps."""
    curves = [curve for curve in (agent.curve, *agent.repeats.values()) if curve[-1].step >= steps]
    if not curves:
        return ""
    returns = [_mean_return(curve, 9 * steps // 10, 11 * steps // 10) for curve in curves]
    return f"{statistics.mean(returns):.2f} ({', '.join(f'{value:.2f}' for value in returns)})"


def _commands(agents: Sequence[ShippedAgent]) -> str:
    rows = ["| agent | measured by | took | with | on |", "|---|---|---|---|---|"]
    for agent in agents:
        made = agent.evaluation["made_by"]
        minutes = f"{made['seconds'] / 60:.0f} min"
        versions = f"rlvision_jax {made['rlvision_jax']}, jax {made['jax']}"
        machine = f"{made['device']}, {made['cores']} cores, {made['machine']}, {made['date']}"
        rows.append(
            f"| `{agent.name}` | `{made['command']}` | {minutes} | {versions} | {machine} |"
        )
    return "\n".join(rows) + "\n"


_PARTS = {
    "overview": _overview,
    "failures": _failures,
    "curves": _curves,
    "seeds": _seeds,
    "published": _published,
    "commands": _commands,
}
