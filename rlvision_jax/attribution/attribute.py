"""Attribution of scores to one of a policy's layers, for many frames.

Host module: takes and returns NumPy arrays.
"""

import dataclasses
import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.attribution.chunks import chunk_size, map_chunks, work_of_scores
from rlvision_jax.attribution.multi_path import early_halves, multi_path
from rlvision_jax.attribution.path_jacobian import Continuation, path_jacobian
from rlvision_jax.attribution.quadrature import nodes_and_weights
from rlvision_jax.attribution.scores import (
    CheckedScore,
    Score,
    at_positions,
    checked_score,
    continuation,
    positions_of,
)
from rlvision_jax.models import VisionPolicy, check_layer, check_observations


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attributions:
    """Attributions of several scores, and how complete they are.

    Attributes:
      values: signed attribution per position and channel, in units of the score; with the
        pixels as layer, the gradient.
      scores: the scores themselves.
      baseline_scores: scores of the baseline.
    """

    values: Float[np.ndarray, "frame score h w c"]
    scores: Float[np.ndarray, "frame score"]
    baseline_scores: Float[np.ndarray, "frame score"]

    @property
    def residuals(self) -> Float[np.ndarray, "frame score"]:
        """Completeness residual: sum of the attributions minus the difference they explain.

        In units of the score. Zero for an exact integral; of no meaning for gradients.
        """
        return self.values.sum((2, 3, 4)) - (self.scores - self.baseline_scores)


def attribute(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str | None,
    score: Score,
    *,
    num_steps: int = 10,
    rule: str = "right",
    baseline: Float[Array | np.ndarray, "h w c"] | None = None,
    batch_size: int | None = None,
) -> Float[np.ndarray, "frame h w c"]:
    """Attributes one score of a policy to a layer, for any number of frames.

    Integrated gradients from a baseline to the layer's activation. A frame's result does not
    depend on the other frames or on `batch_size`, up to rounding.

    Args:
      policy: what computes the score.
      params: its parameters.
      observations: frames, 0-255.
      layer: one of `policy.layer_names`; None: the gradient at the pixels (below).
      score: "value", an action (its logit), a tuple of actions (the sum of their logits), a
        function of one frame's logits and value such as `LogProbability`, or a `LayerScore`.
      num_steps: evaluations on the path, at least 1.
      rule: "right" (the paper's), "midpoint" or "gauss_legendre".
      baseline: activation that the path begins at, the same for all frames; None: zeros, a
        silent layer.
      batch_size: frames per compiled call and device; None: a size that suits the platform. More
        frames need more memory.

    Returns:
      Signed attribution per position and channel, float32, in units of the score. With
      `layer=None` the gradient with respect to the pixels in [0, 1] (of a policy of your own: as
      it preprocesses them), not multiplied by them: at the frame itself for one step of the right
      rule, else averaged from the baseline (black) to the frame.

    Raises:
      ValueError: if the layer, score or rule is unknown, `num_steps` or `batch_size` is below 1,
        there is no frame, the baseline is not of the layer's shape, or the observations are not
        uint8 frames of the policy's shape.

    Source: lucid.scratch.rl_util.attribution, get_attr and (at the pixels) get_grad.
    """
    attributions = attribute_scores(
        policy,
        params,
        observations,
        layer,
        (score,),
        num_steps=num_steps,
        rule=rule,
        baseline=baseline,
        batch_size=batch_size,
    )
    return attributions.values[:, 0]


def attribute_scores(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str | None,
    scores: Sequence[Score],
    *,
    num_steps: int = 10,
    rule: str = "right",
    baseline: Float[Array | np.ndarray, "h w c"] | None = None,
    batch_size: int | None = None,
) -> Attributions:
    """Attributes several scores in one pass, which they share all forward work of.

    Args:
      policy: what computes the scores.
      params: its parameters.
      observations: frames, 0-255.
      layer: as in `attribute`.
      scores: one or more, each as in `attribute`.
      num_steps: as in `attribute`.
      rule: as in `attribute`.
      baseline: as in `attribute`.
      batch_size: as in `attribute`.

    Raises:
      ValueError: as `attribute`; if there is no score.
    """
    nodes_and_weights(rule, num_steps)
    _check_frames(policy, observations, layer)
    if not scores:
        raise ValueError('scores must hold at least one score, such as "value"; got none')
    checked = tuple(
        checked_score(score, policy, params, layer, len(observations)) for score in scores
    )
    if baseline is not None:
        _check_baseline(policy, params, observations, layer, baseline)
    positions = positions_of(checked)

    def run(chunk: tuple) -> tuple[Array, Array, Array]:
        frames, positions = chunk
        return attribute_chunk(
            policy,
            params,
            frames,
            layer,
            at_positions(checked, positions),
            baseline,
            num_steps=num_steps,
            rule=rule,
        )

    work = work_of_scores(len(checked))
    size = chunk_size(len(observations), batch_size, work_per_frame=work)
    values, at_end, at_start = map_chunks(run, (observations, positions), size)
    return Attributions(values=values, scores=at_end, baseline_scores=at_start)


def attribute_multi_path(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str,
    score: Score,
    components: Float[Array | np.ndarray, "feature c"],
    *,
    num_steps: int = 10,
    max_paths: int | None = None,
    key: Array | None = None,
    batch_size: int | None = None,
) -> Float[np.ndarray, "frame h w c"]:
    """Attributes one score by `multi_path`, for any number of frames; all take the same paths.

    Args:
      policy: what computes the score.
      params: its parameters.
      observations: frames, 0-255.
      layer: one of `policy.layer_names`.
      score: as in `attribute`.
      components: feature directions of the layer.
      num_steps: steps of each path, at least 1.
      max_paths: as in `multi_path`.
      key: as in `multi_path`.
      batch_size: frames per compiled call and device, each on all paths at once; None: a size
        that suits the platform.

    Raises:
      ValueError: as `attribute` and `multi_path`.
    """
    check_at_least("num_steps", num_steps, 1)
    _check_frames(policy, observations, layer)
    checked = checked_score(score, policy, params, layer, len(observations))
    num_paths = len(early_halves(len(components), max_paths, key))

    def run(chunk: tuple) -> tuple[Array]:
        frames, positions = chunk
        (score,) = at_positions((checked,), positions)
        return (
            _multi_path_chunk(
                policy,
                params,
                frames,
                layer,
                score,
                jnp.asarray(components),
                key,
                num_steps=num_steps,
                max_paths=max_paths,
            ),
        )

    size = chunk_size(len(observations), batch_size, work_per_frame=num_paths)
    return map_chunks(run, (observations, positions_of((checked,))), size)[0]


@functools.partial(jax.jit, static_argnames=("policy", "layer", "num_steps", "rule", "unroll"))
def attribute_chunk(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str | None,
    scores: tuple[CheckedScore, ...],
    baseline: Float[Array | np.ndarray, "h w c"] | None = None,
    *,
    num_steps: int,
    rule: str,
    unroll: bool | None = None,
) -> tuple[
    Float[Array, "frame score h w c"], Float[Array, "frame score"], Float[Array, "frame score"]
]:
    """The fields of `Attributions` for one chunk of frames, on the device."""
    nodes, weights = nodes_and_weights(rule, num_steps)

    def one_frame(
        activation: Float[Array, "h w c"], positions: tuple[Array | np.ndarray | None, ...]
    ) -> tuple[Array, Array, Array]:
        onwards = continuation(policy, params, layer, at_positions(scores, positions))
        if baseline is not None and not onwards.affine:
            # Only from zeros does a line stay straight behind such a read.
            read, rest, _ = onwards
            onwards = Continuation(lambda x: x, lambda x: rest(read(x)))
        start = jnp.zeros_like(activation) if baseline is None else jnp.asarray(baseline)
        line = path_jacobian(onwards, activation, start, nodes, weights, unroll=unroll)
        values = line.mean if layer is None else (activation - start)[None] * line.mean
        return values, onwards.rest(line.read), onwards.rest(onwards.read(start))

    return jax.vmap(one_frame)(
        policy.activations(params, observations, layer), positions_of(scores)
    )


@functools.partial(jax.jit, static_argnames=("policy", "layer", "num_steps", "max_paths"))
def _multi_path_chunk(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    layer: str,
    score: CheckedScore,
    components: Float[Array, "feature c"],
    key: Array | None,
    *,
    num_steps: int,
    max_paths: int | None,
) -> Float[Array, "frame h w c"]:
    def one_frame(
        activation: Float[Array, "h w c"], positions: tuple[Array | np.ndarray | None, ...]
    ) -> Float[Array, "h w c"]:
        here = at_positions((score,), positions)
        read, rest, _ = continuation(policy, params, layer, here)
        return multi_path(
            lambda x: rest(read(x))[0],
            activation,
            components,
            num_steps=num_steps,
            max_paths=max_paths,
            key=key,
        )

    return jax.vmap(one_frame)(
        policy.activations(params, observations, layer), positions_of((score,))
    )


def _check_frames(
    policy: VisionPolicy, observations: Array | np.ndarray, layer: str | None
) -> None:
    if layer is not None:
        check_layer(policy, layer)
    check_observations(policy, observations)
    if len(observations) == 0:
        raise ValueError("observations must hold at least one frame; got none")


def _check_baseline(
    policy: VisionPolicy,
    params: Params,
    observations: Array | np.ndarray,
    layer: str | None,
    baseline: Array | np.ndarray,
) -> None:
    frame = jax.ShapeDtypeStruct((1, *observations.shape[1:]), observations.dtype)
    activation = jax.eval_shape(lambda o: policy.activations(params, o, layer), frame)
    if baseline.shape != activation.shape[1:]:
        raise ValueError(
            f"baseline must have the shape of layer {layer}, {list(activation.shape[1:])}; got "
            f"{list(baseline.shape)}"
        )
