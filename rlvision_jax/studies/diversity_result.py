"""What the study of diversity found: its tables and its figure."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from rlvision_jax.studies import figures
from rlvision_jax.studies.agreement import rank_correlation
from rlvision_jax.studies.object_classes import BACKGROUND, CLASSES, WALL
from rlvision_jax.studies.paper import PAPER_COMPLETION, PAPER_INTERPRETABLE, PAPER_LEVELS
from rlvision_jax.studies.scoring import percentile_interval
from rlvision_jax.studies.tables import Column, Table, Value

_RESAMPLES = 2000

_AGENTS = (
    Column("levels", "training levels; 0: never trained"),
    Column("seed", "of its training"),
    Column("steps", "environment steps that it was trained for"),
    Column("train", "training levels completed", "share of levels"),
    Column("train_low", "lower end of its 95% interval (Wilson)", "share of levels"),
    Column("train_high", "upper end", "share of levels"),
    Column("test", "unseen levels completed", "share of levels"),
    Column("test_low", "lower end of its 95% interval (Wilson)", "share of levels"),
    Column("test_high", "upper end", "share of levels"),
    Column("score", "mean interpretability of its features", "0 to 1"),
    Column("score_low", "lower end of its 95% interval, over resampled levels", "0 to 1"),
    Column("score_high", "upper end", "0 to 1"),
    Column("object_features", "features that keep to a class other than walls"),
    Column(
        "object_score", "mean interpretability, that of all other features taken as 0", "0 to 1"
    ),
)
_HYPOTHESIS = (
    Column("statement", "what is measured"),
    Column("estimate", "difference of mean scores, or rank correlation"),
    Column("low", "lower end of its 95% interval, over resampled agents and features"),
    Column("high", "upper end"),
    Column("agents", "how many it rests on"),
)


@dataclasses.dataclass(frozen=True)
class DiversityResult:
    """Outcome of the study, as far as it is computed.

    Attributes:
      agents: what the cell of each agent holds.
      missing: names of the cells that are not finished, and why.
    """

    agents: tuple[Mapping[str, Any], ...]
    missing: Mapping[str, str]

    @property
    def table(self) -> Table:
        """A row for each agent."""
        return Table(_AGENTS, tuple(_agent_row(agent) for agent in self.agents))

    @property
    def trained(self) -> list[Mapping[str, Any]]:
        """The agents that were trained, by their number of levels."""
        return sorted(
            (agent for agent in self.agents if agent["levels"]), key=lambda agent: agent["levels"]
        )

    @property
    def hypothesis_table(self) -> Table:
        """Both directions of the hypothesis, and how the three quantities go together.

        If levels are diverse, features are interpretable: the mean score of the agents with most
        levels should exceed that of untrained networks. Only if: that of the agents with fewest
        levels should not. The same with the score of features of objects alone: walls are
        everywhere, and channels that tell them from space arise without training.
        """
        trained = self.trained
        untrained = [agent for agent in self.agents if not agent["levels"]]
        rows = []
        if trained and untrained:
            most, fewest = trained[-1]["levels"], trained[0]["levels"]
            many, few = (
                [agent for agent in trained if agent["levels"] == count] for count in (most, fewest)
            )
            for name, scores in (("score", _scores), ("object score", _object_scores)):
                for what, count, some in (("if", most, many), ("only if", fewest, few)):
                    statement = f"{what}: {name} at {count} levels minus that of untrained networks"
                    rows.append(_difference_row(statement, some, untrained, scores))
                if most != fewest:
                    statement = f"{name} at {most} levels minus {name} at {fewest}"
                    rows.append(_difference_row(statement, many, few, scores))
        for first, second in (
            ("levels", "score"),
            ("levels", "object score"),
            ("levels", "test"),
            ("score", "test"),
            ("score", "gap"),
        ):
            row = _correlation_row(first, second, trained)
            if row is not None:
                rows.append(row)
        return Table(_HYPOTHESIS, tuple(rows))


def draw_diversity(result: DiversityResult) -> bytes:
    """The article's two panels: completion and interpretability by number of levels; an SVG."""
    figure, axes = figures.new_figure(9.5, 3.6, columns=2)
    completion, interpretability = axes[0]
    for axis, paper, label in (
        (completion, PAPER_COMPLETION, "the article, unseen levels"),
        (interpretability, PAPER_INTERPRETABLE, "the article, by people"),
    ):
        axis.plot(PAPER_LEVELS, paper, color=figures.COLORS[5], marker="s", label=label, ms=4)
        axis.set_xscale("log")
        axis.set_xlabel("training levels")
    for split, color, label in (
        ("train", figures.COLORS[0], "training levels"),
        ("test", figures.COLORS[1], "unseen levels"),
    ):
        _draw_agents(completion, result.trained, _completion_of(split), color, label)
    _draw_agents(
        interpretability,
        result.trained,
        lambda agent: tuple(
            100 * agent["mean"][name] for name in ("score", "score_low", "score_high")
        ),
        figures.COLORS[3],
        "score, by ground truth",
    )
    untrained = [100 * agent["mean"]["score"] for agent in result.agents if not agent["levels"]]
    if untrained:
        interpretability.axhline(
            float(np.mean(untrained)),
            color=figures.COLORS[3],
            linestyle=":",
            label="score, never trained",
        )
    completion.set_ylabel("levels completed, %")
    interpretability.set_ylabel("interpretability, %")
    for axis in axes[0]:
        axis.set_ylim(0, 100)
        axis.legend(fontsize=8, frameon=False)
    return figures.to_svg(figure)


def _draw_agents(
    axis: Any,
    agents: Sequence[Mapping[str, Any]],
    numbers: Callable[[Mapping[str, Any]], tuple[float, ...]],
    color: str,
    label: str,
) -> None:
    """A point with its interval for each agent, and a line through the means."""
    for agent in agents:
        middle, low, high = numbers(agent)
        axis.plot([agent["levels"]] * 2, [low, high], color=color, linewidth=1, alpha=0.6)
        axis.plot(agent["levels"], middle, "o", color=color, markersize=3, alpha=0.6)
    counts = sorted({agent["levels"] for agent in agents})
    means = [
        float(np.mean([numbers(agent)[0] for agent in agents if agent["levels"] == count]))
        for count in counts
    ]
    axis.plot(counts, means, color=color, label=label)


def _completion_of(split: str) -> Callable[[Mapping[str, Any]], tuple[float, ...]]:
    def numbers(agent: Mapping[str, Any]) -> tuple[float, ...]:
        evaluation = agent[split]
        interval = evaluation["completion_interval"]
        return tuple(100 * share for share in (evaluation["completion"], *interval))

    return numbers


def _agent_row(agent: Mapping[str, Any]) -> dict[str, Value]:
    row: dict[str, Value] = {name: agent[name] for name in ("levels", "seed", "steps")}
    for split in ("train", "test"):
        evaluation = agent.get(split)
        low, high = evaluation["completion_interval"] if evaluation else (None, None)
        row[split] = evaluation["completion"] if evaluation else None
        row |= {f"{split}_low": low, f"{split}_high": high}
    row |= {name: agent["mean"][name] for name in ("score", "score_low", "score_high")}
    row["object_features"] = sum(_is_of_objects(feature) for feature in agent["features"])
    row["object_score"] = float(_object_scores(agent).mean())
    return {
        name: round(value, 4) if isinstance(value, float) else value for name, value in row.items()
    }


def _scores(agent: Mapping[str, Any]) -> Float[np.ndarray, " feature"]:
    return np.array([feature["score"] for feature in agent["features"]])


def _is_of_objects(feature: Mapping[str, Any]) -> bool:
    return feature["object_class"] not in (None, CLASSES[WALL], CLASSES[BACKGROUND])


def _object_scores(agent: Mapping[str, Any]) -> Float[np.ndarray, " feature"]:
    return _scores(agent) * [_is_of_objects(feature) for feature in agent["features"]]


def _difference_row(
    statement: str,
    first: Sequence[Mapping[str, Any]],
    second: Sequence[Mapping[str, Any]],
    scores_of: Callable[[Mapping[str, Any]], Float[np.ndarray, " feature"]],
) -> dict[str, Value]:
    """Mean score of some agents minus that of others; agents resampled, then their features."""
    random = np.random.default_rng(0)

    def resampled(agents: Sequence[Mapping[str, Any]]) -> Float[np.ndarray, " resample"]:
        scores = [scores_of(agent) for agent in agents]
        means = []
        for _ in range(_RESAMPLES):
            drawn = random.integers(len(scores), size=len(scores))
            means.append(np.mean([random.choice(scores[i], len(scores[i])).mean() for i in drawn]))
        return np.array(means)

    low, high = percentile_interval(resampled(first) - resampled(second))
    means = [np.mean([scores_of(agent) for agent in agents]) for agents in (first, second)]
    return {
        "statement": statement,
        "estimate": round(float(means[0] - means[1]), 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "agents": len(first) + len(second),
    }


def _correlation_row(
    first: str, second: str, agents: Sequence[Mapping[str, Any]]
) -> dict[str, Value] | None:
    """Spearman's rank correlation over agents, which are resampled; None without an order."""
    numbers = {
        "levels": np.array([float(agent["levels"]) for agent in agents]),
        "score": np.array([_scores(agent).mean() for agent in agents]),
        "object score": np.array([_object_scores(agent).mean() for agent in agents]),
        "test": np.array([agent["test"]["completion"] for agent in agents], float),
    }
    train = np.array([agent["train"]["completion"] for agent in agents], float)
    numbers["gap"] = train - numbers["test"]
    names = {
        "levels": "number of levels",
        "score": "score",
        "object score": "object score",
        "test": "unseen levels completed",
        "gap": "training minus unseen levels completed",
    }
    a, b = numbers[first], numbers[second]
    estimate = rank_correlation(a, b) if len(agents) > 2 else None
    if estimate is None:
        return None
    random = np.random.default_rng(0)
    draws = (random.integers(len(a), size=len(a)) for _ in range(_RESAMPLES))
    resampled = [rank_correlation(a[drawn], b[drawn]) for drawn in draws]
    low, high = percentile_interval(np.array([value for value in resampled if value is not None]))
    return {
        "statement": f"rank correlation of {names[first]} and {names[second]}",
        "estimate": round(estimate, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "agents": len(agents),
    }
