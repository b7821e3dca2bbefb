"""Frames that an agent plays, every shard from new episodes of its own. (Host only.)

A shard depends on the seed and its number alone, so shards can be played in any order, on any
machine, and again.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Int, UInt8

from rlvision_jax import envs
from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy
from rlvision_jax.sweeps.config import SweepConfig
from rlvision_jax.sweeps.frames import FACTS, Frames
from rlvision_jax.training import PlayedStep, played_steps, sample_observations


class PlayedFrames:
    """A `FrameSource` that plays.

    In a shard, frames are in the order of environments, and of time in each: what one environment
    shows lies side by side.
    """

    def __init__(
        self,
        policy: VisionPolicy,
        params: Params,
        agent_config: Mapping[str, Any],
        config: SweepConfig,
        *,
        num_threads: int | None = None,
    ):
        """Plays the agent's own environment, or `config.env`.

        Args:
          policy: acts by sampling.
          params: its parameters.
          agent_config: as `checkpoint.load` returned it, or `env` and `env_options` alone.
          config: the sweep; `frames` is a number.
          num_threads: threads that step the environments.

        Raises:
          ValueError: if there is no environment to play.
        """
        if config.env is None and "env" not in agent_config:
            raise ValueError('the agent\'s config has no "env" to play; name one with --env')
        assert isinstance(config.frames, int)
        self.num_frames = config.frames
        self._policy, self._params, self._config = policy, params, config
        self._num_threads = num_threads
        self._env = config.env or agent_config["env"]
        self._options = dict(agent_config.get("env_options", {}))
        has_levels = envs.has_levels(self._env)
        of_levels = () if has_levels else ("level_seed", "level_complete")
        self.facts = tuple(name for name in FACTS if name not in of_levels)
        self.identity = {
            "env": self._env,
            "env_options": self._options,
            **{
                name: getattr(config, name)
                for name in ("num_envs", "shard_steps", "interval", "seed")
            },
        }

    def read(self, start: int, stop: int, *, on_frame: Callable[[int], None]) -> Frames:
        """Plays one shard."""
        config = self._config
        kept: list[dict[str, np.ndarray]] = []
        steps = np.zeros(config.num_envs, np.int32)
        episodes = np.zeros(config.num_envs, np.int64)
        env, key = self._begin(1 + start // config.shard_frames)
        num_steps = config.shard_steps * config.interval
        try:
            for t, step in enumerate(played_steps(self._policy, self._params, env, key, num_steps)):
                if (t + 1) % config.interval == 0:
                    kept.append(_row(step, steps, episodes))
                    on_frame(config.num_envs * (t + 1) // config.interval)
                done = step.after.terminated | step.after.truncated
                steps = np.where(done, 0, steps + 1)
                episodes = episodes + done
        finally:
            env.close()
        # From [time, env] to one axis, environments one after the other.
        rows = {
            name: np.stack([row[name] for row in kept], 1).reshape(-1, *kept[0][name].shape[1:])
            for name in kept[0]
        }
        rows["episode"] = start + _first_frames(rows["episode"], config.shard_steps)
        observations = rows.pop("observation")[: stop - start]
        facts = {name: rows[name][: stop - start].astype(FACTS[name]) for name in self.facts}
        return Frames(observations, facts)

    def sample(
        self, num_frames: int, *, on_frame: Callable[[int, int], None]
    ) -> UInt8[np.ndarray, "frame height width channel"]:
        """Plays, and keeps few frames of each environment."""
        config = self._config
        num_steps = -(-num_frames // config.num_envs) * config.feature_interval
        env, key = self._begin(0)
        try:
            return sample_observations(
                self._policy,
                self._params,
                env,
                key,
                num_frames,
                interval=config.feature_interval,
                on_step=lambda step: on_frame(step, num_steps),
            )
        finally:
            env.close()

    def _begin(self, play: int) -> tuple[envs.HostEnv, Array]:
        """Environments and key of one play; they have nothing in common with other plays'."""
        config = self._config
        (drawn,) = np.random.SeedSequence([config.seed, play]).generate_state(1, np.uint32)
        env = envs.make_host(
            self._env,
            num_envs=config.num_envs,
            seed=int(drawn >> 1),
            num_threads=self._num_threads,
            **self._options,
        )
        return env, jax.random.fold_in(jax.random.key(config.seed), play)


def _row(step: PlayedStep, steps: np.ndarray, episodes: np.ndarray) -> dict[str, np.ndarray]:
    after = step.after
    return {
        "observation": step.before.observation,
        "level_seed": step.before.level_seed,
        "episode": episodes,
        "step": steps,
        "action": step.actions,
        "reward": after.reward.copy(),
        "terminated": after.terminated.copy(),
        "truncated": after.truncated.copy(),
        "level_complete": after.level_complete & (after.terminated | after.truncated),
    }


def _first_frames(episodes: Int[np.ndarray, " frame"], num_steps: int) -> Int[np.ndarray, " frame"]:
    """For every frame the first one of the same episode.

    Args:
      episodes: number of the episode in its environment.
      num_steps: frames of each environment.

    Example:
      >>> print(_first_frames(np.asarray([0, 0, 1, 0, 0, 0]), 3))
      [0 0 2 3 3 3]
    """
    frames = np.arange(len(episodes))
    begins = np.diff(episodes, prepend=-1) != 0
    begins |= frames % num_steps == 0
    return np.maximum.accumulate(np.where(begins, frames, 0))
