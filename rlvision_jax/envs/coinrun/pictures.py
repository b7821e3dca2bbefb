"""The pictures that CoinRun draws: their files, and where each lies in the atlas of sprites.

Source: openai/procgen, `asset_for_type` in `procgen/src/games/coinrun.cpp`, the lists in
`procgen/src/resources.cpp`.
"""

from collections.abc import Iterable
from typing import NamedTuple

from rlvision_jax.envs.coinrun import constants as c

SQUARE = (128, 128)
TALL = (256, 128)
ROUND = (17, 17)

# Images beside those of `constants`: the agent's steps, and what saws and enemies turn into.
WALK_1, WALK_2 = 12, 13
SAW_2 = 3
ENEMY_1, ENEMY_2 = 6, 7

_PLAYERS = ("Beige", "Blue", "Green", "Pink", "Yellow")
_GROUNDS = ("Dirt", "Grass", "Planet", "Sand", "Snow", "Stone")
_CRATES = ("boxCrate", "boxCrate_double", "boxCrate_single", "boxCrate_warning")
_ENEMIES = (
    *("slimeBlock", "slimePurple", "slimeBlue", "slimeGreen"),
    *("mouse", "snail", "ladybug", "wormGreen", "wormPink"),
)
_COLORED = ("desert", "grass", "land", "shroom")
_PLATFORM = (
    *("alien_bg", "another_world_bg", "back_cave", "caverns", "cyberpunk_bg", "parallax_forest"),
    *("scifi_bg", "scifi2_bg", "living_tissue_bg"),
    *(f"airadventurelevel{number}" for number in range(1, 5)),
    "cave_background",
    *(f"{color}_{place}" for color in ("blue", "colored") for place in _COLORED),
    *(f"landscape{number}" for number in range(1, 5)),
    *(f"battleback{number}" for number in range(1, 11)),
    "sunrise",
)
_PLATFORM_2 = (
    f"{place}{number}" for place in ("beach", "fantasy", "candy") for number in range(1, 5)
)
_SPACE = (
    *("deep_space_01", "spacegen_01", "milky_way_01", "ez_space_lite_01", "meyespace_v1_01"),
    *("eye_nebula_01", "deep_sky_01", "space_nebula_01"),
    *(f"Background-{number}" for number in range(1, 5)),
    "parallax-space-backgound",
)
BACKGROUND_PATHS = (
    *(f"platform_backgrounds/{name}.png" for name in _PLATFORM),
    *(f"platform_backgrounds_2/{name}.png" for name in _PLATFORM_2),
    *(f"space_backgrounds/{name}.png" for name in _SPACE),
)


class Picture(NamedTuple):
    """A picture of the atlas.

    Attributes:
      path: of its file, in the folder of art.
      image_type: Procgen's number of the image.
      theme: its theme.
      shape: height and width, texels.
      start: index of its first texel in the atlas; rows follow from top to bottom.
    """

    path: str
    image_type: int
    theme: int
    shape: tuple[int, int]
    start: int


def _pictures() -> Iterable[Picture]:
    images = (
        (c.COIN, SQUARE, ["kenney/Items/coinGold.png"]),
        (c.LAVA_TOP, SQUARE, ["kenney/Tiles/lavaTop_low.png"]),
        (c.LAVA_MID, SQUARE, ["kenney/Tiles/lava.png"]),
        (c.WALL_TOP, SQUARE, [f"kenney/Ground/{g}/{g.lower()}Mid.png" for g in _GROUNDS]),
        (c.WALL_MID, SQUARE, [f"kenney/Ground/{g}/{g.lower()}Center.png" for g in _GROUNDS]),
        (c.SAW, SQUARE, ["kenney/Enemies/sawHalf.png"]),
        (SAW_2, SQUARE, ["kenney/Enemies/sawHalf_move.png"]),
        (c.CRATE, SQUARE, [f"kenney/Tiles/{crate}.png" for crate in _CRATES]),
        (ENEMY_1, SQUARE, [f"kenney/Enemies/{enemy}.png" for enemy in _ENEMIES]),
        (ENEMY_2, SQUARE, [f"kenney/Enemies/{enemy}_move.png" for enemy in _ENEMIES]),
        *(
            (image, TALL, [f"kenney/Players/128x256/{p}/alien{p}_{pose}.png" for p in _PLAYERS])
            for image, pose in ((c.PLAYER, "stand"), (WALK_1, "walk1"), (WALK_2, "walk2"))
        ),
        (c.TRAIL, ROUND, ["misc_assets/iconCircle_white.png"]),
    )
    start = 0
    for image_type, shape, paths in images:
        for theme, path in enumerate(paths):
            yield Picture(path, image_type, theme, shape, start)
            start += shape[0] * shape[1]


PICTURES = tuple(_pictures())

START = {picture.image_type: picture.start for picture in PICTURES if picture.theme == 0}
"""Image -> index of the first texel of its first theme; themes follow one another."""

ATLAS_SIZE = PICTURES[-1].start + ROUND[0] * ROUND[1]
"""Texels of all pictures."""
