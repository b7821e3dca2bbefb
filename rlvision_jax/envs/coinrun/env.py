"""CoinRun on the device: reset and step as pure functions, with Procgen's way of resetting."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int32, PRNGKeyArray, UInt32

from rlvision_jax.envs.actions import FORCE_RESET
from rlvision_jax.envs.base import TimeStep
from rlvision_jax.envs.coinrun import mersenne_twister
from rlvision_jax.envs.coinrun.assets import Assets
from rlvision_jax.envs.coinrun.config import CoinRunConfig
from rlvision_jax.envs.coinrun.level_generation import generate_level, next_level_seed
from rlvision_jax.envs.coinrun.new_game import new_game
from rlvision_jax.envs.coinrun.object_masks import object_masks
from rlvision_jax.envs.coinrun.physics import Outcome, advance
from rlvision_jax.envs.coinrun.rendering import render
from rlvision_jax.envs.coinrun.types import Level, LevelSet, MersenneTwister, State
from rlvision_jax.envs.procgen_config import ACTION_NAMES

_SEQUENTIAL_SEED_STEP = 997
# Of a batch of environments, new levels are made for one 64th at a time, until none waits.
_RESET_SHARES = 64


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("assets", "levels"), meta_fields=("config",)
)
@dataclasses.dataclass(frozen=True, eq=False)
class CoinRun:
    """CoinRun, identical to Procgen's in levels, physics, level seeds and frames.

    One object serves any number of games: `jax.vmap` its methods over keys, states and actions.
    It is a pytree whose leaves are the sprite atlas (over 100 MB) and the tabled levels. Hand it
    to a jitted function as an argument; closed over, the atlas becomes a constant of the program
    and slows its compilation. To shard the games over several devices, step them inside
    `jax.shard_map`, where each device resets its own.

    Attributes:
      config: the options.
      assets: what is drawn; see `load_assets`.
      levels: all levels of the config's level set in order, or None to generate each level when
        it is played.

    Source: openai/procgen 0.10.7; docs/coinrun.md tells how it was carried over.

    Example:
      >>> import rlvision_jax as rlv
      >>> env = rlv.envs.make("coinrun", num_levels=1, start_level=7, assets="small")
      >>> state, step = jax.jit(CoinRun.reset)(env, jax.random.key(0))
      >>> int(step.level_seed), step.observation.shape
      (7, (64, 64, 3))
      >>> state, step = jax.jit(CoinRun.step)(env, jax.random.key(1), state, jnp.int32(7))
      >>> bool(step.first)
      False
    """

    config: CoinRunConfig
    assets: Assets
    levels: Level | None

    @property
    def name(self) -> str:
        """The name that `rlvision_jax.envs.make` knows it by."""
        return "coinrun"

    @property
    def num_actions(self) -> int:
        """15; `ACTION_NAMES` says what they press."""
        return len(ACTION_NAMES)

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Height, width and channel of a frame."""
        return (64, 64, 3)

    @property
    def level_set(self) -> LevelSet:
        """The levels that the config names."""
        low, high = self.config.level_bounds
        return LevelSet(jnp.int32(low), jnp.int32(high))

    def reset(self, key: PRNGKeyArray, level_set: LevelSet | None = None) -> tuple[State, TimeStep]:
        """Starts a game.

        Args:
          key: consumed; decides the stream of level seeds.
          level_set: levels to draw from instead of the config's. Where the levels are tabled,
            they must be among the config's.
        """
        return self.start(jax.random.bits(key, dtype=jnp.uint32), level_set)

    def start(
        self, generator_seed: UInt32[Array, ""], level_set: LevelSet | None = None
    ) -> tuple[State, TimeStep]:
        """Starts a game as Procgen does.

        Args:
          generator_seed: of the generator that draws the level seeds;
            `mersenne_twister.env_seeds` tells Procgen's for each of its environments.
          level_set: as in `reset`.
        """
        level_set = self.level_set if level_set is None else level_set
        level_rng = mersenne_twister.seeded(generator_seed)
        seed, level_rng = next_level_seed(level_rng, level_set)
        state = self._begin(seed, jnp.int32(0), level_set, level_rng)
        return state, self._time_step(state, jnp.float32(0), jnp.bool_(True))

    def step(
        self, key: PRNGKeyArray, state: State, action: Int32[Array, ""]
    ) -> tuple[State, TimeStep]:
        """Takes one action; when the episode ends, the state returned opens the next.

        Args:
          key: not used: what is random in CoinRun is drawn by the generators in the state.
          state: of one game.
          action: index into `ACTION_NAMES`, or `FORCE_RESET`.
        """
        del key
        state, outcome = advance(state, action)
        state = _next_or_same(self, state, outcome)
        done = outcome.done
        if self.config.use_sequential_levels:
            done &= ~outcome.level_complete
        forced = done & (action == FORCE_RESET)
        step = self._time_step(state, outcome.reward, done)
        return state, step._replace(
            terminated=done & ~forced, truncated=forced, level_complete=outcome.level_complete
        )

    def observe(self, state: State) -> TimeStep:
        """The present moment again, such as after a state was edited; nothing has just ended."""
        return self._time_step(state, jnp.float32(0), state.time == 0)

    def object_masks(self, state: State) -> Bool[Array, "height width object"]:
        """The pixels of the frame in which each of `OBJECT_NAMES` is seen."""
        return object_masks(self.assets, self.config, state)

    def _time_step(self, state: State, reward: Array, first: Array) -> TimeStep:
        no = jnp.bool_(False)
        # Arrays of JAX, unbatched, in the place of NumPy's batches.
        moment: dict[str, Any] = {
            "observation": render(self.assets, self.config, state),
            "reward": reward,
            "terminated": no,
            "truncated": no,
            "first": first,
            "level_seed": state.level_seed,
            "prev_level_seed": state.prev_level_seed,
            "level_complete": no,
        }
        return TimeStep(**moment)

    def _next_episode(self, state: State, outcome: Outcome) -> State:
        """The state that opens the episode after the one that ended."""
        drawn, level_rng = next_level_seed(state.level_rng, state.level_set)
        seed = drawn
        if self.config.use_sequential_levels:
            follows = outcome.level_complete
            seed = jnp.where(follows, state.level_seed + _SEQUENTIAL_SEED_STEP, drawn)
            level_rng = jax.tree.map(
                lambda old, new: jnp.where(follows, old, new), state.level_rng, level_rng
            )
        return self._begin(seed, state.level_seed, state.level_set, level_rng)

    def _begin(
        self,
        seed: Int32[Array, ""],
        prev_seed: Int32[Array, ""],
        level_set: LevelSet,
        level_rng: MersenneTwister,
    ) -> State:
        return new_game(
            self._level(seed),
            level_seed=seed,
            prev_level_seed=prev_seed,
            level_set=level_set,
            level_rng=level_rng,
            invisible=self.config.invisible,
        )

    def _level(self, seed: Int32[Array, ""]) -> Level:
        if self.levels is None:
            return generate_level(seed, self.config)
        low, _ = self.config.level_bounds
        return jax.tree.map(lambda table: table[seed - low], self.levels)


@jax.custom_batching.custom_vmap
def _next_or_same(env: CoinRun, state: State, outcome: Outcome) -> State:
    """The state, or the next episode's where this one ended."""
    return jax.lax.cond(outcome.done, lambda: env._next_episode(state, outcome), lambda: state)


@_next_or_same.def_vmap
def _next_or_same_batched(
    axis_size: int, in_batched: list, env: CoinRun, state: State, outcome: Outcome
) -> tuple[State, State]:
    """Makes levels for the games that ended only, a share of the batch at a time.

    `jax.vmap` of the condition would make a level for every game at every step.
    """
    if any(jax.tree.leaves(in_batched[0])):
        raise ValueError("vmap over CoinRun environments is not supported; use in_axes=None")
    state, outcome = (
        jax.tree.map(
            lambda x, batched: x if batched else jnp.broadcast_to(x, (axis_size, *x.shape)),
            tree,
            batched,
        )
        for tree, batched in zip((state, outcome), in_batched[1:], strict=True)
    )
    share = max(1, axis_size // _RESET_SHARES)

    def replace_some(carry: tuple[State, Array]) -> tuple[State, Array]:
        state, waiting = carry
        # Beyond the last game that waits, the index is out of range: read anywhere, not written.
        (index,) = jnp.nonzero(waiting, size=share, fill_value=axis_size)
        ended = jax.tree.map(lambda x: x.at[index].get(mode="clip"), (state, outcome))
        begun = jax.vmap(env._next_episode)(*ended)
        state = jax.tree.map(lambda x, new: x.at[index].set(new, mode="drop"), state, begun)
        return state, waiting.at[index].set(False, mode="drop")

    state, _ = jax.lax.while_loop(
        lambda carry: jnp.any(carry[1]), replace_some, (state, outcome.done)
    )
    return state, jax.tree.map(lambda _: True, state)
