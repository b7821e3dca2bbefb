"""What the article measured, to be drawn beside our numbers.

Source: Hilton et al. 2020, "Understanding RL Vision", "Model editing" and "Interpretability and
generalization", doi 10.23915/distill.00029. Its agents were far better trained and played the
older CoinRun: the shapes can be compared, the values cannot.
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


PAPER_LEVELS: Final = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Numbers of training levels of the article's agents."""

PAPER_COMPLETION: Final = (62.95, 67.0, 74.0, 90.0, 97.5, 98.8, 99.3)
"""Percentage of unseen levels completed; at 100 levels the mean of two agents, 61.8 and 64.1."""

PAPER_INTERPRETABLE: Final = (20.0, 13.0, 14.0, 35.0, 68.0, 85.0, 84.0)
"""Percentage of features that people found interpretable, mean of four ratings."""
