"""From an agent, or two, to a report: play, attribute, factorize, pack.

Computes nothing of its own; it calls what the levels below offer, in order. (Host only.)
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from rlvision_jax import checkpoint, envs
from rlvision_jax._types import Params
from rlvision_jax._version import __version__
from rlvision_jax.interface.agents import Agent, share_network
from rlvision_jax.interface.bookmarks import advantage_bookmarks
from rlvision_jax.interface.config import ReportConfig, chosen_layers
from rlvision_jax.interface.failures import find_failures
from rlvision_jax.interface.layers import beside, find_layers
from rlvision_jax.interface.pairs import paired
from rlvision_jax.interface.playing import play_games
from rlvision_jax.interface.recording import check_rendered
from rlvision_jax.interface.schema import Report
from rlvision_jax.interface.scores import named_scores
from rlvision_jax.models import VisionPolicy
from rlvision_jax.training import sample_observations
from rlvision_jax.training.playing import check_fits

Notify = Callable[[str, int, int], None]
"""Called with the name of a stage, the work done in it, and its whole work."""


def build_report(
    policy: VisionPolicy,
    params: Params,
    agent_config: Mapping[str, Any],
    config: ReportConfig,
    *,
    title: str,
    against: Agent | None = None,
    names: tuple[str, str] = ("this agent", "the other"),
    num_threads: int = 4,
    notify: Notify = lambda stage, done, total: None,
) -> Report:
    """Plays an agent in its own environment and explains its value function.

    A second agent plays the same levels, each with its own actions; the page shows both beside
    each other. If it is an edit of the first (`agents.share_network`), the features are those of
    the first; else it has features of its own, found in the same observations.

    Args:
      policy: as `checkpoint.load` returned it, or any other.
      params: its parameters.
      agent_config: as `checkpoint.load` returned it, or `env` and `env_options` alone: the name
        of the environment and its options.
      config: what the report shows.
      title: heading of the page.
      against: the second agent, which plays the environment of the first; None: there is none.
      names: of the two agents.
      num_threads: threads that step the environments.
      notify: told of progress.

    Raises:
      ValueError: if a layer or a score is unknown, the agent's config names no environment or one
        that a policy does not fit, fewer frames than dataset examples are wanted, frames for
        people of an environment that draws none, or two agents with the same name or in an
        environment that does not give them the same levels.
    """
    agents: list[Agent] = [(policy, params, dict(agent_config)), *([against] if against else [])]
    if against and names[0] == names[1]:
        raise ValueError(f'both agents are named "{names[0]}"; name them apart')
    chosen = [chosen_layers(agent[0], config.layers) for agent in agents]
    config = dataclasses.replace(config, layers=chosen[0])
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
        if against:
            check_fits(against[0], env)
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
    found = []
    for index, agent in enumerate(agents):
        if index and share_network(agents[0], agent):
            found.append(found[0])
            continue
        stage = _stage("finding features", index, names)
        layers = find_layers(
            agent,
            chosen[index],
            frames,
            config,
            channels=described.channels,
            shown=shown_frames,
            by_position=by_position if num_shown else None,
            notify=lambda done, total, stage=stage: notify(stage, done, total),
        )
        found.append(beside(found[0], layers, names[index]) if index else layers)

    games = []
    for index, agent in enumerate(agents):
        games.append(
            play_games(
                agent,
                # The same seed: the same levels.
                _make_env(
                    agent_config,
                    config.num_trajectories,
                    2 * config.seed + 1,
                    num_threads,
                    human=config.human,
                ),
                play_key,
                found[index],
                scores,
                config,
                label=names[index] if against else "play",
                notify=lambda stage, done, total, index=index: notify(
                    _stage(stage, index, names), done, total
                ),
            )
        )
    trajectories = games[0].trajectories
    if against:
        trajectories = paired(*(game.trajectories for game in games), levels=described.has_levels)
    # Each once: the second agent may show layers of the first.
    layers = tuple({layer.name: layer.layer for agent in found for layer in agent}.values())
    has_grids = any(feature.grids for layer in layers for feature in layer.features)
    replays = games[0].replays
    return Report(
        title=title,
        action_names=described.action_names,
        layers=layers,
        scores=scores,
        trajectories=trajectories,
        agents=names if against else (),
        bookmarks=advantage_bookmarks(trajectories),
        has_levels=described.has_levels,
        failures=find_failures(trajectories, replays) if described.has_levels else (),
        object_names=envs.OBJECT_NAMES if games[0].marked else (),
        examples=shown_frames[by_position] if has_grids else None,
        provenance={
            "rlvision_jax": __version__,
            **_made_by(agents[0]),
            **({"against": _made_by(against)} if against else {}),
            "report": dataclasses.asdict(config),
        },
    )


def _made_by(agent: Agent) -> dict[str, Any]:
    policy, params, agent_config = agent
    return {
        "policy": policy.config,
        "parameters": checkpoint.fingerprint(params),
        "agent": agent_config,
    }


def _stage(stage: str, index: int, names: Sequence[str]) -> str:
    """The second agent's stages have bars of their own."""
    return f"{stage}, {names[index]}" if index else stage


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
