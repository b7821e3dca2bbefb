"""An agent's trajectories for a report: played, then attributed. (Host only.)"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Array, Key, UInt8

from rlvision_jax import envs
from rlvision_jax.attribution import attribute_scores
from rlvision_jax.envs.coinrun import CoinRunConfig
from rlvision_jax.envs.coinrun.replays import replay_config
from rlvision_jax.features import score_maps
from rlvision_jax.interface.agents import Agent
from rlvision_jax.interface.config import ReportConfig
from rlvision_jax.interface.layers import FoundLayer
from rlvision_jax.interface.recording import RecordingEnv, marks_objects
from rlvision_jax.interface.schema import Attribution, Score, Trajectory
from rlvision_jax.interface.scores import attributed
from rlvision_jax.training import play, played_advantages


@dataclasses.dataclass(frozen=True, kw_only=True)
class PlayedGames:
    """What an agent did in the environments of a report.

    Attributes:
      trajectories: one of each environment.
      replays: of CoinRun, what tells the causes of failures; else None.
      marked: whether the trajectories carry object masks.
    """

    trajectories: tuple[Trajectory, ...]
    replays: CoinRunConfig | None
    marked: bool


def play_games(
    agent: Agent,
    env: envs.HostEnv,
    key: Key[Array, ""],
    found: Sequence[FoundLayer],
    scores: Sequence[Score],
    config: ReportConfig,
    *,
    label: str,
    notify: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> PlayedGames:
    """Plays an agent and attributes its scores along the way.

    Args:
      agent: who plays.
      env: `config.num_trajectories` environments; closed at the end.
      key: of the actions.
      found: layers that the scores are attributed to.
      scores: what is attributed.
      config: how long, and what is kept.
      label: of the trajectories, before their number.
      notify: told of progress.
    """
    policy, params, agent_config = agent
    channels = envs.describe(env).channels
    try:
        replays = replay_config(env) if config.objects else None
        marked = config.objects and marks_objects(env)
        recorded = RecordingEnv(env, objects=marked, human=config.human)
        played = play(
            policy,
            params,
            recorded,
            key,
            config.num_steps,
            on_step=lambda step: notify("playing trajectories", step, config.num_steps),
        )
    finally:
        env.close()
    advantages = played_advantages(played, agent_config)
    trajectories = []
    work = config.num_trajectories * len(found)
    for index in range(config.num_trajectories):
        attributions = []
        for place, layer in enumerate(found):
            notify("attributing", index * len(found) + place, work)
            frames = played.observations[:, index]
            attributions += _attribute(agent, frames, layer, scores, config)
        trajectories.append(
            Trajectory(
                observations=envs.to_rgb(played.observations[:, index], channels),
                advantages=advantages[:, index],
                attributions=tuple(attributions),
                label=f"{label} {index + 1}",
                object_masks=recorded.object_masks(index, config.num_steps),
                human_frames=recorded.human_frames(index, config.num_steps),
                actions=played.actions[:, index],
                rewards=played.rewards[:, index],
                terminated=played.terminated[:, index],
                truncated=played.truncated[:, index],
                level_complete=played.level_complete[:, index],
                level_seeds=played.level_seeds[:, index],
                values=played.values[:, index],
                policy_logits=played.policy_logits[:, index],
            )
        )
    notify("attributing", work, work)
    return PlayedGames(trajectories=tuple(trajectories), replays=replays, marked=marked)


def _attribute(
    agent: Agent,
    observations: UInt8[np.ndarray, "time height width channel"],
    found: FoundLayer,
    scores: Sequence[Score],
    config: ReportConfig,
) -> list[Attribution]:
    """Attributions of all scores to one layer; without directions the gradient at the pixels."""
    policy, params, _ = agent
    wanted = [attributed(score) for score in scores]
    if found.directions is None:
        maps = attribute_scores(policy, params, observations, None, wanted, num_steps=1).values
        residuals = np.zeros(maps.shape[:-1], maps.dtype)
    else:
        maps, residuals = score_maps(
            policy,
            params,
            observations,
            found.directions,
            wanted,
            num_steps=config.num_integration_steps,
            rule=config.rule,
        )
    return [
        Attribution(layer=found.name, score=score.name, maps=maps[:, i], residual=residuals[:, i])
        for i, score in enumerate(scores)
    ]
