"""Numbers of Procgen's CoinRun. Lengths are in tiles, x to the right, y up; times in steps.

Source: openai/procgen, `procgen/src/games/coinrun.cpp` and `procgen/src/object-ids.h`.
"""

WORLD_SIZE = 64
FRAME_SIZE = 64
VISIBLE_TILES = 13

# Cells of the grid.
SPACE = 100
COIN = 1
WALL_MID = 15
WALL_TOP = 16
LAVA_MID = 17
LAVA_TOP = 18
ENEMY_BARRIER = 19
CELLS = (SPACE, COIN, WALL_MID, WALL_TOP, LAVA_MID, LAVA_TOP, ENEMY_BARRIER)

# Types of entities.
PLAYER = 0
SAW = 2
ENEMY = 5
CRATE = 20
TRAIL = 59

NUM_PLAYER_THEMES = 5
NUM_GROUND_THEMES = 6
NUM_ENEMY_THEMES = 9
NUM_CRATE_THEMES = 4
NUM_BACKGROUNDS = 62

# Five sections with a pit of seven enemies each: no level has more.
MAX_ENEMIES = 35
# Steps for which a trail is seen: it is erased when it has lived for more than 8.
TRAIL_AGES = 9

PLAYER_RADIUS_X = 0.5
PLAYER_RADIUS_Y = 0.5787
# Tiles per step: the fastest that the agent runs, and that it jumps or falls.
MAX_SPEED = 0.5
MAX_JUMP = 1.5
TIME_LIMIT = 1000
COIN_REWARD = 10.0
