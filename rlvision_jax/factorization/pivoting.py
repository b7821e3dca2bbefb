"""Non-negative least squares of one row by principal pivoting: exact, however alike directions are.

Features enter and leave the solution one by one, the most wrong first, while the inverse of the
products of those inside is kept up to date. Coordinate descent costs less where directions differ.

Source: Murty 1974, Opsearch 11 (a note on a Bard-type scheme), whose order ends for certain in
exact arithmetic; to begin with a faster order is the idea of Portugal, Júdice and Vicente 1994,
Mathematics of Computation 63.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from rlvision_jax.factorization.blocks import matmul

# A gradient below this many roundings of the largest at zero is none.
_NOISE = 8
# A direction whose sine with the span of those inside, squared, is below this many roundings (an
# angle of 0.08 degrees) cannot be told from them: the products are no more exact.
_PARALLEL = 16
# Exchanges per feature after which the first wrong feature is taken instead of the most wrong, and
# after which the search is given up. Seldom are there more than two.
_CAREFUL = 4
_MOST = 16


class _Pivoting(NamedTuple):
    exchanges: Int[Array, ""]
    table: Float[Array, "feature feature"]  # products, swept over the features inside
    diagonal: Float[Array, " feature"]  # of the table; kept apart as reading it there is slow
    b: Float[Array, " feature"]  # solution of those inside, minus the gradient of the others
    inside: Bool[Array, " feature"]
    wrong: Float[Array, " feature"]  # how far a feature is from its optimality condition


def pivot_row(
    x: Float[Array, " channel"], directions: Float[Array, "feature channel"]
) -> Float[Array, " feature"]:
    """Non-negative w with the smallest |x - w directions|.

    Args:
      x: row to be explained, of any sign.
      directions: of length 1, or 0, which are not used.

    Returns:
      w, exact up to rounding: of the row's own residual, not of the products of directions.
    """
    gram = matmul(directions, directions.T)
    projection = matmul(directions, x[:, None])[:, 0]
    eps = jnp.finfo(gram.dtype).eps
    num_features = len(gram)
    numbers = jnp.arange(num_features)
    noise = _NOISE * eps * jnp.max(jnp.abs(projection))

    def judge(diagonal: Array, b: Array, inside: Array) -> Array:
        enters = (b > noise) & (diagonal > _PARALLEL * eps)
        return jnp.where(inside, jnp.maximum(-b, 0), jnp.where(enters, b, 0))

    def exchange(state: _Pivoting) -> _Pivoting:
        exchanges, table, diagonal, b, inside, wrong = state
        careful = exchanges >= _CAREFUL * num_features
        chosen = jnp.argmax(jnp.where(careful, jnp.sign(wrong), wrong))
        # The sweep operator as an update of rank one: for that, the diagonal of those inside is
        # kept 2 larger than it is.
        sign = jnp.where(inside[chosen], -1, 1).astype(b.dtype)
        pivot = table[chosen, chosen] - (1 - sign)
        column = jnp.where(numbers == chosen, pivot - sign, table[chosen])
        step = column / pivot
        diagonal, b = diagonal - column * step, b - b[chosen] * step
        inside = inside ^ (numbers == chosen)
        return _Pivoting(
            exchanges=exchanges + 1,
            table=table - column[:, None] * step[None],
            diagonal=diagonal,
            b=b,
            inside=inside,
            wrong=judge(diagonal, b, inside),
        )

    def unfinished(state: _Pivoting) -> Array:
        return jnp.any(state.wrong > 0) & (state.exchanges < _MOST * num_features)

    diagonal, nothing = jnp.diagonal(gram), jnp.zeros(num_features, bool)
    wrong = judge(diagonal, projection, nothing)
    start = _Pivoting(jnp.int32(0), gram, diagonal, projection, nothing, wrong)
    end = jax.lax.while_loop(unfinished, exchange, start)

    # What rounding in the products and the table has done is made good from the row itself.
    w = jnp.where(end.inside, end.b, 0)
    left = x - matmul(w[None], directions)[0]
    gradient = jnp.where(end.inside, matmul(directions, left[:, None])[:, 0], 0)
    correction = 2 * gradient - jnp.sum(end.table * gradient[None], 1)
    return jnp.maximum(jnp.where(end.inside, w + correction, 0), 0)
