"""Actions that carry a CoinRun agent through its levels without a network."""

import numpy as np

_RIGHT, _RIGHT_UP, _STAY = 7, 8, 4
_MEAN_HOLD = 4.0


class Wanderer:
    """Draws actions of which each environment holds one for a few steps.

    Half of the environments press right and jump most of the time, and so see whole levels and
    reach coins; the others press anything.
    """

    def __init__(self, num_envs: int, seed: int):
        self._rng = np.random.default_rng(seed)
        self._held = np.full(num_envs, _STAY, np.int32)
        self._goes_right = np.arange(num_envs) % 2 == 0

    def __call__(self) -> np.ndarray:
        n = len(self._held)
        anything = self._rng.integers(0, 15, n, dtype=np.int32)
        onwards = np.where(self._rng.random(n) < 0.5, _RIGHT, _RIGHT_UP).astype(np.int32)
        drawn = np.where(self._goes_right & (self._rng.random(n) < 0.9), onwards, anything)
        changes = self._rng.random(n) < 1.0 / _MEAN_HOLD
        self._held = np.where(changes, drawn, self._held)
        return self._held
