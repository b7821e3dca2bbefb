"""From an agent to its report: play, attribute, factorize, pack.

Computes nothing of its own; it calls what the levels below offer, in order. (Host only.)
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Bool, Float, UInt8

from rlvision_jax import checkpoint, envs
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.attribution import attribute_scores
from rlvision_jax.envs.coinrun.replays import replay_config
from rlvision_jax.features import Directions, find_directions, score_maps
from rlvision_jax.interface.bookmarks import advantage_bookmarks
from rlvision_jax.interface.config import PIXELS, ReportConfig, chosen_layers
from rlvision_jax.interface.describe import describe_features, pixel_layer
from rlvision_jax.interface.failures import find_failures
from rlvision_jax.interface.recording import RecordingEnv, check_rendered, marks_objects
from rlvision_jax.interface.schema import Attribution, Layer, Report, Score, Trajectory
from rlvision_jax.interface.scores import attributed, named_scores
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training import Played, play, played_advantages, sample_observations

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
      ValueError: if a layer or a score is unknown, the agent's config names no environment or one
        that the policy does not fit, fewer frames than dataset examples are wanted, or frames for
        people of an environment that draws none.
    """
    layer_names = chosen_layers(policy, config.layers)
    config = dataclasses.replace(config, layers=layer_names)
    for name in ("env", "env_options"):
        if name not in agent_config:
            raise ValueError(f'the agent\'s config has no "{name}"; cannot play it')

    frames_key, play_key = jax.random.split(jax.random.key(config.seed))
    env = _make_env(agent_config, config.num_envs, 2 * config.seed, num_threads)
    try:
        described = envs.describe(env)
        scores = named_scores(config.scores, described.action_names)
        if config.human:
            check_rendered(env)
        rounds = -(-config.num_frames // config.num_envs) * config.frame_interval
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
    shown_frames = envs.to_rgb(frames, described.channels)
    # Spread over the whole play; fewer than asked for if there are fewer.
    num_shown = min(config.num_position_examples, config.num_frames)
    by_position = np.linspace(0, config.num_frames - 1, num_shown).round().astype(int)
    found: list[Directions | None] = []
    layers: list[Layer] = []
    for index, name in enumerate(layer_names):
        notify("finding features", index, len(layer_names))
        if name == PIXELS:
            found.append(None)
            layers.append(pixel_layer(policy.observation_shape[-1], described.channels))
            continue
        directions = find_directions(
            policy,
            params,
            frames,
            name,
            num_features=config.num_features,
            num_steps=config.num_integration_steps,
            rule=config.rule,
        )
        found.append(directions)
        layers.append(
            describe_features(
                policy,
                params,
                frames,
                directions,
                config.num_examples,
                # Frames of one environment follow each other within a level or a few.
                np.arange(config.num_frames) % config.num_envs,
                shown=shown_frames,
                by_position=by_position if num_shown else None,
            )
        )
    notify("finding features", len(layer_names), len(layer_names))

    env = _make_env(
        agent_config, config.num_trajectories, 2 * config.seed + 1, num_threads, human=config.human
    )
    try:
        replays = replay_config(env) if config.objects else None
        marked = config.objects and marks_objects(env)
        recorded = RecordingEnv(env, objects=marked, human=config.human)
        played = play(
            policy,
            params,
            recorded,
            play_key,
            config.num_steps,
            on_step=lambda step: notify("playing trajectories", step, config.num_steps),
        )
    finally:
        env.close()
    advantages = played_advantages(played, agent_config)
    trajectories = []
    work = config.num_trajectories * len(layers)
    for index in range(config.num_trajectories):
        attributions = []
        for place, directions in enumerate(found):
            notify("attributing", index * len(layers) + place, work)
            observations = played.observations[:, index]
            attributions += _attribute(policy, params, observations, directions, scores, config)
        trajectories.append(
            _trajectory(
                played,
                envs.to_rgb(played.observations[:, index], described.channels),
                advantages,
                index,
                attributions=tuple(attributions),
                object_masks=recorded.object_masks(index, config.num_steps),
                human_frames=recorded.human_frames(index, config.num_steps),
            )
        )
    notify("attributing", work, work)
    has_grids = any(feature.grids for layer in layers for feature in layer.features)
    return Report(
        title=title,
        action_names=described.action_names,
        layers=tuple(layers),
        scores=scores,
        trajectories=tuple(trajectories),
        bookmarks=advantage_bookmarks(trajectories),
        has_levels=described.has_levels,
        failures=find_failures(trajectories, replays) if described.has_levels else (),
        object_names=envs.OBJECT_NAMES if marked else (),
        examples=shown_frames[by_position] if has_grids else None,
        provenance={
            "rlvision_jax": __version__,
            "policy": policy.config,
            "parameters": checkpoint.fingerprint(params),
            "agent": dict(agent_config),
            "report": dataclasses.asdict(config),
        },
    )


def _make_env(
    agent_config: Mapping[str, Any],
    num_envs: int,
    seed: int,
    num_threads: int,
    *,
    human: bool = False,
) -> envs.HostEnv:
    name, options = agent_config["env"], dict(agent_config["env_options"])
    if human and name.startswith("procgen:"):
        options["render_human"] = True
    return envs.make_host(name, num_envs=num_envs, seed=seed, num_threads=num_threads, **options)


def _attribute(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[np.ndarray, "time height width channel"],
    directions: Directions | None,
    scores: Sequence[Score],
    config: ReportConfig,
) -> list[Attribution]:
    """Attributions of all scores to one layer; without directions the gradient at the pixels."""
    wanted = [attributed(score) for score in scores]
    if directions is None:
        layer = PIXELS
        maps = attribute_scores(policy, params, observations, None, wanted, num_steps=1).values
        residuals = np.zeros(maps.shape[:-1], maps.dtype)
    else:
        layer = directions.layer
        maps, residuals = score_maps(
            policy,
            params,
            observations,
            directions,
            wanted,
            num_steps=config.num_integration_steps,
            rule=config.rule,
        )
    return [
        Attribution(layer=layer, score=score.name, maps=maps[:, i], residual=residuals[:, i])
        for i, score in enumerate(scores)
    ]


def _trajectory(
    played: Played,
    shown: UInt8[np.ndarray, "time height width 3"],
    advantages: Float[np.ndarray, "time env"],
    index: int,
    *,
    attributions: tuple[Attribution, ...],
    object_masks: Bool[np.ndarray, "time height width object"] | None,
    human_frames: tuple[bytes, ...],
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
        object_masks=object_masks,
        human_frames=human_frames,
    )
