"""Options of CoinRun on the device, under the names that `ProcgenConfig` gives them."""

from dataclasses import dataclass
from typing import Literal, get_args

from rlvision_jax._checks import check_choice
from rlvision_jax.envs.coinrun.types import Visible
from rlvision_jax.envs.procgen_config import check_bool, check_level_set, check_range

CoinRunMode = Literal["easy", "hard"]
CoinPlace = Literal["end", "moved"]
Themes = Literal["own", "random"]

_MAX_DEBUG_MODE = 15


@dataclass(frozen=True, kw_only=True)
class CoinRunConfig:
    """Options of CoinRun on the device; they mean what they mean in `ProcgenConfig`.

    Attributes:
      num_levels: size of the level set; 0 means all 2^31 - 1 levels.
      start_level: seed of the first level of the set; 0 when `num_levels` is 0.
      distribution_mode: "easy" (no enemies on the ground, one theme) or "hard".
      use_backgrounds: draw pictures behind the level instead of black.
      restrict_themes: use one theme for each kind of object.
      use_monochrome_assets: draw each object as a rectangle of one colour.
      use_sequential_levels: reaching the coin leads to the next level (seed + 997) within the
        same episode.
      paint_velocity: paint the agent's velocity as two grey squares into the top left corner.
      debug_mode: 0, or a sum of 2 (no pits), 4 (no crates) and 8 (flat).
      invisible: kinds of object that are not drawn in any level but act all the same, such as
        ("saw",): the paper's invisible saws. Of "agent", "saw", "enemy", "crate", "trail".
      coin: "end", where CoinRun puts it, or "moved" to a random place on the way there
        (`changed_levels`).
      themes: "own", the level's material of the ground and background, or "random": both drawn
        anew from all there are, in easy levels too.
      change_seed: of what `coin` and `themes` draw, together with the level's seed; 0 to 2^31 - 1.

    Raises:
      ValueError: if an option is of the wrong type or out of range, or two contradict.
    """

    num_levels: int = 0
    start_level: int = 0
    distribution_mode: CoinRunMode = "hard"
    use_backgrounds: bool = True
    restrict_themes: bool = False
    use_monochrome_assets: bool = False
    use_sequential_levels: bool = False
    paint_velocity: bool = False
    debug_mode: int = 0
    invisible: tuple[str, ...] = ()
    coin: CoinPlace = "end"
    themes: Themes = "own"
    change_seed: int = 0

    def __post_init__(self):
        check_choice("distribution_mode", self.distribution_mode, get_args(CoinRunMode))
        check_level_set(self.num_levels, self.start_level)
        check_range("debug_mode", self.debug_mode, 0, _MAX_DEBUG_MODE)
        for name, value in vars(self).items():
            if isinstance(CoinRunConfig.__dataclass_fields__[name].default, bool):
                check_bool(name, value)
        object.__setattr__(self, "invisible", tuple(self.invisible))
        for kind in self.invisible:
            check_choice("kind of object to hide", kind, Visible._fields)
        check_choice("coin", self.coin, get_args(CoinPlace))
        check_choice("themes", self.themes, get_args(Themes))
        check_range("change_seed", self.change_seed, 0, 2**31 - 1)
        if self.restrict_themes and self.themes == "random":
            raise ValueError(
                'themes "random" contradicts restrict_themes, with which there is one theme of '
                "each kind; leave one of them out"
            )

    @property
    def level_bounds(self) -> tuple[int, int]:
        """The level set's first seed, and the one after its last."""
        if self.num_levels == 0:
            return 0, 2**31 - 1
        return self.start_level, self.start_level + self.num_levels
