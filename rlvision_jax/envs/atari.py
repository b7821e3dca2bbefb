"""Atari 2600 games through ale-py's vector environment. (Host only: threads of a C++ library.)

Frames are cut, shrunk and stacked, and actions repeated, by the library itself.
Source: Bellemare et al. 2013, https://arxiv.org/abs/1207.4708; defaults by Machado et al. 2018,
https://arxiv.org/abs/1709.06009.
"""

import difflib
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from rlvision_jax._extras import import_extra
from rlvision_jax.envs.description import Description
from rlvision_jax.envs.gymnasium_env import GymnasiumBatch
from rlvision_jax.envs.procgen_config import check_bool, check_range

_INT32_MAX = 2**31 - 1
_MAX_ENVS = 65_536
_MAX_SIDE = 1_024


@dataclass(frozen=True, kw_only=True)
class AtariConfig:
    """Options of a batch of Atari environments.

    The defaults are those that Machado et al. 2018 recommend. The original code of "Understanding
    RL Vision" played as DeepMind's wrappers do: `sticky_actions=0.0, full_action_set=False,
    max_noops=30, fire_on_reset=True, episodic_life=True, clip_rewards=True`.

    Attributes:
      game: name of the cartridge, such as "pong" or "ms_pacman".
      num_envs: environments stepped together, 1 to 65,536.
      seed: of all that is random, 0 to 2^31 - 1.
      frame_stack: newest frames that an observation holds, the newest last.
      frame_skip: frames for which an action is repeated; rewards are summed.
      sticky_actions: probability of repeating the action before instead, at every frame.
      grayscale: one channel for each frame of the stack; else three, RGB.
      height, width: of the frames, pixels.
      max_pool: show the maximum of the last two frames, since sprites flicker.
      full_action_set: all 18 actions in every game; else only those that the game reads.
      max_noops: frames without action at the start of an episode, drawn from 1 to this; 0: none.
      fire_on_reset: press fire at the start of an episode, where a game waits for it.
      episodic_life: a lost life ends the episode, and the game starts anew.
      clip_rewards: hand out only the sign of rewards; returns then count signs.
      max_frames: frames after which an episode is truncated (60 frames are a second).
      num_threads: threads that step the environments; 0 or None: one for each core.

    Raises:
      ValueError: if an option is of the wrong type or out of range.
    """

    game: str
    num_envs: int
    seed: int = 0
    frame_stack: int = 4
    frame_skip: int = 4
    sticky_actions: float = 0.25
    grayscale: bool = True
    height: int = 84
    width: int = 84
    max_pool: bool = True
    full_action_set: bool = True
    max_noops: int = 0
    fire_on_reset: bool = False
    episodic_life: bool = False
    clip_rewards: bool = False
    max_frames: int = 108_000
    num_threads: int | None = None

    def __post_init__(self) -> None:
        check_range("num_envs", self.num_envs, 1, _MAX_ENVS)
        for name in ("frame_stack", "frame_skip"):
            check_range(name, getattr(self, name), 1, 256)
        for name in ("height", "width"):
            check_range(name, getattr(self, name), 1, _MAX_SIDE)
        for name in ("seed", "max_noops"):
            check_range(name, getattr(self, name), 0, _INT32_MAX)
        check_range("max_frames", self.max_frames, 1, _INT32_MAX)
        if self.num_threads is not None:
            check_range("num_threads", self.num_threads, 0, 1_024)
        sticky = self.sticky_actions
        if not isinstance(sticky, float | int) or isinstance(sticky, bool) or not 0 <= sticky <= 1:
            raise ValueError(f"sticky_actions must be a probability, 0 to 1; got {sticky!r}")
        for name in (
            "grayscale",
            "max_pool",
            "full_action_set",
            "fire_on_reset",
            "episodic_life",
            "clip_rewards",
        ):
            check_bool(name, getattr(self, name))


def make_atari(config: AtariConfig) -> GymnasiumBatch:
    """Makes a batch of environments of one Atari game.

    Observations are uint8 [env, height, width, channel] with the stacked frames as channels.
    Games have no levels and no goal, and cannot be saved: see `GymnasiumBatch`.

    Raises:
      MissingExtraError: if ale-py is not installed.
      ValueError: if there is no such game.
    """
    vector_env = import_extra("ale_py.vector_env", extra="atari")
    _check_game(config.game)
    env = vector_env.AtariVectorEnv(
        config.game,
        config.num_envs,
        num_threads=config.num_threads or 0,
        max_num_frames_per_episode=config.max_frames,
        repeat_action_probability=float(config.sticky_actions),
        full_action_space=config.full_action_set,
        autoreset_mode="SameStep",
        img_height=config.height,
        img_width=config.width,
        grayscale=config.grayscale,
        stack_num=config.frame_stack,
        frameskip=config.frame_skip,
        maxpool=config.max_pool,
        noop_max=config.max_noops,
        episodic_life=config.episodic_life,
        reward_clipping=config.clip_rewards,
        use_fire_reset=config.fire_on_reset,
    )
    actions = env.ale.get_action_set()
    return GymnasiumBatch(
        env,
        name=f"atari:{config.game}",
        seed=config.seed,
        to_frames=_channels_last,
        description=Description(
            action_names=tuple(action_name(action.name) for action in actions),
            channels="gray" if config.grayscale else "rgb",
            has_levels=False,
        ),
    )


def action_name(name: str) -> str:
    """The library's name of an action, its parts told apart.

    Example:
      >>> action_name("UPRIGHTFIRE"), action_name("NOOP")
      ('up+right+fire', 'none')
    """
    parts = re.findall("UP|DOWN|LEFT|RIGHT|FIRE", name)
    return "+".join(parts).lower() or "none"


def _channels_last(
    stacks: UInt8[np.ndarray, "env stack height width ..."],
) -> UInt8[np.ndarray, "env height width channel"]:
    last = np.moveaxis(stacks, 1, 3)
    return last.reshape(*last.shape[:3], -1)


def _check_game(game: str) -> None:
    games = import_extra("ale_py.roms", extra="atari").get_all_rom_ids()
    if game in games:
        return
    close = difflib.get_close_matches(game, games, n=3)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ValueError(
        f'unknown Atari game "{game}"; {hint}ale_py.roms.get_all_rom_ids() lists all {len(games)}, '
        "with names such as ms_pacman"
    )
