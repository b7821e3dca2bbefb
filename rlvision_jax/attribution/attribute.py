"""Attribution of a policy's outputs to one of its layers, for many frames.

Host module: takes and returns NumPy arrays, in chunks of one size so that XLA compiles once.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.attribution.integrated_gradients import integrated_gradients, path_gradient
from rlvision_jax.attribution.quadrature import nodes_and_weights
from rlvision_jax.attribution.scores import Score, checked_score, score_function
from rlvision_jax.models import VisionPolicy, check_layer, check_observations

# Frames per chunk. On CPU the activations of a chunk should stay near the caches; an
# accelerator wants enough work per kernel.
_BATCH_SIZES = {"cpu": 32}
_ACCELERATOR_BATCH_SIZE = 512


def attribute(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str | None,
    score: Score,
    *,
    num_steps: int = 10,
    rule: str = "right",
    batch_size: int | None = None,
) -> Float[np.ndarray, "frame h w c"]:
    """Attributes a policy's value or logits to a layer, for any number of frames.

    Integrated gradients from a silent layer (zeros) to its activation. A frame's result does not
    depend on the other frames or on `batch_size`, up to rounding.

    Args:
      policy: what computes the score.
      params: its parameters.
      observations: frames, 0-255.
      layer: one of `policy.layer_names`; None: the gradient at the pixels (below).
      score: "value", an action (its logit), or a tuple of actions (the sum of their logits).
      num_steps: evaluations on the path, at least 1.
      rule: "right" (the paper's), "midpoint" or "gauss_legendre".
      batch_size: frames per compiled call; None: a size that suits the platform. More frames
        need more memory.

    Returns:
      Signed attribution per position and channel, float32, in units of the score. With
      `layer=None` the gradient with respect to the pixels in [0, 1] (of a policy of your own: as
      it preprocesses them), not multiplied by them: at
      the frame itself for one step of the right rule, else averaged from black to the frame.

    Raises:
      ValueError: if the layer, score or rule is unknown, `num_steps` or `batch_size` is below 1,
        there is no frame, or the observations are not uint8 frames of the policy's shape.

    Source: lucid.scratch.rl_util.attribution, get_attr and (at the pixels) get_grad.
    """
    score = checked_score(score, policy.num_actions)
    nodes_and_weights(rule, num_steps)
    if layer is not None:
        check_layer(policy, layer)
    check_observations(policy, observations)
    if batch_size is None:
        batch_size = _BATCH_SIZES.get(jax.default_backend(), _ACCELERATOR_BATCH_SIZE)
    check_at_least("batch_size", batch_size, 1)
    num_frames = len(observations)
    if num_frames == 0:
        raise ValueError("observations must hold at least one frame; got none")

    size = min(batch_size, num_frames)
    result = None
    for start in range(0, num_frames, size):
        chunk = observations[start : start + size]
        missing = size - len(chunk)
        if missing:
            chunk = np.concatenate([chunk, np.zeros((missing, *chunk.shape[1:]), np.uint8)])
        attribution = attribute_chunk(
            policy, params, jnp.asarray(chunk), layer, score, num_steps=num_steps, rule=rule
        )
        if result is None:
            result = np.empty((num_frames, *attribution.shape[1:]), np.float32)
        result[start : start + size] = attribution[: size - missing]
    assert result is not None
    return result


@functools.partial(
    jax.jit, static_argnames=("policy", "layer", "score", "num_steps", "rule", "unroll")
)
def attribute_chunk(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array, "frame height width channel"],
    layer: str | None,
    score: Score,
    *,
    num_steps: int,
    rule: str,
    unroll: bool | None = None,
) -> Float[Array, "frame h w c"]:
    """One chunk of `attribute`, on the device."""
    score_fn = score_function(policy, params, layer, score)
    method = path_gradient if layer is None else integrated_gradients

    def one_frame(activation: Float[Array, "h w c"]) -> Float[Array, "h w c"]:
        baseline = jnp.zeros_like(activation)
        return method(score_fn, activation, baseline, num_steps=num_steps, rule=rule, unroll=unroll)

    return jax.vmap(one_frame)(policy.activations(params, observations, layer))
