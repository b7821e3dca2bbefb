"""Which features follow the coin, and which the end of the level? (Host only: NumPy arrays.)

Frames that the agent meets are drawn twice: as they are, with the coin at the end, and with the
coin moved. Nothing else differs, so what differs in the attributions is the coin's doing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from rlvision_jax import envs
from rlvision_jax._types import Params
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.constants import COIN, FRAME_SIZE, SPACE, VISIBLE_TILES
from rlvision_jax.envs.procgen import encode_state
from rlvision_jax.envs.procgen_coinrun import CoinRunState
from rlvision_jax.features import Directions, attribution_maps
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.goal_journeys import level_places
from rlvision_jax.studies.labelled_frames import LabelledFrames, label
from rlvision_jax.studies.object_classes import CLASSES, WALL, position_classes
from rlvision_jax.studies.receptive_fields import receptive_fields
from rlvision_jax.studies.replaying import padded
from rlvision_jax.studies.scored_features import FeaturesConfig
from rlvision_jax.studies.scoring import percentile_interval
from rlvision_jax.training.forward import forward_pass

_COIN: Final = CLASSES.index("coin")

TARGETS: Final = ("coin_at_end", "moved_coin", "old_place", "end_wall")
"""What a feature may point at: the coin at the end; the moved coin; and, in frames with the moved
coin, the place where it lay and the wall behind it."""


class PairedFrames(NamedTuple):
    """The same moments with the coin at the end and with the coin moved.

    Attributes:
      own: as they are.
      moved: with the coin moved.
      end_walls: pixels of the wall behind the end, which both share.
    """

    own: LabelledFrames
    moved: LabelledFrames
    end_walls: Bool[np.ndarray, "frame height width"]


class Effect(NamedTuple):
    """A mean over frames, with its 95% interval over resampled levels; None without any frame."""

    mean: float | None
    low: float | None
    high: float | None


def pair_frames(
    observations: UInt8[np.ndarray, "frame height width channel"],
    games: Sequence[CoinRunState],
    agent_config: Mapping[str, Any],
    config: CoinRunConfig,
    *,
    num_threads: int = 4,
) -> PairedFrames:
    """Draws frames again with the coin moved.

    Args:
      observations: frames as they are, 0-255.
      games: that they show, with the coin at the end.
      agent_config: names the environment that draws them.
      config: of the levels with the coin moved.
      num_threads: threads of that environment.
    """
    seeds = np.asarray([game.current_level_seed for game in games])
    places = level_places(seeds, config)
    changed = [
        _with_coin_at(game, int(column), int(row))
        for game, column, row in zip(games, places.coin_column, places.coin_row, strict=True)
    ]
    own = label(observations, games)
    moved = label(_draw(changed, agent_config, num_threads), changed)
    is_right = np.stack(
        [_is_right_of(game, int(end)) for game, end in zip(games, places.end_column, strict=True)]
    )
    return PairedFrames(own, moved, own.masks[..., WALL] & is_right[:, None, :])


def follow_coin(
    policy: VisionPolicy,
    params: Params,
    frames: PairedFrames,
    directions: Directions,
    config: FeaturesConfig,
) -> list[dict[str, Effect]]:
    """What each feature points at beyond chance, and what the coin adds to it.

    Args:
      policy: of the agent.
      params: its parameters.
      frames: drawn with both coins.
      directions: of the features.
      config: its `reach`, `resamples` and `seed` matter.

    Returns:
      For each feature, and last for the value: for each of `TARGETS` the share of the feature's
      attribution that lies there, less that of chance, as `hazards.class_excess`; and the
      "effect_at_end" and "effect_moved" of the coin on the feature's total in the frames that show
      it in one place only, in units of the value.
    """
    own, moved = (
        attribution_maps(policy, params, each.observations, directions, "value")[0]
        for each in (frames.own, frames.moved)
    )
    field = receptive_fields(policy, params)[directions.layer]
    moved_masks, old_place = frames.moved.masks, frames.own.masks[..., _COIN]
    masks = {
        "coin_at_end": frames.own.masks,
        "moved_coin": moved_masks,
        "old_place": _with_coin_mask(moved_masks, old_place),
        "end_wall": _with_coin_mask(moved_masks, frames.end_walls),
    }
    points = {
        name: position_classes(each, field, reach=config.reach) == _COIN
        for name, each in masks.items()
    }
    resamples = _resamples(frames.own.level_seeds, config)
    shows_end, shows_moved = map(_shows_coin, (frames.own, frames.moved))

    def effects(before: np.ndarray, after: np.ndarray) -> dict[str, Effect]:
        """Of the coin at the end, and of the moved one."""
        only_end, only_moved = shows_end & ~shows_moved, shows_moved & ~shows_end
        return {
            "effect_at_end": _mean(before - after, only_end, resamples),
            "effect_moved": _mean(after - before, only_moved, resamples),
        }

    rows = []
    for index in range(own.shape[-1]):
        here, there = own[..., index].astype(np.float64), moved[..., index].astype(np.float64)
        row = {
            name: _excess(here if name == "coin_at_end" else there, at, resamples)
            for name, at in points.items()
        }
        rows.append(row | effects(here.sum((1, 2)), there.sum((1, 2))))
    values = (_values(policy, params, each.observations) for each in (frames.own, frames.moved))
    rows.append(dict.fromkeys(TARGETS, Effect(None, None, None)) | effects(*values))
    return rows


def _shows_coin(frames: LabelledFrames) -> Bool[np.ndarray, " frame"]:
    return np.asarray(frames.masks[..., _COIN].any((1, 2)))


def _with_coin_at(game: CoinRunState, column: int, row: int) -> CoinRunState:
    grid = np.where(game.grid == COIN, SPACE, game.grid).astype(game.grid.dtype)
    grid[row, column] = COIN
    return game._replace(grid=grid)


def _is_right_of(game: CoinRunState, column: int) -> Bool[np.ndarray, " width"]:
    """Which columns of pixels show what lies right of a column of cells."""
    # The agent's centre is the centre of the frame; see `screen.camera`.
    agent = float(game.entities[0]["x"])
    first = (column + 1 - agent) * FRAME_SIZE / VISIBLE_TILES + FRAME_SIZE / 2
    return np.arange(FRAME_SIZE) >= first


def _draw(
    games: Sequence[CoinRunState], agent_config: Mapping[str, Any], num_threads: int
) -> UInt8[np.ndarray, "frame height width channel"]:
    num_envs = min(len(games), 32)
    env = envs.make_host(
        agent_config["env"],
        num_envs=num_envs,
        num_threads=min(num_threads, num_envs),
        **agent_config.get("env_options", {}),
    )
    frames = []
    try:
        for start in range(0, len(games), num_envs):
            states = [encode_state(game) for game in games[start : start + num_envs]]
            env.set_state(states + states[-1:] * (num_envs - len(states)))
            frames.append(env.observe().observation[: len(states)].copy())
    finally:
        env.close()
    return np.concatenate(frames)


def _with_coin_mask(
    masks: Bool[np.ndarray, "frame height width class"],
    pixels: Bool[np.ndarray, "frame height width"],
) -> Bool[np.ndarray, "frame height width class"]:
    """Ground truth in which other pixels stand in for the coin."""
    masks = masks.copy()
    masks[..., _COIN] = pixels
    return masks


def _resamples(
    groups: Int[np.ndarray, " frame"], config: FeaturesConfig
) -> Float[np.ndarray, "set frame"]:
    """How often each frame is in each set: all once, then resamples of whole levels."""
    _, group = np.unique(groups, return_inverse=True)
    num_groups = group.max() + 1
    drawn = np.random.default_rng(config.seed).multinomial(
        num_groups, np.full(num_groups, 1 / num_groups), config.resamples
    )
    return np.concatenate([np.ones((1, num_groups)), drawn])[:, group]


def _excess(
    maps: Float[np.ndarray, "frame row column"],
    at: Bool[np.ndarray, "frame row column"],
    resamples: Float[np.ndarray, "set frame"],
) -> Effect:
    """Share of attribution at a target beyond chance, as `hazards.class_excess`."""
    strengths = np.abs(maps).reshape(len(maps), -1)
    is_there = at.reshape(len(at), -1).astype(np.float64)
    hits = resamples @ (strengths * is_there).sum(1)
    shares = resamples @ is_there / resamples.sum(1, keepdims=True)
    chance = ((resamples @ strengths) * shares).sum(1)
    total = resamples @ strengths.sum(1)
    found = np.divide(hits - chance, total, out=np.zeros_like(total), where=total > 0)
    return Effect(float(found[0]), *percentile_interval(found[1:]))


def _mean(
    differences: Float[np.ndarray, " frame"],
    chosen: Bool[np.ndarray, " frame"],
    resamples: Float[np.ndarray, "set frame"],
) -> Effect:
    counts = resamples[:, chosen].sum(1)
    if not counts[0]:
        return Effect(None, None, None)
    filled = counts > 0  # A resample may hold none of the frames.
    means = resamples[filled][:, chosen] @ differences[chosen] / counts[filled]
    return Effect(float(means[0]), *percentile_interval(means[1:]))


def _values(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[np.ndarray, "frame height width channel"],
) -> Float[np.ndarray, " frame"]:
    frames = padded(observations)
    with forward_pass(policy) as forward:
        return forward(params, frames)[1][: len(observations)].astype(np.float64)
