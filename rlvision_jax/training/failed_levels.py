"""Why levels failed, counted while an environment is played. (Host only.)"""

from collections import Counter
from typing import Final

import numpy as np
from jaxtyping import Bool, Int32

from rlvision_jax.envs import HostEnv, TimeStep
from rlvision_jax.envs.coinrun import FailureCause
from rlvision_jax.envs.coinrun.replays import PlayedLevel, failure_causes, replay_config

# In the order of the article's table.
FAILURE_CAUSES: Final = ("saw", "enemy_left", "enemy_right", "lava", "out_of_bounds", "timeout")


class FailedLevels:
    """Keeps the actions taken in each level, and plays the failed ones again at the end.

    Example:
      >>> from rlvision_jax import envs
      >>> env = envs.make("procgen:coinrun", num_envs=1, num_levels=1, start_level=17,
      ...     distribution_mode="easy")
      >>> step, right_up = env.reset(), np.array([8], np.int32)
      >>> failed = FailedLevels(env, step)
      >>> while not step.terminated[0]:
      ...     step = env.step(right_up)
      ...     failed.add(right_up, step, counted=step.terminated)
      >>> failed.counts()["saw"]
      1
      >>> env.close()
    """

    def __init__(self, env: HostEnv, first: TimeStep):
        """Begins to keep what is played.

        Args:
          env: of any game; only CoinRun's levels are kept.
          first: what its `reset` returned.
        """
        self._config = replay_config(env)
        self._seeds = first.level_seed.copy()
        self._actions: list[list[int]] = [[] for _ in self._seeds]
        self._failed: list[PlayedLevel] = []

    def add(
        self,
        actions: Int32[np.ndarray, " env"],
        step: TimeStep,
        *,
        counted: Bool[np.ndarray, " env"],
    ) -> None:
        """Takes note of a step.

        Args:
          actions: what was done.
          step: what came of it.
          counted: the environments whose level, having ended, is part of the evaluation.
        """
        if self._config is None:
            return
        for taken, action in zip(self._actions, actions.tolist(), strict=True):
            taken.append(action)
        # With sequential levels one that is completed does not end the episode.
        over = step.terminated | step.truncated | step.level_complete
        for index in np.flatnonzero(over).tolist():
            if counted[index] and not step.level_complete[index]:
                self._failed.append(PlayedLevel(int(self._seeds[index]), self._actions[index]))
            self._actions[index] = []
            self._seeds[index] = step.level_seed[index]

    def counts(self) -> dict[str, int] | None:
        """Levels failed by each of `FAILURE_CAUSES`; None of a game whose causes are not known."""
        if self._config is None:
            return None
        found = Counter(failure_causes(self._failed, self._config))
        return {cause: found[FailureCause[cause.upper()]] for cause in FAILURE_CAUSES}
