"""Which pixels a position of a layer sees: receptive fields, measured.

A row (column) of pixels belongs to the field of a layer's row (column) if other pixels there change
the layer there. That needs nothing but the policy, so it holds for own agents too.
"""

import dataclasses
import functools

import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy
from rlvision_jax.models.winograd import plain_sums

# Frames of noise: what a nonlinearity cuts off in one shows in another.
_NUM_FRAMES = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReceptiveField:
    """What each position of a layer sees: the rectangle of its row's and its column's pixels.

    Attributes:
      rows: first pixel row, and the one behind the last, of each row of the layer.
      columns: the same of each column.
      height, width: of the frame.
    """

    rows: Int[np.ndarray, "row 2"]
    columns: Int[np.ndarray, "column 2"]
    height: int
    width: int

    @property
    def row_centres(self) -> Float[np.ndarray, " row"]:
        """Centre of each row's field, in pixels from the upper edge; see `centres`."""
        return centres(self.rows, self.height)

    @property
    def column_centres(self) -> Float[np.ndarray, " column"]:
        """Centre of each column's field, in pixels from the left edge; see `centres`."""
        return centres(self.columns, self.width)


def receptive_fields(policy: VisionPolicy, params: Params) -> dict[str, ReceptiveField]:
    """Measures the receptive fields of all layers of a policy.

    Exact unless the policy ignores pixels that it could see: a frame of noise gets other noise in
    one row (column), and the rows (columns) of the layer that change at all are noted. Computed
    on the CPU, where plain sums add up the same products in the same order.

    Args:
      policy: any, of frames of at least 2 x 2 pixels.
      params: its parameters.

    Returns:
      The field of each of `policy.layer_names`.

    Raises:
      ValueError: if a layer's row or column depends on no pixel.
    """
    rng = np.random.default_rng(0)
    height, width, _ = policy.observation_shape
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in policy.layer_names}
    cpu = jax.local_devices(backend="cpu")[0]
    with jax.default_device(cpu), plain_sums():
        params = jax.device_put(params, cpu)
        for _ in range(_NUM_FRAMES):
            frame, noise = rng.integers(0, 256, (2, *policy.observation_shape), np.uint8)
            layers = jax.device_get(_layers(policy, params, _variants(frame, noise)))
            for layer, activation in layers.items():
                found[layer].append(activation[1:] != activation[:1])
    fields = {}
    for layer, changes in found.items():
        changed = np.any(changes, axis=(0, -1))  # [variant, row, column]
        fields[layer] = ReceptiveField(
            rows=_extents(changed[:height].any(2), layer),
            columns=_extents(changed[height:].any(1), layer),
            height=height,
            width=width,
        )
    return fields


def centres(
    extents: Int[np.ndarray, "position 2"], num_pixels: int
) -> Float[np.ndarray, " position"]:
    """Centres of fields that the frame's edge may cut, as if it went on.

    Uncut fields lie at equal distances, which tells where the cut ones would begin and end. Where
    all are cut, a position's centre is that of its even share of the frame.

    Args:
      extents: first pixel, and the one behind the last, along one axis.
      num_pixels: of the frame along this axis.

    Returns:
      Distance from the frame's edge, pixels.

    Example:
      >>> centres(np.array([[0, 3], [0, 5], [2, 7], [4, 8]]), 8)
      array([0.5, 2.5, 4.5, 6.5])
    """
    index = np.arange(len(extents))
    ends = [extents[:, 0], extents[:, 1]]
    uncut = [np.flatnonzero(ends[0] > 0), np.flatnonzero(ends[1] < num_pixels)]
    longest = max(uncut, key=len)
    if min(map(len, uncut)) == 0 or len(longest) < 2:
        return (index + 0.5) * num_pixels / len(extents)
    side = ends[0] if longest is uncut[0] else ends[1]
    stride = (side[longest[-1]] - side[longest[0]]) / (longest[-1] - longest[0])
    begin, end = (end[known[0]] - stride * known[0] for end, known in zip(ends, uncut, strict=True))
    return (begin + end) / 2 + stride * index


@functools.partial(jax.jit, static_argnames="policy")
def _layers(
    policy: VisionPolicy,
    params: Params,
    frames: UInt8[Array | np.ndarray, "frame height width channel"],
) -> dict[str, Float[Array, "frame h w c"]]:
    return {layer: policy.activations(params, frames, layer) for layer in policy.layer_names}


def _variants(
    frame: UInt8[np.ndarray, "height width channel"],
    noise: UInt8[np.ndarray, "height width channel"],
) -> UInt8[np.ndarray, "variant height width channel"]:
    """The frame, then with each of its rows replaced by noise, then with each of its columns."""
    height, width, _ = frame.shape
    variants = np.repeat(frame[None], 1 + height + width, 0)
    rows, columns = np.arange(height), np.arange(width)
    variants[1 + rows, rows] = noise
    variants[1 + height + columns, :, columns] = noise.transpose(1, 0, 2)
    return variants


def _extents(
    changed: Bool[np.ndarray, "pixel position"], layer: str
) -> Int[np.ndarray, "position 2"]:
    if not changed.any(0).all():
        raise ValueError(
            f'layer "{layer}" has positions that no pixel changes; are its weights zero?'
        )
    return np.stack([changed.argmax(0), len(changed) - changed[::-1].argmax(0)], -1)
