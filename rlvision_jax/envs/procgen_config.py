"""Procgen's games and options, checked before the library sees them.

The library ends the whole process on a bad option, so every limit is restated here.
Source: openai/procgen, `procgen/env.py` and `procgen/src/game.cpp`.
"""

import os
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from rlvision_jax._checks import check_choice, quoted

GAMES = (
    "bigfish",
    "bossfight",
    "caveflyer",
    "chaser",
    "climber",
    "coinrun",
    "dodgeball",
    "fruitbot",
    "heist",
    "jumper",
    "leaper",
    "maze",
    "miner",
    "ninja",
    "plunder",
    "starpilot",
)

ACTION_NAMES = (
    "left+down",
    "left",
    "left+up",
    "down",
    "none",
    "up",
    "right+down",
    "right",
    "right+up",
    "D",
    "A",
    "W",
    "S",
    "Q",
    "E",
)

DistributionMode: TypeAlias = Literal["easy", "hard", "extreme", "memory", "exploration"]

EXPLORATION_LEVELS = {
    "coinrun": 1949448038,
    "caveflyer": 1259048185,
    "leaper": 1318677581,
    "jumper": 1434825276,
    "maze": 158988835,
    "heist": 876640971,
    "climber": 1561126160,
    "ninja": 1123500215,
}

GAMES_OF_MODE: dict[str, tuple[str, ...]] = {
    "easy": GAMES,
    "hard": GAMES,
    "extreme": ("chaser", "dodgeball", "leaper", "starpilot"),
    "memory": ("caveflyer", "dodgeball", "heist", "jumper", "maze", "miner"),
    "exploration": tuple(game for game in GAMES if game in EXPLORATION_LEVELS),
}

# Exploration mode is hard mode on one fixed level.
_MODE_NUMBERS = {"easy": 0, "hard": 1, "extreme": 2, "memory": 10, "exploration": 1}

_INT32_MAX = 2**31 - 1
_MAX_ENVS = 65_536
_MAX_THREADS = 1_024


@dataclass(frozen=True, kw_only=True)
class ProcgenConfig:
    """Options of a batch of Procgen environments.

    Names are Procgen's, except `paint_velocity` (`paint_vel_info`), `seed` (`rand_seed`) and
    `render_human` (`render_mode="rgb_array"`).

    Attributes:
      game: one of `GAMES`.
      num_envs: environments stepped together, 1 to 65,536.
      num_levels: size of the level set; 0 means all 2^31 - 1 levels.
      start_level: seed of the first level of the set; 0 when `num_levels` is 0.
      distribution_mode: difficulty. "easy" and "hard" exist for every game; "extreme", "memory"
        and "exploration" (one fixed level) for those in `GAMES_OF_MODE`.
      seed: seed of the generator that draws level seeds, 0 to 2^31 - 1.
      use_backgrounds: draw pictures behind the level instead of black.
      restrict_themes: use one theme for each kind of object. Changes sizes, and so the game, in
        bigfish, bossfight and fruitbot.
      use_monochrome_assets: draw each object as a rectangle of one colour.
      use_generated_assets: draw objects and backgrounds from random shapes. Such environments
        have no `get_state` and `set_state`.
      center_agent: keep the agent in the middle of the picture, in games with a moving camera.
      use_sequential_levels: reaching a goal leads to the next level (seed + 997) within the
        same episode.
      paint_velocity: paint the agent's velocity as two grey squares into the top left corner,
        in games where it matters.
      debug_mode: flags of the game itself, 0 for none (CoinRun: 2 no pits, 4 no crates, 8 flat).
      num_threads: threads that step the environments; 0 steps them in the calling thread, None
        takes one for each core that this process may use. Results do not depend on it.
      render_human: also draw 512x512 frames at every step, for `ProcgenEnv.render`. Slow: all
        environments are drawn by one thread.
      resource_root: folder with other art, a changed copy of the wheel's `procgen/data/assets`;
        None means the wheel's own. The first environment of a process decides for all.

    Raises:
      ValueError: if an option is of the wrong type or out of range, or two contradict.
    """

    game: str
    num_envs: int
    num_levels: int = 0
    start_level: int = 0
    distribution_mode: DistributionMode = "hard"
    seed: int = 0
    use_backgrounds: bool = True
    restrict_themes: bool = False
    use_monochrome_assets: bool = False
    use_generated_assets: bool = False
    center_agent: bool = True
    use_sequential_levels: bool = False
    paint_velocity: bool = False
    debug_mode: int = 0
    num_threads: int | None = None
    render_human: bool = False
    resource_root: str | None = None

    def __post_init__(self):
        check_choice("Procgen game", self.game, GAMES)
        check_choice("distribution_mode", self.distribution_mode, get_args(DistributionMode))
        games = GAMES_OF_MODE[self.distribution_mode]
        if self.game not in games:
            modes = [mode for mode, allowed in GAMES_OF_MODE.items() if self.game in allowed]
            raise ValueError(
                f'{self.game} has no distribution_mode "{self.distribution_mode}"; it has '
                f"{quoted(modes)}"
            )
        for name in ("seed", "debug_mode"):
            check_range(name, getattr(self, name), 0, _INT32_MAX)
        check_range("num_envs", self.num_envs, 1, _MAX_ENVS)
        if self.num_threads is not None:
            check_range("num_threads", self.num_threads, 0, _MAX_THREADS)
        for name in _BOOL_OPTIONS:
            check_bool(name, getattr(self, name))
        if self.resource_root is not None and not isinstance(self.resource_root, str):
            raise ValueError(
                f"resource_root must be a path as str, or None; got {self.resource_root!r}"
            )
        if self.distribution_mode == "exploration" and (self.num_levels or self.start_level):
            raise ValueError(
                'distribution_mode "exploration" plays one fixed level; leave num_levels and '
                f"start_level at 0; got {self.num_levels} and {self.start_level}"
            )
        check_level_set(self.num_levels, self.start_level)

    @property
    def threads(self) -> int:
        """Number of threads that will step: `num_threads`, or one for each core."""
        if self.num_threads is None:
            return min(len(os.sched_getaffinity(0)), self.num_envs)
        return self.num_threads

    def library_options(self) -> dict[str, str | int | bool]:
        """The options as the C library names them, but for `resource_root`."""
        exploration = self.distribution_mode == "exploration"
        return {
            "env_name": self.game,
            "num_actions": len(ACTION_NAMES),
            "num_levels": 1 if exploration else self.num_levels,
            "start_level": EXPLORATION_LEVELS[self.game] if exploration else self.start_level,
            "distribution_mode": _MODE_NUMBERS[self.distribution_mode],
            "rand_seed": self.seed,
            "debug_mode": self.debug_mode,
            "num_threads": self.threads,
            **{_BOOL_OPTIONS[name]: getattr(self, name) for name in _BOOL_OPTIONS},
        }


# Our name -> the library's.
_BOOL_OPTIONS = {
    "use_backgrounds": "use_backgrounds",
    "restrict_themes": "restrict_themes",
    "use_monochrome_assets": "use_monochrome_assets",
    "use_generated_assets": "use_generated_assets",
    "center_agent": "center_agent",
    "use_sequential_levels": "use_sequential_levels",
    "paint_velocity": "paint_vel_info",
    "render_human": "render_human",
}


def check_level_set(num_levels: object, start_level: object) -> None:
    """Raises ValueError unless the two name a set of level seeds."""
    num_levels = check_range("num_levels", num_levels, 0, _INT32_MAX)
    start_level = check_range("start_level", start_level, 0, _INT32_MAX)
    if num_levels == 0 and start_level:
        raise ValueError(
            f"start_level {start_level} has no effect when num_levels is 0 (all levels); "
            "set num_levels or leave start_level at 0"
        )
    if start_level + num_levels > _INT32_MAX:
        raise ValueError(
            f"start_level + num_levels must be at most {_INT32_MAX}; got {start_level} + "
            f"{num_levels}"
        )


def check_range(name: str, value: object, low: int, high: int) -> int:
    """`value`; raises ValueError unless it is an integer from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be an integer from {low} to {high}; got {value!r}")
    return value


def check_bool(name: str, value: object) -> None:
    """Raises ValueError unless `value` is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be True or False; got {value!r}")
