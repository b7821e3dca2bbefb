"""The state of one CoinRun game on the device, as arrays of fixed shape."""

from typing import NamedTuple

from jaxtyping import Array, Bool, Float32, Int32, UInt8, UInt32


class MersenneTwister(NamedTuple):
    """State of an mt19937, one word ahead of which is renewed at each draw.

    Attributes:
      words: those before `position` belong to the next round of 624, the others to this one.
      position: the word that the next draw reads and renews, 0 to 623.
    """

    words: UInt32[Array, " 624"]
    position: Int32[Array, ""]


class Player(NamedTuple):
    """The agent.

    Attributes:
      x, y: centre, tiles.
      vx, vy: velocity, tiles per step.
      last_y: y at the end of the step before.
      action_vx: the last action's direction, -1 (left), 0 or 1.
      theme: one of five colours.
      faces_left: whether it is drawn mirrored.
      has_support: whether something carried it when the last action was taken.
      is_on_crate: whether the last step ended on a crate.
    """

    x: Float32[Array, ""]
    y: Float32[Array, ""]
    vx: Float32[Array, ""]
    vy: Float32[Array, ""]
    last_y: Float32[Array, ""]
    action_vx: Int32[Array, ""]
    theme: Int32[Array, ""]
    faces_left: Bool[Array, ""]
    has_support: Bool[Array, ""]
    is_on_crate: Bool[Array, ""]


class Enemies(NamedTuple):
    """Enemies in the order in which they were made; slots without one are anywhere.

    Attributes:
      x, y: centre, tiles.
      vx: horizontal velocity, tiles per step; an enemy never moves vertically.
      theme: one of nine animals.
      exists: whether the slot holds an enemy.
    """

    x: Float32[Array, " enemy"]
    y: Float32[Array, " enemy"]
    vx: Float32[Array, " enemy"]
    theme: UInt8[Array, " enemy"]
    exists: Bool[Array, " enemy"]


class Trails(NamedTuple):
    """What each enemy left behind at each of the last steps.

    Row `age` holds the trails that have moved `age` times: row 0 those dropped at the last step.

    Attributes:
      x, y: centre, tiles.
      exists: whether the slot holds a trail.
    """

    x: Float32[Array, "age enemy"]
    y: Float32[Array, "age enemy"]
    exists: Bool[Array, "age enemy"]


class Scenery(NamedTuple):
    """What is only seen.

    Attributes:
      ground_theme: one of six materials of the walls.
      background: index into the list of background pictures.
      background_shift: where the level lies in its background, from 0 to 1.
    """

    ground_theme: Int32[Array, ""]
    background: Int32[Array, ""]
    background_shift: Float32[Array, ""]


class Visible(NamedTuple):
    """Whether each kind of entity is drawn; what is not drawn acts all the same."""

    agent: Bool[Array, ""]
    saw: Bool[Array, ""]
    enemy: Bool[Array, ""]
    crate: Bool[Array, ""]
    trail: Bool[Array, ""]


class LevelSet(NamedTuple):
    """The levels that episodes draw from: seeds `low` to `high` - 1."""

    low: Int32[Array, ""]
    high: Int32[Array, ""]


class Level(NamedTuple):
    """A level as the generator makes it, and the generator as it leaves it.

    Attributes:
      seed: its level seed.
      grid: Procgen's cells, row 0 at the bottom; see `constants`.
      sprites: entities that never move, by cell. Bit 0: a saw. Bits 1-3: a crate of the first
        layer, 1 + its theme, or 0. Bits 4-6: the same for the second layer. It holds piles that
        were made (and are drawn, and met) later than another in their column or next to it.
      enemies: at the start of the episode.
      player_theme: one of five colours.
      scenery: what is only seen.
      rng: the generator after the level's own draws; each step draws from it once more.
    """

    seed: Int32[Array, ""]
    grid: UInt8[Array, "64 64"]
    sprites: UInt8[Array, "64 64"]
    enemies: Enemies
    player_theme: Int32[Array, ""]
    scenery: Scenery
    rng: MersenneTwister


class State(NamedTuple):
    """One game between two steps.

    Attributes:
      grid, sprites: as in `Level`.
      player, enemies, trails, scenery: what moves, and what is only seen.
      visible: which kinds of entity are drawn; a new episode goes by the config.
      time: steps of this episode.
      level_seed: of the level being played.
      prev_level_seed: of the episode before; 0 in the first.
      level_set: what the next level seeds are drawn from.
      level_rng: draws them.
      step_rng: the level's generator, drawn from once a step to break ties between axes.
    """

    grid: UInt8[Array, "64 64"]
    sprites: UInt8[Array, "64 64"]
    player: Player
    enemies: Enemies
    trails: Trails
    scenery: Scenery
    visible: Visible
    time: Int32[Array, ""]
    level_seed: Int32[Array, ""]
    prev_level_seed: Int32[Array, ""]
    level_set: LevelSet
    level_rng: MersenneTwister
    step_rng: MersenneTwister
