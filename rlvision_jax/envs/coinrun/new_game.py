"""From a level to the game that opens it."""

from collections.abc import Collection

import jax.numpy as jnp
from jaxtyping import Array, Int32

from rlvision_jax.envs.coinrun.constants import (
    MAX_ENEMIES,
    PLAYER_RADIUS_X,
    PLAYER_RADIUS_Y,
    TRAIL_AGES,
)
from rlvision_jax.envs.coinrun.types import (
    Level,
    LevelSet,
    MersenneTwister,
    Player,
    State,
    Trails,
    Visible,
)


def new_game(
    level: Level,
    *,
    level_seed: Int32[Array, ""],
    prev_level_seed: Int32[Array, ""],
    level_set: LevelSet,
    level_rng: MersenneTwister,
    invisible: Collection[str] = (),
) -> State:
    """The state in which a level is first seen.

    Args:
      level: as `generate_level` makes it.
      level_seed: its seed.
      prev_level_seed: of the level before it; 0 for none.
      level_set: what later levels are drawn from.
      level_rng: draws them.
      invisible: kinds of object that are not drawn. Static.
    """
    no, zero = jnp.bool_(False), jnp.float32(0)
    y = jnp.float32(1) + jnp.float32(PLAYER_RADIUS_Y)
    trails = jnp.zeros((TRAIL_AGES, MAX_ENEMIES), jnp.float32)
    return State(
        grid=level.grid,
        sprites=level.sprites,
        player=Player(
            x=jnp.float32(1 + PLAYER_RADIUS_X),
            y=y,
            vx=zero,
            vy=zero,
            last_y=y,
            action_vx=jnp.int32(0),
            theme=level.player_theme,
            faces_left=no,
            has_support=no,
            is_on_crate=no,
        ),
        enemies=level.enemies,
        trails=Trails(trails, trails, jnp.zeros_like(trails, jnp.bool_)),
        scenery=level.scenery,
        visible=Visible(*(jnp.bool_(kind not in invisible) for kind in Visible._fields)),
        time=jnp.int32(0),
        level_seed=level_seed,
        prev_level_seed=prev_level_seed,
        level_set=level_set,
        level_rng=level_rng,
        step_rng=level.rng,
    )
