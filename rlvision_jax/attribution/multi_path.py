"""Integrated gradients averaged over many paths through the features of a layer.

A straight line brings all features of a layer in together. These paths bring one half of them in
before the other half, so that interactions between features are credited both ways.

Source: lucid.scratch.rl_util.attribution, get_paths and get_multi_path_attr.
"""

import itertools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from rlvision_jax._checks import check_at_least
from rlvision_jax._loops import Row, sum_over_rows
from rlvision_jax.attribution.integrated_gradients import check_scalar
from rlvision_jax.factorization import NMF

# More halves than this are not written out one by one.
_MOST_LISTED = 20_000


def multi_path(
    score_fn: Callable[[Float[Array, "*shape channel"]], Float[Array, ""]],
    activation: Float[Array | np.ndarray, "*shape channel"],
    components: Float[Array | np.ndarray, "feature channel"],
    *,
    num_steps: int,
    max_paths: int | None = None,
    key: Array | None = None,
    unroll: bool | None = None,
) -> Float[Array, "*shape channel"]:
    """Attributes a score to one activation, averaged over paths from zeros to it.

    The activation is taken apart into features (non-negative, by `NMF.transform`) and what they
    leave. On each path one half of the features comes in early (coordinate 1 - (1 - t)^2) and the
    other late (t^2), while the rest follows the straight line (t). The gradient is taken at
    the end of each step, as by the rule "right", and multiplied by the step. Differentiated, how
    much there is of each feature counts as fixed.

    Args:
      score_fn: continues the network from the attributed layer to one scalar. Any JAX function.
      activation: output of the layer for one frame.
      components: feature directions, at least 0, such as `NMF.components`; two or more.
      num_steps: steps of each path, at least 1. Static.
      max_paths: how many paths to draw at random; None: all of them, every half of the features
        (rounded down) with its complement. Static.
      key: consumed; needed if `max_paths` is given.
      unroll: take ten steps side by side, by `jax.vmap` (True), or scan them (False); None chooses
        by platform. Static.

    Returns:
      Signed attribution per entry of the activation, in units of the score.

    Raises:
      ValueError: if `num_steps` or `max_paths` is below 1, there are fewer than two features or
        too many to take all paths, a key is missing or idle, or the score is not one number.

    Example:
      >>> activation = jnp.asarray([[[1.0, 2.0]]])
      >>> attribution = multi_path(
      ...     lambda a: jnp.sum(a[..., 0] * 3.0 + a[..., 1]), activation, jnp.eye(2), num_steps=2)
      >>> print(attribution)
      [[[3. 2.]]]
    """
    check_at_least("num_steps", num_steps, 1)
    halves = early_halves(len(components), max_paths, key)
    activation = jnp.asarray(activation)
    check_scalar(score_fn, activation)
    nmf = NMF(
        components=jnp.asarray(components, activation.dtype),
        reconstruction_error=jnp.zeros(()),
        num_iterations=jnp.zeros((), int),
    )
    features = nmf.transform(jax.lax.stop_gradient(activation))
    rest = activation - nmf.inverse_transform(features)
    gradient = jax.grad(score_fn)

    def along(early: Bool[Array, " feature"]) -> Float[Array, "*shape channel"]:
        def point(place: Array) -> Float[Array, "*shape channel"]:
            coordinates = jnp.where(early, 1 - (1 - place) ** 2, place**2)
            scaled = features * jnp.broadcast_to(coordinates, features.shape)
            return nmf.inverse_transform(scaled) + place * rest

        def step(row: Row) -> Float[Array, "*shape channel"]:
            end = point(row[1])
            return (end - point(row[0])) * gradient(end)

        ends = np.linspace(0.0, 1.0, num_steps + 1, dtype=activation.dtype)
        rows = np.stack([ends[:-1], ends[1:]], 1)
        return sum_over_rows(step, rows, unroll=unroll)

    return jnp.mean(jax.vmap(along)(halves), 0)


def early_halves(
    num_features: int, max_paths: int | None, key: Array | None
) -> Bool[Array, "path feature"]:
    """Which features come in early on each path.

    Args:
      num_features: number of features, at least 2.
      max_paths: number of paths; None: all.
      key: consumed; draws the paths if `max_paths` is given.

    Raises:
      ValueError: as `multi_path`.

    Example:
      >>> print(early_halves(3, None, None).astype(int))
      [[0 1 1]
       [1 0 0]
       [1 0 1]
       [0 1 0]
       [1 1 0]
       [0 0 1]]
    """
    check_at_least("number of features", num_features, 2)
    if (max_paths is None) != (key is None):
        raise ValueError(
            "max_paths and key go together: both to draw paths at random, neither to take all; "
            f"got max_paths = {max_paths} and {'no key' if key is None else 'a key'}"
        )
    if max_paths is None:
        return _with_complements(jnp.asarray(_all_halves(num_features)))
    check_at_least("max_paths", max_paths, 1)
    return _drawn_halves(num_features, max_paths, key)


def _num_halves(num_features: int) -> int:
    """Different halves, those that are each other's complement counted once."""
    halves = math.comb(num_features, num_features // 2)
    return halves // 2 if num_features % 2 == 0 else halves


def _all_halves(num_features: int) -> Bool[np.ndarray, "half feature"]:
    if _num_halves(num_features) > _MOST_LISTED:
        raise ValueError(
            f"{num_features} features have {2 * _num_halves(num_features)} paths, too many to take "
            "all; draw some with max_paths and key"
        )
    halves = itertools.combinations(range(num_features), num_features // 2)
    if num_features % 2 == 0:
        halves = (half for half in halves if 0 in half)
    # The features of a half come in late, and on the complementary path early.
    return np.asarray([np.isin(np.arange(num_features), half, invert=True) for half in halves])


def _with_complements(halves: Bool[Array, "half feature"]) -> Bool[Array, "path feature"]:
    return jnp.stack([halves, ~halves], 1).reshape(-1, halves.shape[1])


def _drawn_halves(
    num_features: int, max_paths: int, key: Array | None
) -> Bool[Array, "path feature"]:
    """Pairs of complementary paths, of different halves where they can be listed."""
    assert key is not None
    draw_key, side_key = jax.random.split(key)
    num_pairs = min(-(-max_paths // 2), _num_halves(num_features))
    if _num_halves(num_features) <= _MOST_LISTED:
        halves = jnp.asarray(_all_halves(num_features))
        halves = jax.random.choice(draw_key, halves, (num_pairs,), replace=False)
    else:
        orders = jax.vmap(lambda key: jax.random.permutation(key, num_features))(
            jax.random.split(draw_key, num_pairs)
        )
        halves = orders >= num_features // 2
    paths = _with_complements(halves)
    if 2 * num_pairs <= max_paths:
        return paths
    # An odd number: of the last pair one at random.
    last = paths[-2:][jax.random.randint(side_key, (), 0, 2)]
    return jnp.concatenate([paths[:-2], last[None]])
