"""Factorization of a matrix that does not fit into memory, read block by block.

Host module. The same computation as `fit_nmf`, pass by pass: one to check and count the rows, two
for the start, and one for each refinement of H. Kept between passes are the subset of the samples
and sums of the size of H; each sample's W follows from H and is not kept. (Online NMF, Mairal et
al. 2010, would read the matrix once, but its answer depends on the order of the rows.)
"""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from rlvision_jax._checks import check_at_least
from rlvision_jax.factorization.blocks import matmul, spread_indices, sum_over_rows
from rlvision_jax.factorization.coordinate_descent import Descent
from rlvision_jax.factorization.nmf import NMF, SUBSET_SAMPLES, check_options, fit_rows
from rlvision_jax.factorization.nmf_init import DoubleSVD, part_squares, right_vectors
from rlvision_jax.factorization.nnls import Statistics, solve_block
from rlvision_jax.factorization.refinement import Refinement, refine
from rlvision_jax.factorization.solver import descend_from, power_of_two, prepare, start_factors

# Rows per compiled call: one shape, whatever the blocks are, so that XLA compiles once.
_CHUNK_ROWS = 2**16

Blocks = (
    Iterable[Float[Array | np.ndarray, "_ channel"]]
    | Callable[[], Iterable[Float[Array | np.ndarray, "_ channel"]]]
)


def fit_nmf_stream(
    blocks: Blocks,
    num_features: int,
    *,
    signed: bool = False,
    init: str = "nndsvd",
    key: PRNGKeyArray | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-4,
    subset_samples: int = SUBSET_SAMPLES,
) -> NMF:
    """Factorizes a matrix given as blocks of its rows, reading it several times.

    The answer is that of `fit_nmf` (`fit_signed` if `signed`) on the whole matrix, up to rounding.
    Memory does not grow with the number of rows.

    Args:
      blocks: what can be iterated over again and again, such as a list of memory-mapped arrays, or
        a function that starts another pass, such as one that returns a generator. Blocks may
        differ in their number of rows; every pass must give the same rows.
      num_features: number of feature directions, 1 to the number of channels.
      signed: whether entries may be negative; positive and negative parts are then samples of
        their own, as in `fit_signed`.
      init: starting factors, as in `fit_nmf`.
      key: for `init="random"`, and only then.
      max_iterations: upper limit, as in `fit_nmf`.
      tolerance: stopping rule of `fit_nmf`.
      subset_samples: samples that are kept in memory, as in `fit_nmf`.

    Raises:
      ValueError: as `fit_nmf`; also if `blocks` can be read only once, gives no row, or gives
        other rows in a later pass. A bad block is named by its number.

    Example:
      >>> halves = [np.asarray([[1.0, 0.0], [2.0, 0.0]]), np.asarray([[0.0, 3.0]])]
      >>> bool(fit_nmf_stream(halves, 2).reconstruction_error < 1e-5)
      True
    """
    if isinstance(blocks, Iterator):
        raise ValueError(
            "blocks can be read only once, and several passes are needed; "
            "pass a function that starts another pass, such as lambda: read_blocks(path)"
        )
    restart = blocks if callable(blocks) else lambda: blocks
    check_at_least("subset_samples", subset_samples, 1)
    num_rows, num_channels, largest = _survey(restart(), signed=signed)
    check_options((num_rows, num_channels), num_features, init, key, max_iterations, subset_samples)
    if signed and largest == 0:
        raise ValueError("blocks must not all be zero: no feature can be found")

    def chunks() -> Iterator[Float[np.ndarray, "row channel"]]:
        return _chunks(restart(), num_rows, num_channels)

    signs = 2 if signed else 1
    if num_rows * signs <= subset_samples:
        rows = np.concatenate([chunk.copy() for chunk in chunks()])[:num_rows]
        return fit_rows(
            jnp.asarray(rows),
            key,
            max_iterations,
            tolerance,
            num_features=num_features,
            init=init,
            signed=signed,
            subset_samples=subset_samples,
        )

    exponent = power_of_two(jnp.asarray(largest, float))
    places = spread_indices(num_rows, max(subset_samples // signs, 1))
    gram, entries, chosen = 0.0, 0.0, []
    for start, chunk in zip(range(0, num_rows, _CHUNK_ROWS), chunks(), strict=True):
        here = places[slice(*np.searchsorted(places, (start, start + _CHUNK_ROWS)))]
        chosen.append(chunk[here - start])
        chunk_gram, chunk_entries = jax.device_get(_moments(chunk, exponent, signed=signed))
        gram, entries = gram + chunk_gram.astype(float), entries + float(chunk_entries)
    right = right_vectors(jnp.asarray(gram, float), num_features)
    squares = _sum(_parts(chunk, exponent, right, signed=signed) for chunk in chunks())
    samples, descent = _descend(
        np.concatenate(chosen),
        DoubleSVD(right, squares),
        jnp.asarray(entries / (num_rows * signs * num_channels), float),
        exponent,
        key,
        max_iterations,
        tolerance,
        init=init,
        signed=signed,
    )
    state = Refinement.start(descent.w, descent.h)
    while state.unfinished(max_iterations):
        h = state.h
        seen = Statistics(*_sum(_see(chunk, exponent, h, signed=signed) for chunk in chunks()))
        share = len(places) / num_rows
        state = _refine(state, seen, samples, share, descent.limit)
    return NMF(
        components=jnp.ldexp(state.best_h, exponent),
        reconstruction_error=jnp.ldexp(jnp.sqrt(state.best.squares), 2 * exponent),
        num_iterations=descent.iterations + state.passes,
    )


def _survey(blocks: Iterable, *, signed: bool) -> tuple[int, int, float]:
    """Numbers of rows and channels and the largest magnitude, after checks of every block."""
    num_rows, num_channels, largest = 0, None, 0.0
    for index, block in enumerate(blocks):
        shape = tuple(np.shape(block))
        num_channels = shape[-1] if num_channels is None and len(shape) == 2 else num_channels
        if len(shape) != 2 or 0 in shape or shape[1] != num_channels:
            channels = "channel" if num_channels is None else num_channels
            raise ValueError(
                f"block {index} must be [sample, {channels}] with at least one sample; "
                f"got {list(shape)}"
            )
        low, high = float(np.min(block)), float(np.max(block))
        # Entries beyond float32 would become infinite on the device.
        most = np.finfo(np.float32).max
        if not (low >= (-most if signed else 0) and high <= most):
            wanted = "finite" if signed else "finite and at least 0"
            raise ValueError(f"block {index} must be {wanted}; got entries from {low} to {high}")
        num_rows += shape[0]
        largest = max(largest, high, -low)
    if num_channels is None:
        raise ValueError("blocks must give at least one block; got none")
    return num_rows, num_channels, largest


def _chunks(
    blocks: Iterable, num_rows: int, num_channels: int
) -> Iterator[Float[np.ndarray, "row channel"]]:
    """The same rows in chunks of one size, the last one filled up with zeros."""
    dtype = jnp.zeros((), float).dtype
    chunk = np.zeros((_CHUNK_ROWS, num_channels), dtype)
    filled = seen = 0
    for block in blocks:
        block = np.asarray(block)
        seen += len(block)
        while len(block):
            part = block[: _CHUNK_ROWS - filled]
            chunk[filled : filled + len(part)] = part
            filled, block = filled + len(part), block[len(part) :]
            if filled == _CHUNK_ROWS:
                yield chunk
                # A new array: what was yielded may still be in use by the device.
                chunk, filled = np.zeros_like(chunk), 0
    if seen != num_rows:
        raise ValueError(
            f"blocks must give the same rows in every pass; got {num_rows} rows, then {seen}"
        )
    if filled:
        yield chunk


def _sum(results: Iterable) -> Any:
    """Sums a pytree over chunks in float64; the result is in the precision of JAX."""
    total = None
    for result in results:
        here = jax.tree.map(lambda x: np.asarray(x, np.float64), result)
        total = here if total is None else jax.tree.map(np.add, total, here)
    return jax.tree.map(lambda x: jnp.asarray(x, float), total)


@functools.partial(jax.jit, static_argnames="signed")
def _moments(chunk: Array, exponent: Array, *, signed: bool) -> tuple[Array, Array]:
    return sum_over_rows(
        lambda x: (lambda p: (matmul(p.T, p), jnp.sum(p)))(prepare(x, exponent, signed=signed)),
        chunk,
    )


@functools.partial(jax.jit, static_argnames="signed")
def _parts(chunk: Array, exponent: Array, right: Array, *, signed: bool) -> Array:
    return sum_over_rows(lambda x: part_squares(right, prepare(x, exponent, signed=signed)), chunk)


@functools.partial(jax.jit, static_argnames="signed")
def _see(chunk: Array, exponent: Array, h: Array, *, signed: bool) -> Statistics:
    return sum_over_rows(lambda x: solve_block(prepare(x, exponent, signed=signed), h)[1], chunk)


@functools.partial(jax.jit, static_argnames=("init", "signed"))
def _descend(
    rows: Array,
    svd: DoubleSVD,
    mean: Array,
    exponent: Array,
    key: PRNGKeyArray | None,
    max_iterations: Array | int,
    tolerance: Array | float,
    *,
    init: str,
    signed: bool,
) -> tuple[Array, Descent]:
    rows = prepare(rows, exponent, signed=signed)
    w, h = start_factors(rows, svd, mean, exponent, key, init=init, signed=signed)
    return descend_from(
        rows, w, h, max_iterations=max_iterations, tolerance=tolerance, total=lambda x: x
    )


@jax.jit
def _refine(
    state: Refinement,
    seen: Statistics,
    samples: Array,
    share: Array | float,
    limit: Array,
) -> Refinement:
    return refine(
        state,
        seen,
        samples,
        share=share,
        limit=limit,
        total=lambda x: x,
    )
