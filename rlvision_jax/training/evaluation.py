"""How many levels a policy completes, on its training levels and on unseen ones. (Host only.)"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Bool, UInt8

from rlvision_jax import envs
from rlvision_jax._checks import check_at_least, check_choice
from rlvision_jax._types import Params
from rlvision_jax.envs import HostEnv
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training.failed_levels import FailedLevels
from rlvision_jax.training.forward import Forward, Outputs, forward_pass
from rlvision_jax.training.intervals import wilson_interval
from rlvision_jax.training.playing import check_fits, sample_actions

_MAX_SEED = 2**31 - 1
SPLITS = ("train", "test")
# Smallest batch of frames on a CPU: what one core computes at a time (training/forward.py).
_FEWEST_FRAMES = 8


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Outcome of many levels.

    Attributes:
      num_levels: levels played, drawn with replacement.
      num_completed: how many of them ended at their goal.
      mean_return: mean sum of rewards per level.
      return_standard_error: its standard error.
      mean_length: mean number of steps per level.
      failures: how many levels failed by each cause, "saw", "enemy_left" (one that moves left),
        "enemy_right", "lava", "out_of_bounds" and "timeout"; None of a game other than CoinRun.
      has_goal: whether the game has a goal at all; without, `num_completed` says nothing.
    """

    num_levels: int
    num_completed: int
    mean_return: float
    return_standard_error: float
    mean_length: float
    failures: Mapping[str, int] | None = None
    has_goal: bool = True

    @property
    def completion(self) -> float:
        """Share of levels completed, 0 to 1."""
        return self.num_completed / self.num_levels

    @property
    def completion_standard_error(self) -> float:
        """Standard error of `completion`, of a binomial proportion.

        Example:
          >>> evaluation = Evaluation(num_levels=100, num_completed=90, mean_return=9.0,
          ...     return_standard_error=0.3, mean_length=80.0)
          >>> round(evaluation.completion_standard_error, 3)
          0.03
        """
        return math.sqrt(self.completion * (1.0 - self.completion) / self.num_levels)

    @property
    def completion_interval(self) -> tuple[float, float]:
        """95% confidence interval of `completion`, see `wilson_interval`."""
        return wilson_interval(self.num_completed, self.num_levels)

    @property
    def failure_intervals(self) -> dict[str, tuple[float, float]]:
        """95% confidence interval of the share of levels that fail by each cause."""
        return {
            cause: wilson_interval(count, self.num_levels)
            for cause, count in (self.failures or {}).items()
        }

    def record(self) -> dict[str, Any]:
        """Counts, means, shares and intervals as plain JSON values; without a goal, no shares."""
        fields = dataclasses.asdict(self)
        if not fields.pop("has_goal"):
            del fields["num_completed"], fields["failures"]
            return fields
        causes = self.failure_intervals
        return fields | {
            "completion": self.completion,
            "completion_standard_error": self.completion_standard_error,
            "completion_interval": list(self.completion_interval),
            "failure_intervals": {cause: list(interval) for cause, interval in causes.items()},
        }


def splits(env: str) -> tuple[str, ...]:
    """The kinds of levels that an environment can be evaluated on.

    Args:
      env: its name, as `envs.make` knows it.

    Example:
      >>> splits("procgen:maze"), splits("atari:pong")
      (('train', 'test'), ('train',))
    """
    return SPLITS if envs.has_levels(env) else SPLITS[:1]


def split_options(env_options: Mapping[str, Any], split: str) -> dict[str, Any]:
    """Options of an environment that draws training or unseen levels.

    Training levels are those that the options name. Unseen ones are all that follow; of an agent
    trained on all levels, both draw from all.

    Args:
      env_options: the options that the agent was trained with.
      split: "train" or "test".

    Raises:
      ValueError: if the split is unknown.

    Example:
      >>> split_options({"num_levels": 200, "start_level": 0}, "test")
      {'num_levels': 2147483447, 'start_level': 200}
    """
    check_choice("split", split, SPLITS)
    num_levels = env_options.get("num_levels", 0)
    if split == "train" or num_levels == 0:
        return dict(env_options)
    first_unseen = env_options.get("start_level", 0) + num_levels
    return {
        **env_options,
        "num_levels": _MAX_SEED - first_unseen,
        "start_level": first_unseen,
    }


def evaluate(
    policy: VisionPolicy,
    params: Params,
    env: HostEnv,
    key: Array,
    num_levels: int,
    *,
    on_level: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Plays levels to their end and counts those completed.

    Every environment plays equally many (one more where it does not come out even), so that
    short episodes do not count more often than long ones. Failed levels of CoinRun are played
    again without pictures, to tell why they failed.

    Args:
      policy: acts by sampling.
      params: its parameters.
      env: fresh environments, which draw the levels.
      key: consumed.
      num_levels: levels to play, at least 1.
      on_level: called with the number of levels finished, whenever it grows.

    Raises:
      ValueError: if the policy has another number of actions or other frames than the
        environment.
    """
    check_at_least("num_levels", num_levels, 1)
    check_fits(policy, env)
    quota = np.full(env.num_envs, num_levels // env.num_envs)
    quota[: num_levels % env.num_envs] += 1
    finished = np.zeros(env.num_envs, int)
    running_return = np.zeros(env.num_envs)
    running_length = np.zeros(env.num_envs, int)
    returns: list[float] = []
    lengths: list[int] = []
    completed = 0
    step = env.reset()
    failed = FailedLevels(env, step)
    with forward_pass(policy) as forward:
        for t in itertools.count():
            logits, _ = playing_outputs(forward, params, step.observation, finished < quota)
            actions = np.asarray(sample_actions(logits, key, t))
            step = env.step(actions)
            running_return += step.reward
            running_length += 1
            ended = step.terminated | step.truncated
            counted = ended & (finished < quota)
            finished += counted
            failed.add(actions, step, counted=counted)
            returns.extend(running_return[counted].tolist())
            lengths.extend(running_length[counted].tolist())
            completed += int(np.count_nonzero(step.level_complete & counted))
            running_return[ended] = 0.0
            running_length[ended] = 0
            if counted.any():
                on_level(len(returns))
            if len(returns) == num_levels:
                break
    return Evaluation(
        num_levels=num_levels,
        num_completed=completed,
        mean_return=float(np.mean(returns)),
        return_standard_error=float(np.std(returns) / math.sqrt(num_levels)),
        mean_length=float(np.mean(lengths)),
        failures=failed.counts(),
        has_goal=envs.describe(env).has_levels,
    )


def playing_outputs(
    forward: Forward,
    params: Params,
    observations: UInt8[np.ndarray, "env height width channel"],
    playing: Bool[np.ndarray, " env"],
) -> Outputs:
    """Policy logits and values of the environments that still play; 0 or anything for the others.

    Towards the end few are left. Batches shrink by halves, so that few sizes are compiled. Not on
    an accelerator: there a batch takes as long as its half, and a size more to compile.

    Args:
      forward: of the policy, from `forward_pass`.
      params: its parameters.
      observations: frames of all environments.
      playing: which of them play.
    """
    num_envs = len(playing)
    size = num_envs
    if jax.default_backend() == "cpu":
        needed = max(_FEWEST_FRAMES, int(np.count_nonzero(playing)))
        size = min(num_envs, 1 << (needed - 1).bit_length())
    if size == num_envs:
        return forward(params, observations)
    chosen = np.argsort(~playing, kind="stable")[:size]
    chosen_logits, chosen_values = forward(params, observations[chosen])
    logits = np.zeros((num_envs, chosen_logits.shape[1]), np.float32)
    values = np.zeros(num_envs, np.float32)
    logits[chosen], values[chosen] = chosen_logits, chosen_values
    return logits, values


def evaluate_split(
    policy: VisionPolicy,
    params: Params,
    config: Mapping[str, Any],
    split: str,
    *,
    num_levels: int = 10_000,
    num_envs: int = 64,
    seed: int = 0,
    num_threads: int = 4,
    on_level: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Evaluates a loaded agent on the levels of its own environment.

    Args:
      policy: as `checkpoint.load` returned it.
      params: likewise.
      config: likewise; names the environment and its options.
      split: "train" or "test", see `split_options`.
      num_levels: levels to play.
      num_envs: environments stepped together, at most `num_levels` are used.
      seed: of levels and actions; the two splits draw different ones.
      num_threads: threads that step the environments.
      on_level: called with the number of levels finished.

    Raises:
      ValueError: if the split is unknown, the config names no environment, or test levels are
        asked of a game without levels.
    """
    for name in ("env", "env_options"):
        if name not in config:
            raise ValueError(f'the agent\'s config has no "{name}"; evaluate it with `evaluate`')
    if split not in splits(config["env"]):
        check_choice("split", split, SPLITS)
        raise ValueError(
            f'{config["env"]} has no levels, hence no unseen ones; evaluate the split "train" alone'
        )
    draw = 2 * seed + SPLITS.index(split)
    env = envs.make_host(
        config["env"],
        num_envs=min(num_envs, num_levels),
        seed=draw,
        num_threads=num_threads,
        **split_options(config["env_options"], split),
    )
    try:
        key = jax.random.key(draw)
        return evaluate(policy, params, env, key, num_levels, on_level=on_level)
    finally:
        env.close()
