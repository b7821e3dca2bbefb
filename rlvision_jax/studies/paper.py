"""What the article measured, to be drawn beside our numbers.

Source: Hilton et al. 2020, "Understanding RL Vision", the bars of "Model editing", doi
10.23915/distill.00029. Its agent was far better trained and played the older CoinRun: the
shapes can be compared, the values cannot.
"""

from collections.abc import Mapping
from typing import Final

PAPER_CAUSES: Final = ("saw", "enemy_left", "enemy_right", "other")
"""Causes that the article tells apart; "other" holds lava, falls and timeouts."""

PAPER_FAILURES: Final[Mapping[str, Mapping[str, float]]] = {
    "original": {"saw": 0.37, "enemy_left": 0.16, "enemy_right": 0.12, "other": 0.08},
    "saw-blind": {"saw": 12.76, "enemy_left": 0.16, "enemy_right": 0.08, "other": 0.05},
    "left-enemy-blind": {"saw": 0.36, "enemy_left": 4.69, "enemy_right": 0.97, "other": 0.07},
    "invisible saws": {"saw": 32.20, "enemy_left": 0.05, "enemy_right": 0.05, "other": 0.05},
}
"""Percentage of 10,000 levels failed by each cause, for each policy."""


def paper_cause(cause: str) -> str:
    """The article's name of one of our causes of failure.

    Example:
      >>> paper_cause("saw"), paper_cause("lava")
      ('saw', 'other')
    """
    return cause if cause in PAPER_CAUSES else "other"
