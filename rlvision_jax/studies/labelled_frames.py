"""Frames that an agent meets, with what they show by ground truth. (Host only: NumPy arrays.)"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool, Int, UInt8

from rlvision_jax import envs
from rlvision_jax._types import Params
from rlvision_jax.envs.procgen import decode_state
from rlvision_jax.envs.procgen_coinrun import CoinRunState
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.object_classes import class_masks
from rlvision_jax.training import sample_observations

_KNOWN = ("coinrun", "procgen:coinrun")


class LabelledFrames(NamedTuple):
    """Frames with ground truth.

    Attributes:
      observations: frames, 0-255.
      masks: which pixels show which of `object_classes.CLASSES`.
      level_seeds: level that each frame shows; those of one level look alike.
    """

    observations: UInt8[np.ndarray, "frame height width channel"]
    masks: Bool[np.ndarray, "frame height width class"]
    level_seeds: Int[np.ndarray, " frame"]


def check_ground_truth(agent_config: Mapping[str, Any]) -> None:
    """Raises ValueError unless it is known where objects are in the agent's environment."""
    if agent_config.get("env") not in _KNOWN:
        raise ValueError(
            f"ground truth of objects is known of {' and '.join(_KNOWN)} only; this agent's "
            f"environment is {agent_config.get('env')}"
        )


def sample_labelled_frames(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    *,
    num_frames: int,
    interval: int,
    num_envs: int = 32,
    seed: int = 0,
    num_threads: int = 4,
    on_step: Callable[[int], None] = lambda step: None,
) -> LabelledFrames:
    """Plays, and keeps every environment's frame and ground truth once in `interval` steps.

    Arguments and errors are those of `sample_games`.
    """
    games = sample_games(
        policy,
        params,
        agent_config,
        num_frames=num_frames,
        interval=interval,
        num_envs=num_envs,
        seed=seed,
        num_threads=num_threads,
        on_step=on_step,
    )
    return label(*games)


def label(
    observations: UInt8[np.ndarray, "frame height width channel"], games: Sequence[CoinRunState]
) -> LabelledFrames:
    """Finds the ground truth of frames.

    Args:
      observations: frames, 0-255.
      games: that each of them shows.
    """
    masks = class_masks(np.stack([envs.object_masks(game) for game in games]))
    seeds = np.array([game.current_level_seed for game in games])
    return LabelledFrames(observations, masks, seeds)


def sample_games(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    *,
    num_frames: int,
    interval: int,
    num_envs: int = 32,
    seed: int = 0,
    num_threads: int = 4,
    on_step: Callable[[int], None] = lambda step: None,
) -> tuple[UInt8[np.ndarray, "frame height width channel"], list[CoinRunState]]:
    """Plays, and keeps every environment's frame and its whole game once in `interval` steps.

    Args:
      policy: acts by sampling.
      params: its parameters.
      agent_config: names the environment and its options.
      num_frames: frames to keep, at least 1.
      interval: steps between two kept frames of an environment, at least 1.
      num_envs: environments stepped together.
      seed: of levels and actions.
      num_threads: threads that step the environments.
      on_step: called after each step with the number of steps done.

    Returns:
      Frames, 0-255, and the games that they show.

    Raises:
      ValueError: if the ground truth is not known, or as `training.sample_observations`.
    """
    check_ground_truth(agent_config)
    env = envs.make_host(
        agent_config["env"],
        num_envs=num_envs,
        seed=seed,
        num_threads=num_threads,
        **agent_config.get("env_options", {}),
    )
    states: list[bytes] = []

    def keep(step: int) -> None:
        if step % interval == 0:
            states.extend(env.get_state())
        on_step(step)

    try:
        observations = sample_observations(
            policy,
            params,
            env,
            jax.random.key(seed),
            num_frames,
            interval=interval,
            on_step=keep,
        )
    finally:
        env.close()
    return observations, [decode_state(state) for state in states[:num_frames]]
