"""What a sweep computes of every frame: attributions, split into the shares of features."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from rlvision_jax._types import Params
from rlvision_jax.attribution.attribute import attribute_chunk
from rlvision_jax.attribution.chunks import chunk_size, map_chunks, work_of_scores
from rlvision_jax.attribution.scores import CheckedScore
from rlvision_jax.factorization import NMF, project_signed
from rlvision_jax.models import VisionPolicy

RESULTS: tuple[str, ...] = (
    "value",
    "logits",
    "scores",
    "feature_positive",
    "feature_negative",
    "residual",
    "completeness_residual",
)
MAPS: tuple[str, ...] = ("maps", "residual_maps")


def compute(
    policy: VisionPolicy,
    params: Params,
    nmf: NMF,
    observations: UInt8[np.ndarray, "frame height width channel"],
    layer: str,
    scores: tuple[CheckedScore, ...],
    *,
    num_steps: int,
    rule: str,
    maps: bool,
) -> dict[str, np.ndarray]:
    """Computes the arrays `RESULTS`, and `MAPS` if wanted, of many frames.

    Raises:
      FloatingPointError: if a result is not finite, or a map exceeds float16.
    """

    def run(frames: Array | np.ndarray) -> tuple[Array, ...]:
        return compute_chunk(
            policy, params, nmf, frames, layer, scores, num_steps=num_steps, rule=rule, maps=maps
        )

    size = chunk_size(len(observations), work_per_frame=work_of_scores(len(scores)))
    results = map_chunks(run, observations, size)
    names: tuple[str, ...] = (*RESULTS, *MAPS) if maps else RESULTS
    named = dict(zip(names, results, strict=True))
    for name, array in named.items():
        if not np.isfinite(array).all():
            frame = int(np.argmax(~np.isfinite(array).reshape(len(array), -1).all(1)))
            raise FloatingPointError(
                f'"{name}" of frame {frame} of a block is not a finite {array.dtype} number; '
                + ("leave the maps out" if name in MAPS else "check the agent's parameters")
            )
    return named


@functools.partial(jax.jit, static_argnames=("policy", "layer", "num_steps", "rule", "maps"))
def compute_chunk(
    policy: VisionPolicy,
    params: Params,
    nmf: NMF,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str,
    scores: tuple[CheckedScore, ...],
    *,
    num_steps: int,
    rule: str,
    maps: bool,
) -> tuple[Array, ...]:
    """The arrays of `compute` for one chunk of frames, on the device."""
    values, at_end, at_start = attribute_chunk(
        policy, params, observations, layer, scores, num_steps=num_steps, rule=rule
    )
    logits, value = policy.apply(params, observations)
    by_feature, left = project_signed(nmf, values)
    totals = (
        value,
        logits,
        at_end,
        jnp.maximum(by_feature, 0).sum((2, 3)),
        jnp.minimum(by_feature, 0).sum((2, 3)),
        left.sum((2, 3)),
        values.sum((2, 3, 4)) - (at_end - at_start),
    )
    if not maps:
        return totals
    return *totals, by_feature.astype(jnp.float16), left.astype(jnp.float16)
