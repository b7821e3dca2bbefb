"""Features of which it is known how interpretable they are, to test the score on. (Host: NumPy.)"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, UInt8

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy
from rlvision_jax.studies.object_classes import CLASSES

RANDOM_DIRECTIONS = 8
"""How many random directions are planted."""

_CHUNK = 64


def planted_detectors(
    shares: Float[np.ndarray, "frame row column class"],
    *,
    classes: tuple[str, str] = ("saw", "crate"),
    seed: int = 0,
) -> dict[str, Float[np.ndarray, "frame row column"]]:
    """Strengths of features made from the ground truth.

    In each frame a detector is as strong as a random number from 0.5 to 1 where its class covers
    most of a position, and in proportion elsewhere.

    Args:
      shares: how much of each position the classes cover, from `class_shares`.
      classes: of the two exact detectors; the mixture answers to either.
      seed: of the random numbers.

    Returns:
      "exact CLASS" for both classes, "mixture", and "background", which detects that there is no
      object.
    """
    rng = np.random.default_rng(seed)

    def detector(name: str) -> Float[np.ndarray, "frame row column"]:
        share = shares[..., CLASSES.index(name)]
        largest = share.max((1, 2), keepdims=True)
        loudness = rng.uniform(0.5, 1.0, largest.shape)
        return loudness * np.divide(share, largest, out=np.zeros_like(share), where=largest > 0)

    first, second = map(detector, classes)
    return {
        f"exact {classes[0]}": first,
        f"exact {classes[1]}": second,
        "mixture": first + second,
        "background": detector("background"),
    }


def random_directions(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[np.ndarray, "frame height width channel"],
    layer: str,
    *,
    seed: int = 0,
) -> dict[str, Float32[np.ndarray, "frame row column"]]:
    """Strengths of random non-negative directions of a layer that has learned nothing.

    The layer is the policy's with the entries of each parameter array shuffled. (In the trained
    layer itself a random direction is no random feature: it has a share of all learned ones.)
    Channels are scaled to their mean.

    Args:
      policy: of any kind.
      params: its parameters.
      observations: frames, 0-255.
      layer: one of `policy.layer_names`.
      seed: of the shuffles and the directions.

    Returns:
      "random 1" to "random 8".
    """
    rng = np.random.default_rng(seed)
    shuffled = jax.tree.map(lambda leaf: rng.permuted(np.asarray(leaf), axis=None), params)
    first = np.asarray(_activations(policy, shuffled, observations[:_CHUNK], layer))
    means = np.abs(first).mean((0, 1, 2))
    directions = rng.exponential(size=(len(means), RANDOM_DIRECTIONS)).astype(np.float32)
    directions /= np.where(means > 0, means, np.inf)[:, None].astype(np.float32)
    strengths = np.concatenate(
        [
            np.abs(_activations(policy, shuffled, observations[start : start + _CHUNK], layer))
            @ directions
            for start in range(0, len(observations), _CHUNK)
        ]
    )
    return {f"random {index + 1}": strengths[..., index] for index in range(RANDOM_DIRECTIONS)}


@functools.partial(jax.jit, static_argnames=("policy", "layer"))
def _activations(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str,
) -> Float32[Array, "frame row column layer_channel"]:
    return jnp.asarray(policy.activations(params, observations, layer), jnp.float32)
