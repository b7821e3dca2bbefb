"""Levels played to their end, with all that became of each. (Host only.)

Level `i` of two plays with one seed is the same level, and step `t` in it is drawn with the same
random numbers, whatever happened in the levels before: so policies are compared level by level.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Float32, Int8, Int32

from rlvision_jax import envs
from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.envs import HostEnv, TimeStep
from rlvision_jax.envs.coinrun import CoinRunConfig
from rlvision_jax.envs.coinrun.replays import PlayedLevel, failure_causes, replay_config
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training import FAILURE_CAUSES
from rlvision_jax.training.advantages import agent_advantages
from rlvision_jax.training.evaluation import playing_outputs
from rlvision_jax.training.forward import forward_pass
from rlvision_jax.training.playing import check_fits

COMPLETED: Final = "completed"
OUTCOMES: Final = (COMPLETED, *FAILURE_CAUSES)
"""How a level may end: at the coin, or by one of the causes of failure."""


class Levels(NamedTuple):
    """What became of levels, in the order in which the environments drew them.

    Attributes:
      seeds: the levels' seeds.
      outcomes: index into `OUTCOMES`.
      lengths: steps.
      returns: sum of rewards, in the game's points.
      worst_advantages: lowest advantage of the level's steps, in units of the values.
      worst_steps: at which step it was, from 0.
      actions: of the failed levels, or of all, by the level's place in this record.
    """

    seeds: Int32[np.ndarray, " level"]
    outcomes: Int8[np.ndarray, " level"]
    lengths: Int32[np.ndarray, " level"]
    returns: Float32[np.ndarray, " level"]
    worst_advantages: Float32[np.ndarray, " level"]
    worst_steps: Int32[np.ndarray, " level"]
    actions: Mapping[int, list[int]]

    @property
    def num_levels(self) -> int:
        """How many there are."""
        return len(self.seeds)

    def count(self, outcome: str) -> int:
        """Levels that ended so, one of `OUTCOMES`."""
        return int(np.count_nonzero(self.outcomes == OUTCOMES.index(outcome)))

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        arrays = {
            name: value.tolist() for name, value in self._asdict().items() if name != "actions"
        }
        return arrays | {"actions": {str(index): taken for index, taken in self.actions.items()}}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Levels":
        """The record of which `to_json` made this."""
        return cls(
            seeds=np.asarray(content["seeds"], np.int32),
            outcomes=np.asarray(content["outcomes"], np.int8),
            lengths=np.asarray(content["lengths"], np.int32),
            returns=np.asarray(content["returns"], np.float32),
            worst_advantages=np.asarray(content["worst_advantages"], np.float32),
            worst_steps=np.asarray(content["worst_steps"], np.int32),
            actions={int(index): taken for index, taken in content["actions"].items()},
        )


def join_levels(parts: Sequence[Levels]) -> Levels:
    """One record after the other."""
    starts = np.cumsum([0, *(part.num_levels for part in parts)])
    actions = {
        int(start) + index: taken
        for start, part in zip(starts, parts, strict=False)
        for index, taken in part.actions.items()
    }
    columns = zip(*(part[:-1] for part in parts), strict=True)
    seeds, outcomes, lengths, returns, advantages, steps = map(np.concatenate, columns)
    return Levels(seeds, outcomes, lengths, returns, advantages, steps, actions)


def check_ground_truth(env: HostEnv) -> CoinRunConfig:
    """The options with which an environment's levels can be played again.

    Raises:
      ValueError: if why its levels fail is not known.
    """
    config = replay_config(env)
    if config is None:
        raise ValueError(
            f"why levels fail is known of CoinRun in easy and hard mode only, not of {env.name} "
            "with these options; study an agent of procgen:coinrun or coinrun"
        )
    return config


def play_levels(
    policy: VisionPolicy,
    params: Params,
    env: HostEnv,
    key: Array,
    num_levels: int,
    agent_config: Mapping[str, Any],
    *,
    all_actions: bool = False,
    on_level: Callable[[int], None] = lambda done: None,
) -> Levels:
    """Plays levels to their end and says how each one ended.

    Every environment plays equally many (one more where it does not come out even); level `i` is
    the `i // num_envs`-th of environment `i % num_envs`.

    Args:
      policy: acts by sampling.
      params: its parameters.
      env: fresh environments of CoinRun.
      key: of the actions; step `t` of level `i` is drawn with a key of its own.
      num_levels: levels to play, at least 1.
      agent_config: as `checkpoint.load` returned it: discount and scale of rewards.
      all_actions: keep the actions of completed levels too.
      on_level: called with the number of levels finished, whenever it grows.

    Raises:
      ValueError: if the ground truth is unknown (`check_ground_truth`), levels follow each other
        within an episode, or the policy does not fit the environment.
    """
    check_at_least("num_levels", num_levels, 1)
    check_fits(policy, env)
    config = check_ground_truth(env)
    num_envs = env.num_envs
    running = [_Running() for _ in range(num_envs)]
    ended: dict[int, _Running] = {}
    indices = np.arange(num_envs, dtype=np.int32)
    step = env.reset()
    with forward_pass(policy) as forward:
        while True:
            playing = indices < num_levels
            logits, values = playing_outputs(forward, params, step.observation, playing)
            times = np.asarray([len(level.actions) for level in running], np.int32)
            actions = np.asarray(_sample(logits, key, indices, times))
            seeds = step.level_seed.copy()
            step = env.step(actions)
            over = _check_ends(step)
            for index in np.flatnonzero(playing).tolist():
                running[index].add(actions[index], values[index], step.reward[index])
                if over[index]:
                    running[index].seed = int(seeds[index])
                    running[index].completed = bool(step.level_complete[index])
                    ended[int(indices[index])] = running[index]
            for index in np.flatnonzero(over).tolist():
                running[index] = _Running()
            indices = indices + num_envs * over.astype(np.int32)
            if (over & playing).any():
                on_level(len(ended))
            if len(ended) == num_levels:
                in_order = [ended[index] for index in range(num_levels)]
                return _record(in_order, config, agent_config, all_actions)


class _Running:
    """One level while it is played."""

    def __init__(self) -> None:
        self.seed = 0
        self.completed = False
        self.actions: list[int] = []
        self.values: list[float] = []
        self.rewards: list[float] = []

    def add(self, action: np.integer, value: np.floating, reward: np.floating) -> None:
        self.actions.append(int(action))
        self.values.append(float(value))
        self.rewards.append(float(reward))


@jax.jit
def _sample(
    logits: Float[Array, "env action"],
    key: Array,
    levels: Int32[Array, " env"],
    times: Int32[Array, " env"],
) -> Int32[Array, " env"]:
    def one(logits: Array, level: Array, time: Array) -> Array:
        step_key = jax.random.fold_in(jax.random.fold_in(key, level), time)
        return jax.random.categorical(step_key, logits)

    return jax.vmap(one)(logits, levels, times)


def _check_ends(step: TimeStep) -> np.ndarray:
    over = step.terminated | step.truncated
    if (step.level_complete & ~over).any():
        raise ValueError(
            "a level was completed and the episode went on: set use_sequential_levels to False"
        )
    return over


def _record(
    levels: list[_Running],
    config: CoinRunConfig,
    agent_config: Mapping[str, Any],
    all_actions: bool,
) -> Levels:
    failed = {i: level for i, level in enumerate(levels) if not level.completed}
    played = [PlayedLevel(level.seed, level.actions) for level in failed.values()]
    causes = dict(zip(failed, failure_causes(played, config), strict=True))
    names = [causes[i].name.lower() if i in causes else COMPLETED for i in range(len(levels))]
    lengths = np.asarray([len(level.actions) for level in levels], np.int32)
    # One level after the other, as if one environment had played them all.
    done = np.zeros(lengths.sum(), bool)
    done[np.cumsum(lengths) - 1] = True
    values, rewards = (
        np.concatenate([getattr(level, name) for level in levels]).astype(np.float32)
        for name in ("values", "rewards")
    )
    advantages = agent_advantages(
        rewards[:, None], values[:, None], done[:, None], np.zeros(1, np.float32), agent_config
    )[:, 0]
    by_level = np.split(advantages, np.cumsum(lengths)[:-1])
    return Levels(
        seeds=np.asarray([level.seed for level in levels], np.int32),
        outcomes=np.asarray([OUTCOMES.index(name) for name in names], np.int8),
        lengths=lengths,
        returns=np.asarray([sum(level.rewards) for level in levels], np.float32),
        worst_advantages=np.asarray([level.min() for level in by_level], np.float32),
        worst_steps=np.asarray([level.argmin() for level in by_level], np.int32),
        actions={i: level.actions for i, level in enumerate(levels) if all_actions or i in failed},
    )


def make_env(
    agent_config: Mapping[str, Any], num_envs: int, seed: int, num_threads: int
) -> HostEnv:
    """The environment that a config names, on levels that the seed draws.

    Raises:
      ValueError: if the config names none.
    """
    for name in ("env", "env_options"):
        if name not in agent_config:
            raise ValueError(f'the agent\'s config has no "{name}" to play')
    return envs.make_host(
        agent_config["env"],
        num_envs=num_envs,
        seed=seed,
        num_threads=num_threads,
        **agent_config["env_options"],
    )
