"""A level played again, as a trajectory of a report. (Host only.)"""

from collections.abc import Sequence

import numpy as np

from rlvision_jax import envs
from rlvision_jax.envs import HostEnv
from rlvision_jax.features import Directions, attribution_maps
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.schema import Attribution, Trajectory
from rlvision_jax.studies.replaying import padded, replay
from rlvision_jax.training import played_advantages

SCORE = "value"
"""What is attributed."""


def replayed_trajectory(
    agent: Agent,
    level_seed: int,
    actions: Sequence[int],
    directions: Directions,
    *,
    label: str,
    complete: bool = True,
    objects: bool = False,
) -> Trajectory:
    """Plays a level again and attributes the value along it.

    Args:
      agent: whose values they are; its environment is CoinRun.
      level_seed: the level's.
      actions: from its beginning.
      directions: features of the layer that is attributed to.
      label: of the trajectory.
      complete: whether the level ends with the last action.
      objects: whether to mark `envs.OBJECT_NAMES`.

    Raises:
      ValueError: if the level cannot be played again (`studies.replaying.replay`).
    """
    policy, params, agent_config = agent
    masks = []

    def watch(env: HostEnv) -> None:
        if objects:
            masks.append(envs.object_masks(env.get_state()[0]))

    played = replay(
        policy, params, agent_config, level_seed, actions, complete=complete, watch=watch
    )
    frames = played.observations[:, 0]
    maps, residual = (
        array[: len(frames)]
        for array in attribution_maps(policy, params, padded(frames), directions, SCORE)
    )
    advantages = played_advantages(played, agent_config)
    return Trajectory(
        observations=frames,
        actions=played.actions[:, 0],
        rewards=played.rewards[:, 0],
        terminated=played.terminated[:, 0],
        truncated=played.truncated[:, 0],
        level_complete=played.level_complete[:, 0],
        level_seeds=played.level_seeds[:, 0],
        values=played.values[:, 0],
        advantages=advantages[:, 0],
        policy_logits=played.policy_logits[:, 0],
        attributions=(
            Attribution(layer=directions.layer, score=SCORE, maps=maps, residual=residual),
        ),
        label=label,
        object_masks=np.stack(masks) if objects else None,
    )
