"""From an agent to its report: play, attribute, factorize, pack.

Computes nothing of its own; it calls what the levels below offer, in order. (Host only.)
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from rlvision_jax import checkpoint, envs
from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.attribution import RULES
from rlvision_jax.attribution import Score as AttributedScore
from rlvision_jax.features import (
    Directions,
    attribution_maps,
    feature_activations,
    find_directions,
    strongest_patches,
)
from rlvision_jax.interface.bookmarks import advantage_bookmarks
from rlvision_jax.interface.schema import (
    Attribution,
    Feature,
    Layer,
    Report,
    Score,
    Trajectory,
)
from rlvision_jax.models import VisionPolicy, check_layer
from rlvision_jax.training import Played, play, played_advantages, sample_observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """What a report shows and how it is computed.

    Attributes:
      layer: layer to attribute to; None: the middle one, which is 2b of the clear network.
      num_features: feature directions of the layer.
      num_trajectories: environments played.
      num_steps: steps of each trajectory.
      num_frames: observations that the features are found in.
      frame_interval: steps between two of these observations of one environment.
      num_envs: environments that these observations are played in.
      num_integration_steps: evaluations on the path of integration.
      rule: quadrature rule: right (the paper's), midpoint or gauss_legendre.
      num_examples: dataset examples of each feature.
      seed: of levels and actions.
    """

    layer: str | None = None
    num_features: int = 8
    num_trajectories: int = 8
    num_steps: int = 512
    num_frames: int = 4096
    frame_interval: int = 128
    num_envs: int = 32
    num_integration_steps: int = 10
    rule: str = "right"
    num_examples: int = 16
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if name not in ("layer", "rule"):
                check_at_least(name, value, 0 if name == "seed" else 1)
        if self.rule not in RULES:
            raise ValueError(f'unknown rule "{self.rule}"; expected one of {", ".join(RULES)}')


Notify = Callable[[str, int, int], None]
"""Called with the name of a stage, the work done in it, and its whole work."""


def build_report(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: ReportConfig,
    *,
    title: str,
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> Report:
    """Plays an agent in its own environment and explains its value function.

    Args:
      policy: as `checkpoint.load` returned it, or any other.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it, or `env` and `env_options` alone: the name
        of the environment and its options.
      config: what the report shows.
      title: heading of the page.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if the layer is unknown, the agent's config names no environment or one that
        the policy does not fit, or fewer frames than dataset examples are wanted.
    """
    layer_name = middle_layer(policy) if config.layer is None else config.layer
    check_layer(policy, layer_name)
    config = dataclasses.replace(config, layer=layer_name)
    for name in ("env", "env_options"):
        if name not in agent_config:
            raise ValueError(f'the agent\'s config has no "{name}"; cannot play it')

    frames_key, play_key = jax.random.split(jax.random.key(config.seed))
    rounds = -(-config.num_frames // config.num_envs) * config.frame_interval
    env = _make_env(agent_config, config.num_envs, 2 * config.seed, num_threads)
    described = envs.describe(env)
    try:
        frames = sample_observations(
            policy,
            params,
            env,
            frames_key,
            config.num_frames,
            interval=config.frame_interval,
            on_step=lambda step: notify("playing for features", step, rounds),
        )
    finally:
        env.close()
    notify("finding features", 0, 1)
    directions = find_directions(
        policy,
        params,
        frames,
        layer_name,
        num_features=config.num_features,
        num_steps=config.num_integration_steps,
        rule=config.rule,
    )
    # Frames of one environment follow each other within a level or a few.
    environments = np.arange(config.num_frames) % config.num_envs
    shown = envs.to_rgb(frames, described.channels)
    layer = describe_features(
        policy, params, frames, directions, config.num_examples, environments, shown=shown
    )
    notify("finding features", 1, 1)

    env = _make_env(agent_config, config.num_trajectories, 2 * config.seed + 1, num_threads)
    try:
        played = play(
            policy,
            params,
            env,
            play_key,
            config.num_steps,
            on_step=lambda step: notify("playing trajectories", step, config.num_steps),
        )
    finally:
        env.close()
    advantages = played_advantages(played, agent_config)
    trajectories = []
    for index in range(config.num_trajectories):
        notify("attributing", index, config.num_trajectories)
        attribution = _attribute(
            policy, params, played.observations[:, index], directions, "value", config
        )
        shown = envs.to_rgb(played.observations[:, index], described.channels)
        trajectories.append(_trajectory(played, shown, advantages, index, (attribution,)))
    notify("attributing", config.num_trajectories, config.num_trajectories)
    return Report(
        title=title,
        action_names=described.action_names,
        layers=(layer,),
        scores=(Score(name="value"),),
        trajectories=tuple(trajectories),
        bookmarks=advantage_bookmarks(trajectories),
        has_levels=described.has_levels,
        provenance={
            "rlvision_jax": __version__,
            "policy": policy.config,
            "parameters": checkpoint.fingerprint(params),
            "agent": dict(agent_config),
            "report": dataclasses.asdict(config),
        },
    )


def describe_features(
    policy: VisionPolicy,
    params: Params,
    frames: UInt8[np.ndarray, "frame height width channel"],
    directions: Directions,
    num_examples: int,
    groups: Int[np.ndarray, " frame"] | None = None,
    *,
    shown: UInt8[np.ndarray, "frame height width 3"] | None = None,
) -> Layer:
    """Names the features of a layer and cuts their dataset examples out of frames.

    Args:
      policy: what computes the layer.
      params: its parameters.
      frames: observations, 0-255; at least `num_examples`.
      directions: the layer and its features.
      num_examples: dataset examples of each feature.
      groups: frames that look alike, as in `features.strongest_patches`.
      shown: the frames in RGB, to cut the examples out of; None: the observations are RGB.
    """
    strengths = feature_activations(policy, params, frames, directions)
    features = []
    for index, direction in enumerate(np.asarray(directions.nmf.components)):
        examples = strongest_patches(
            frames if shown is None else shown,
            strengths[..., index],
            num_examples=num_examples,
            groups=groups,
        )
        features.append(
            Feature(
                name=f"feature {index + 1}",
                direction=direction,
                thumbnails=examples.patches,
                strengths=examples.strengths,
            )
        )
    return Layer(name=directions.layer, features=tuple(features))


def middle_layer(policy: VisionPolicy) -> str:
    """The layer halfway between observation and heads.

    Example:
      >>> from rlvision_jax import models
      >>> middle_layer(models.make("clear")), middle_layer(models.make("impala"))
      ('2b', 'stack2')
    """
    return policy.layer_names[len(policy.layer_names) // 2]


def _make_env(
    agent_config: Mapping[str, Any], num_envs: int, seed: int, num_threads: int
) -> envs.HostEnv:
    return envs.make_host(
        agent_config["env"],
        num_envs=num_envs,
        seed=seed,
        num_threads=num_threads,
        **agent_config["env_options"],
    )


def _attribute(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[np.ndarray, "time height width channel"],
    directions: Directions,
    score: AttributedScore,
    config: ReportConfig,
) -> Attribution:
    maps, residual = attribution_maps(
        policy,
        params,
        observations,
        directions,
        score,
        num_steps=config.num_integration_steps,
        rule=config.rule,
    )
    return Attribution(layer=directions.layer, score=str(score), maps=maps, residual=residual)


def _trajectory(
    played: Played,
    shown: UInt8[np.ndarray, "time height width 3"],
    advantages: Float[np.ndarray, "time env"],
    index: int,
    attributions: tuple[Attribution, ...],
) -> Trajectory:
    return Trajectory(
        observations=shown,
        actions=played.actions[:, index],
        rewards=played.rewards[:, index],
        terminated=played.terminated[:, index],
        truncated=played.truncated[:, index],
        level_complete=played.level_complete[:, index],
        level_seeds=played.level_seeds[:, index],
        values=played.values[:, index],
        advantages=advantages[:, index],
        policy_logits=played.policy_logits[:, index],
        attributions=attributions,
        label=f"play {index + 1}",
    )
