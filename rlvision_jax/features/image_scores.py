"""From an image in [0, 1] through a policy to an objective.

Policies take frames of 0-255, which have no gradient; here their networks are entered at the
pixels.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.features.objectives import Objective, Reached
from rlvision_jax.models import SplitPolicy, VisionPolicy


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class PixelRange:
    """How the first layer of a policy takes frames.

    Attributes:
      low: what it takes for 0.
      high: what it takes for 255.
    """

    low: Float[Array, "height width channel"]
    high: Float[Array, "height width channel"]


def pixel_range(policy: VisionPolicy, params: Params) -> PixelRange:
    """Finds how a policy scales pixels, by showing it black, white and random frames.

    Raises:
      ValueError: if it does more than scale and shift every pixel for itself, so that there is no
        telling what an image between two grey levels becomes.
    """
    shape = policy.observation_shape
    frames = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    frames[0], frames[1] = 0, 255
    low, high, random = policy.activations(params, frames, None).astype(jnp.float32)
    # Relative to the largest: a few roundings of what the first layer is computed in.
    tolerance = 4 * float(jnp.finfo(policy.activations(params, frames[:1], None).dtype).eps)
    if low.shape == shape:
        expected = low + (high - low) * (frames[2] / np.float32(255))
        largest = jnp.maximum(jnp.abs(low), jnp.abs(high)).max()
        if jnp.abs(random - expected).max() <= tolerance * largest:
            return PixelRange(low=low, high=high)
    raise ValueError(
        f'model "{policy.name}" must take pixels scaled and shifted, each for itself, to be shown '
        f"images that are optimised; got another map of {list(shape)} to {list(low.shape)} before "
        "the first layer: make the rest of it part of the first layer"
    )


def score_image(
    policy: VisionPolicy,
    params: Params,
    objective: Objective,
    image: Float[Array | np.ndarray, "height width channel"],
    scale: PixelRange,
) -> Float[Array, ""]:
    """The number that an objective makes of one image.

    Args:
      policy: what sees the image.
      params: its parameters.
      objective: that fits the policy (`objective.check`).
      image: in [0, 1].
      scale: of `pixel_range`.
    """
    activation = scale.low + (scale.high - scale.low) * jnp.asarray(image, jnp.float32)
    activations: dict[str | None, Array] = {None: activation}
    start = None
    if isinstance(policy, SplitPolicy):
        for layer in policy.layer_names:  # on the way, each from the one before
            if layer in objective.layers:
                read = policy.read(params, activation[None], start)
                activation = policy.resume(params, read, start, layer)[0]
                activations[layer], start = activation, layer
    if not objective.asks_outputs:
        return objective(Reached(activations=activations))
    logits, value = policy.head(params, activation[None], start)
    return objective(Reached(activations=activations, logits=logits[0], value=value[0]))
