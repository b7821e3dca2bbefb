"""Played levels once more with frames, values and advantages. (Host only.)"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import UInt8

from rlvision_jax import envs
from rlvision_jax._types import Params
from rlvision_jax.envs import HostEnv
from rlvision_jax.envs.coinrun import CoinRunConfig
from rlvision_jax.envs.coinrun.changed_levels import change_opening
from rlvision_jax.envs.coinrun.counterfactuals import edit
from rlvision_jax.envs.procgen import decode_state, encode_state
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training import Played
from rlvision_jax.training.forward import forward_pass

# Levels last 20 to 1,000 steps: programs are compiled for whole multiples of this only.
_STEPS = 64
# Options of the device's CoinRun that Procgen has no counterpart of.
_DEVICE_ONLY = ("assets", "all_backgrounds", "invisible")
_CHANGES = ("coin", "themes", "change_seed")


def replay(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    level_seed: int,
    actions: Sequence[int],
    *,
    complete: bool = True,
    watch: Callable[[HostEnv], None] = lambda env: None,
) -> Played:
    """Plays a level again by the actions that were taken in it.

    Args:
      policy: what sees the frames; it does not act.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it; its environment is CoinRun, of either kind:
        they are the same in every bit, and Procgen's is played, from a changed beginning where
        levels are changed.
      level_seed: the level's.
      actions: from its beginning to its end, or, unless `complete`, to some step before.
      complete: whether the level must end with the last action.
      watch: called with the game before each action.

    Returns:
      The level as a play of one environment, which ends with the actions.

    Raises:
      ValueError: if objects are invisible in the agent's environment, which Procgen cannot show,
        or the level ends before the last action, or, if `complete`, not with it.
    """
    options = dict(agent_config["env_options"])
    if options.get("invisible"):
        raise ValueError(
            f"levels with invisible objects cannot be shown; got {list(options['invisible'])}"
        )
    changes = {name: options.pop(name) for name in _CHANGES if name in options}
    options = {name: value for name, value in options.items() if name not in _DEVICE_ONLY}
    options |= {"num_levels": 1, "start_level": level_seed}
    env = envs.make_host("procgen:coinrun", num_envs=1, num_threads=1, **options)
    try:
        step = env.reset()
        if changes:
            _change(env, CoinRunConfig(**changes))
            step = env.observe()
        observations, steps = [], []
        for action in actions:
            watch(env)
            observations.append(step.observation[0].copy())
            step = env.step(np.asarray([action], np.int32))
            steps.append(step)
    finally:
        env.close()
    over = np.stack([step.terminated | step.truncated for step in steps])
    if over[:-1].any() or (complete and not over[-1].all()):
        raise ValueError(f"level {level_seed} does not end with the last of {len(actions)} actions")
    # The frame that the last action led to says what was still to come.
    frames = np.stack([*observations, step.observation[0]])
    with forward_pass(policy) as forward:
        logits, values = (array[: len(frames)] for array in forward(params, padded(frames)))
    frames, logits = frames[:-1], logits[:-1]
    return Played(
        observations=frames[:, None],
        actions=np.asarray(actions, np.int32)[:, None],
        rewards=np.stack([step.reward for step in steps]),
        terminated=np.stack([step.terminated for step in steps]),
        truncated=np.stack([step.truncated for step in steps]),
        level_complete=np.stack([step.level_complete for step in steps]),
        level_seeds=np.full((len(actions), 1), level_seed, np.int32),
        policy_logits=logits[:, None],
        values=values[:-1, None],
        bootstrap_values=values[-1:],
    )


def _change(env: HostEnv, config: CoinRunConfig) -> None:
    """Turns the level that a single game has just begun into a changed one."""
    opening = decode_state(env.get_state()[0])
    env.set_state([encode_state(edit(opening, functools.partial(_changed, config=config)))])


_changed = jax.jit(change_opening, static_argnames="config")


def padded(
    frames: UInt8[np.ndarray, "time height width channel"],
) -> UInt8[np.ndarray, "padded height width channel"]:
    """The frames of a level, the last one repeated up to the next multiple of 64.

    Example:
      >>> padded(np.zeros((65, 4, 4, 3), np.uint8)).shape
      (128, 4, 4, 3)
    """
    return np.pad(frames, ((0, -len(frames) % _STEPS), (0, 0), (0, 0), (0, 0)), mode="edge")
