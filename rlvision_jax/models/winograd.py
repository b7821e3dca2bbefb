"""Convolution with fewer products, by Winograd's minimal filtering along the rows.

Four rows of the result follow from size + 3 rows of the image. Both the image's rows and the
kernel's, taken as coefficients of polynomials, are evaluated at size + 3 points, multiplied there,
and the result is interpolated: a kernel of 5 rows takes 2 products a row where the sum itself takes
5, one of 3 rows 1.5. At each point, what is left is a convolution along the columns.

Source: Winograd 1980; Lavin and Gray 2016, https://arxiv.org/abs/1509.09308, in one dimension.
Points after Barabasz et al. 2020, https://arxiv.org/abs/1803.10986: small ones, with their
negatives and reciprocals, keep float32's rounding small.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

_ROWS = 4  # of the result, computed together
_POINTS = (0, 1, -1, 2, -0.5, -2, 0.5)  # as many of them as are needed, and infinity

_in_use = contextvars.ContextVar("_in_use", default=True)


@contextlib.contextmanager
def plain_sums() -> Iterator[None]:
    """Programs that are traced meanwhile leave this method alone.

    It takes rows together, so that a pixel outside a row's receptive field changes it by rounding.
    In plain sums such a pixel changes nothing.
    """
    token = _in_use.set(False)
    try:
        yield
    finally:
        _in_use.reset(token)


def is_in_use() -> bool:
    """Whether convolutions may be computed by this method, here and now."""
    return _in_use.get()


def winograd_convolution(
    x: Float[Array, "batch height width channel"], kernel: Float[Array, "k l channel out"]
) -> Float[Array, "batch height width out"]:
    """Convolution with SAME padding by a kernel of odd size, at most 5 rows."""
    size, columns, channels, features = kernel.shape
    batch, height, width, _ = x.shape
    half, tiles = size // 2, -(-height // _ROWS)
    interpolate, evaluate_kernel, evaluate = transforms(size)

    # Rows whole, so that XLA sees long contiguous loops; split, whose transpose puts them together.
    x = x.reshape(batch, height, width * channels)
    x = jnp.pad(x, ((0, 0), (half, (tiles + 1) * _ROWS - height - half), (0, 0)))
    x = x.reshape(batch, tiles + 1, _ROWS * width * channels)
    parts = [jax.lax.split(part, (width * channels,) * _ROWS, 2) for part in (x[:, :-1], x[:, 1:])]
    rows = [*parts[0], *parts[1]][: len(evaluate)]
    kernels = jnp.tensordot(jnp.asarray(evaluate_kernel, kernel.dtype), kernel, 1)
    products = []
    for weights, at_point in zip(evaluate, kernels, strict=True):
        image = _combination(weights, rows).reshape(batch, tiles, width, channels)
        product = jax.lax.conv_general_dilated(
            image,
            at_point[None],
            (1, 1),
            ((0, 0), (columns // 2, columns // 2)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )
        products.append(product.reshape(batch, tiles, 1, width * features))
    results = [_combination(weights, products) for weights in interpolate]
    y = jnp.concatenate(results, 2).reshape(batch, tiles * _ROWS, width, features)
    return y[:, :height]


@functools.cache
def transforms(
    size: int,
) -> tuple[
    Float[np.ndarray, "row point"],
    Float[np.ndarray, "point size"],
    Float[np.ndarray, "point image_row"],
]:
    """What makes rows of the result of products, points of the kernel's rows, and of the image's.

    Example:
      >>> to_rows, of_kernel, of_image = transforms(3)
      >>> image, kernel = np.arange(6.0), np.asarray([1.0, 0.0, 2.0])
      >>> print(to_rows @ ((of_kernel @ kernel) * (of_image @ image)))
      [ 4.  7. 10. 13.]
    """
    points = np.asarray(_POINTS[: _ROWS + size - 2])
    # Interpolation by Lagrange, transposed: from polynomials' values to coefficients and back.
    others = [np.delete(points, index) for index in range(len(points))]
    basis = [np.append(np.poly(other)[::-1], 0) for other in others]
    scales = np.asarray([np.prod(p - other) for p, other in zip(points, others, strict=True)])
    of_image = np.stack([*basis, np.poly(points)[::-1]])
    of_kernel = np.concatenate([_powers(points, size) / scales[:, None], np.eye(size)[-1:]])
    to_rows = np.concatenate([_powers(points, _ROWS), np.eye(_ROWS)[-1:]]).T
    return to_rows, of_kernel, of_image


def _powers(points: Float[np.ndarray, " point"], count: int) -> Float[np.ndarray, "point power"]:
    return points[:, None] ** np.arange(count)


def _combination(weights: Float[np.ndarray, " term"], terms: Sequence[Array]) -> Array:
    """Weighted sum, without the terms that have no weight."""
    used = [(weight, term) for weight, term in zip(weights, terms, strict=True) if weight]
    return functools.reduce(jnp.add, [float(weight) * term for weight, term in used])
