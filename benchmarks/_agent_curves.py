"""docs/agents.svg: learning curves of the shipped agents beside published ones."""

import html
import itertools
import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks._agent_files import CurveRow, ShippedAgent


class Published(NamedTuple):
    """Mean return of Procgen's PPO (IMPALA network) after so many million environment steps."""

    label: str
    mark: str
    points: tuple[tuple[float, float], ...]


# Shapes around (0, 0).
_DISC, _RING = '<circle r="4" {fill}/>', '<circle r="3.5" {hollow}/>'
_SQUARE, _DIAMOND = '<path d="M-4 -4H4V4H-4Z" {fill}/>', '<path d="M0 -5L5 0L0 5L-5 0Z" {fill}/>'

# `train_procgen/results` of openai/train-procgen at 1a2ae219, `eprewmean` of CoinRun: mean of three
# runs over the rows within 0.5M steps, or within 10% where that is less. Each of the four processes
# of "hard" logs its own steps.
PUBLISHED = (
    Published(
        "easy, 200 levels",
        _DISC,
        ((0.25, 6.21), (0.5, 6.67), (1, 7.89), (2, 8.46), (5, 8.74), (10, 9.13), (25, 9.55)),
    ),
    Published(
        "the same, on test levels",
        _RING,
        ((0.25, 5.39), (0.5, 6.38), (1, 7.43), (2, 7.78), (5, 8.09), (10, 8.38), (25, 8.64)),
    ),
    Published(
        "easy, all levels",
        _SQUARE,
        ((0.25, 5.37), (0.5, 6.28), (1, 7.03), (2, 8.28), (5, 6.81), (10, 8.29), (25, 9.07)),
    ),
    Published(
        "hard, all levels",
        _DIAMOND,
        (
            *((1, 5.20), (2, 5.54), (5, 6.16), (10, 7.12)),
            *((25, 7.70), (50, 7.95), (100, 8.48), (200, 8.99)),
        ),
    ),
)

_WIDTH, _HEIGHT = 860, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 24, 24, 52
_STEPS = (3e4, 3e8)
# A mean over 100 episodes has a standard error of half a point: points so close are averaged.
_PER_DECADE = 25
_TICKS = {1e5: "0.1M", 1e6: "1M", 1e7: "10M", 1e8: "100M"}
# Okabe and Ito: told apart with any kind of colour vision.
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_GREY, _INK, _GRID = "#767676", "#222222", "#e4e4e4"
_LEGEND_LEFT, _LEGEND_LINE = 480, 18


def draw(agents: Sequence[ShippedAgent]) -> str:
    """The picture as SVG text."""
    parts = [_frame()]
    legend: list[tuple[str, str]] = []
    for published in PUBLISHED:
        places = [_place(1e6 * millions, value) for millions, value in published.points]
        mark = published.mark.format(
            fill=f'fill="{_GREY}"', hollow=f'fill="white" stroke="{_GREY}" stroke-width="1.5"'
        )
        parts.append(_line(places, _GREY, dashes="3 4", width=1))
        parts += [_moved(mark, *place) for place in places]
        legend.append((mark, f"Procgen's PPO: {published.label}"))
    for index, agent in enumerate(agents):
        color = _COLORS[index % len(_COLORS)]
        for repeat in agent.repeats.values():
            parts.append(_line(_places(repeat), color, width=0.7))
        places = _places(agent.curve)
        parts.append(_line(places, color, width=2))
        parts.append(_moved(f'<circle r="3" fill="{color}"/>', *places[-1]))
        swatch = f'<path d="M-10 0H10" stroke="{color}" stroke-width="3"/>'
        legend.append((swatch, f"{agent.name}: {agent.network}, {agent.setting}"))
    # In the corner where no curve comes.
    top = _HEIGHT - _BOTTOM - _LEGEND_LINE * len(legend)
    for index, (mark, text) in enumerate(legend):
        y = top + _LEGEND_LINE * index
        parts.append(_moved(mark, _LEGEND_LEFT, y))
        parts.append(_text(_LEGEND_LEFT + 18, y + 4, text, _INK, "start"))
    style = "font-family:system-ui,sans-serif;font-size:12px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" style="{style}">\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _places(curve: Sequence[CurveRow]) -> list[tuple[float, float]]:
    """Of stretches near each other in the picture, the mean return at the last one's end."""
    rows = [row for row in curve if row.step >= _STEPS[0]] or curve[-1:]
    places = []
    for _, near in itertools.groupby(rows, lambda row: int(_PER_DECADE * math.log10(row.step))):
        stretch = list(near)
        mean = statistics.mean(row.episode_return for row in stretch)
        places.append(_place(stretch[-1].step, mean))
    return places


def _place(step: float, episode_return: float) -> tuple[float, float]:
    low, high = map(math.log10, _STEPS)
    across = (math.log10(step) - low) / (high - low)
    x = _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
    y = _HEIGHT - _BOTTOM - episode_return / 10 * (_HEIGHT - _TOP - _BOTTOM)
    return round(x, 1), round(y, 1)


def _frame() -> str:
    """Background, grid and axes."""
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    parts = [f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>']
    for value in range(0, 11, 2):
        _, y = _place(_STEPS[0], value)
        parts.append(f'<path d="M{_LEFT} {y}H{right}" stroke="{_GRID}"/>')
        parts.append(_text(_LEFT - 8, y + 4, str(value), _INK, "end"))
    for step, name in _TICKS.items():
        x, _ = _place(step, 0)
        parts.append(f'<path d="M{x} {_TOP}V{bottom}" stroke="{_GRID}"/>')
        parts.append(_text(x, bottom + 18, name, _INK, "middle"))
    middle = (_LEFT + right) / 2
    parts.append(_text(middle, _HEIGHT - 12, "environment steps (logarithmic)", _INK, "middle"))
    height = (_TOP + bottom) / 2
    parts.append(
        f'<text x="18" y="{height}" transform="rotate(-90 18 {height})" text-anchor="middle" '
        f'fill="{_INK}">mean return of training episodes, of 10</text>'
    )
    parts.append(f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" stroke="{_INK}"/>')
    return "\n".join(parts)


def _line(
    places: Sequence[tuple[float, float]], color: str, *, width: float, dashes: str = ""
) -> str:
    points = " ".join(f"{x},{y}" for x, y in places)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" '
        f'stroke-linejoin="round"{dashed}/>'
    )


def _moved(shape: str, x: float, y: float) -> str:
    return f'<g transform="translate({x} {y})">{shape}</g>'


def _text(x: float, y: float, text: str, color: str, anchor: str) -> str:
    return (
        f'<text x="{round(x, 1)}" y="{round(y, 1)}" fill="{color}" text-anchor="{anchor}">'
        f"{html.escape(text)}</text>"
    )
