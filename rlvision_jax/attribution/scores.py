"""Scores: the numbers that are attributed, of a policy's outputs or of a later layer."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from rlvision_jax._types import Params
from rlvision_jax.attribution.path_jacobian import Continuation
from rlvision_jax.models import SplitPolicy, VisionPolicy, check_layer

OutputFunction: TypeAlias = Callable[[Float[Array, " action"], Float[Array, ""]], Float[Array, ""]]
"""Policy logits and value of one frame -> one number; hashable."""


@dataclasses.dataclass(frozen=True)
class LogProbability:
    """Logarithm of the probability that the policy takes an action, or one of several.

    Attributes:
      actions: an action, or a tuple of different ones.

    Example:
      >>> score = LogProbability((0, 2))
      >>> print(jnp.exp(score(jnp.zeros(4), jnp.zeros(()))).round(3))
      0.5
    """

    actions: int | tuple[int, ...]

    def __call__(
        self, logits: Float[Array, " action"], value: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The score of one frame's outputs."""
        chosen = logits[jnp.asarray(_as_tuple(self.actions))]
        return jax.nn.logsumexp(chosen) - jax.nn.logsumexp(logits)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class LayerScore:
    """Part of a later layer: a direction of its channels, somewhere or summed over all positions.

    Attributes:
      layer: name of the later layer.
      direction: weight of each channel; None: every channel counts 1.
      position: row and column in every frame (in `score_function`, in the one frame); None: all
        positions are added up.

    Source: `act_dir` and `act_poses` of lucid.scratch.rl_util.attribution.
    """

    layer: str = dataclasses.field(metadata={"static": True})
    direction: Float[Array | np.ndarray, " channel"] | None = None
    position: Int[Array | np.ndarray, "*frame 2"] | None = None


Score: TypeAlias = (
    str | int | np.integer | tuple[int | np.integer, ...] | OutputFunction | LayerScore
)
"""The value ("value"), one policy logit (its action), a sum of logits (several actions), any
function of a frame's logits and value such as `LogProbability`, or part of a later layer."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightedScore:
    """A weighted sum of the policy's outputs, as jitted functions take it.

    The weights are no part of a program: what is compiled for the value serves every logit and
    every sum of logits.

    Attributes:
      logits: weight of each logit.
      value: weight of the value.
    """

    logits: Float[Array | np.ndarray, " action"]
    value: Float[Array | np.ndarray, ""]

    def __call__(
        self, logits: Float[Array, " action"], value: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The score of one frame's outputs."""
        # What has no weight may be infinite, such as the logit of a forbidden action.
        of_logits = jnp.where(self.logits == 0, 0, self.logits * logits)
        return jnp.sum(of_logits) + jnp.where(self.value == 0, 0, self.value * value)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FunctionScore:
    """A function of the policy's outputs, as jitted functions take it.

    Attributes:
      of: the function.
    """

    of: OutputFunction = dataclasses.field(metadata={"static": True})

    def __call__(
        self, logits: Float[Array, " action"], value: Float[Array, ""]
    ) -> Float[Array, ""]:
        """The score of one frame's outputs."""
        return self.of(logits, value)


CheckedScore: TypeAlias = WeightedScore | FunctionScore | LayerScore


def positions_of(scores: Iterable[CheckedScore]) -> tuple[Array | np.ndarray | None, ...]:
    """What the scores hold for every frame, None where nothing."""
    return tuple(score.position if isinstance(score, LayerScore) else None for score in scores)


def at_positions(
    scores: Iterable[CheckedScore], positions: Iterable[Array | np.ndarray | None]
) -> tuple[CheckedScore, ...]:
    """The scores with other positions, such as those of some frames or of one."""
    return tuple(
        dataclasses.replace(score, position=position) if isinstance(score, LayerScore) else score
        for score, position in zip(scores, positions, strict=True)
    )


def checked_score(
    score: Score,
    policy: VisionPolicy,
    params: Params,
    layer: str | None,
    num_frames: int | None = None,
) -> CheckedScore:
    """The score in the form that jitted functions take.

    Args:
      score: as users give it.
      policy: what computes it.
      params: its parameters.
      layer: the layer that it will be attributed to; None: the pixels.
      num_frames: number of frames; None: one frame without that axis.

    Raises:
      ValueError: if the score is none of `Score`, an action is out of range, a function does not
        return one number, or a layer score does not come after the layer or fit it.
    """
    if isinstance(score, LayerScore):
        return _checked_layer_score(score, policy, params, layer, num_frames)
    return output_score(score, policy.num_actions)


def output_score(score: Score, num_actions: int) -> WeightedScore | FunctionScore:
    """A score of the policy's outputs in the form that jitted functions take.

    Args:
      score: any `Score` but a `LayerScore`.
      num_actions: number of logits.

    Raises:
      ValueError: as `checked_score`.
    """
    if isinstance(score, LogProbability):
        return FunctionScore(LogProbability(_checked_actions(score.actions, score, num_actions)))
    if callable(score):
        _check_function(score, num_actions)
        return FunctionScore(score)
    is_value = isinstance(score, str) and score == "value"
    weights = np.zeros(num_actions, np.float32)
    if not is_value:
        weights[list(_as_tuple(_checked_actions(score, score, num_actions)))] = 1
    return WeightedScore(logits=weights, value=np.asarray(is_value, np.float32))


def continuation(
    policy: VisionPolicy, params: Params, layer: str | None, scores: tuple[CheckedScore, ...]
) -> Continuation:
    """Continues a policy from a layer to all scores, for one frame.

    Args:
      policy: what computes the scores.
      params: its parameters.
      layer: where to start; None: the pixels. Static.
      scores: of `checked_score`; positions without the axis of frames.
    """
    if not isinstance(policy, SplitPolicy):
        of_outputs = [score for score in scores if not isinstance(score, LayerScore)]

        def outputs_only(activation: Array) -> Float[Array, " score"]:
            logits, value = policy.head(params, activation[None], layer)
            return jnp.stack([score(logits[0], value[0]) for score in of_outputs])

        return Continuation(lambda activation: activation, outputs_only)

    stops = {score.layer if isinstance(score, LayerScore) else None for score in scores}

    def rest(read: Array) -> Float[Array, " score"]:
        # Once for all scores of one stop: the way back is as long as the way there.
        reached = {stop: policy.resume(params, read[None], layer, stop) for stop in stops}
        numbers = []
        for score in scores:
            if isinstance(score, LayerScore):
                numbers.append(_of_layer(score, reached[score.layer][0]))
            else:
                logits, value = reached[None]
                numbers.append(score(logits[0], value[0]))
        return jnp.stack(numbers)

    return Continuation(
        read=lambda activation: policy.read(params, activation[None], layer)[0],
        rest=rest,
        affine=policy.reads_affinely(layer),
    )


def score_function(
    policy: VisionPolicy, params: Params, layer: str | None, score: Score
) -> Callable[[Float[Array, "height width channel"]], Float[Array, ""]]:
    """Continues a policy from a layer to one score, for one frame.

    Args:
      policy: what computes the score.
      params: its parameters.
      layer: where the function starts; None: the pixels in [0, 1]. Static.
      score: as in `attribute`; positions of a `LayerScore` are those of one frame.

    Returns:
      A function such as `integrated_gradients` takes.

    Raises:
      ValueError: if the layer or the score is unknown.
    """
    if layer is not None:
        check_layer(policy, layer)
    checked = checked_score(score, policy, params, layer)
    read, rest, _ = continuation(policy, params, layer, (checked,))
    return lambda activation: rest(read(activation))[0]


def _of_layer(score: LayerScore, activation: Float[Array, "h w c"]) -> Float[Array, ""]:
    if score.direction is not None:
        activation = activation * jnp.broadcast_to(score.direction, activation.shape)
    if score.position is not None:
        row, column = score.position
        activation = activation[row, column]
    return jnp.sum(activation)


def _as_tuple(actions: int | tuple[int, ...]) -> tuple[int, ...]:
    return actions if isinstance(actions, tuple) else (actions,)


def _checked_actions(actions: Any, score: Any, num_actions: int) -> int | tuple[int, ...]:
    several = actions if isinstance(actions, tuple) else (actions,)
    known = all(
        isinstance(action, int | np.integer)
        and not isinstance(action, bool)
        and 0 <= action < num_actions
        for action in several
    )
    if not (known and 0 < len(several) == len(set(several))):
        raise ValueError(
            f'unknown score {score!r}; expected "value", an action from 0 to {num_actions - 1}, '
            "a tuple of different actions, a function of logits and value, or a LayerScore"
        )
    plain = tuple(int(action) for action in several)
    return plain if isinstance(actions, tuple) else plain[0]


def _check_function(score: OutputFunction, num_actions: int) -> None:
    number = jax.ShapeDtypeStruct((), jnp.float32)
    result = jax.eval_shape(score, jax.ShapeDtypeStruct((num_actions,), jnp.float32), number)
    shape = getattr(result, "shape", type(result).__name__)
    if shape != ():
        raise ValueError(
            f"score {score!r} must return one number, of shape (), from one frame's logits "
            f"({num_actions},) and value (); got {shape}. Sum it, or take an entry of it"
        )


def _checked_layer_score(
    score: LayerScore,
    policy: VisionPolicy,
    params: Params,
    layer: str | None,
    num_frames: int | None,
) -> LayerScore:
    if not isinstance(policy, SplitPolicy):
        raise ValueError(
            f'model "{policy.name}" cannot stop at a later layer; give it `read` and `resume` '
            "(models.SplitPolicy), or use integrated_gradients with your own function"
        )
    check_layer(policy, score.layer)
    names = policy.layer_names
    first = 0 if layer is None else names.index(layer) + 1
    if score.layer not in names[first:]:
        raise ValueError(
            f'a score of layer "{score.layer}" can be attributed to the layers before it only; '
            f'got layer "{layer}"'
        )
    frame = jax.ShapeDtypeStruct((1, *policy.observation_shape), jnp.uint8)
    reached = jax.eval_shape(lambda o: policy.activations(params, o, score.layer), frame)
    _, height, width, channels = reached.shape
    direction, position = score.direction, score.position
    if direction is not None and direction.shape != (channels,):
        raise ValueError(
            f"direction must have one entry for each of the {channels} channels of layer "
            f'"{score.layer}"; got shape {list(direction.shape)}'
        )
    if position is not None:
        expected = (2,) if num_frames is None else (num_frames, 2)
        inside = position.shape == expected and bool(
            (np.asarray(position) >= 0).all() and (np.asarray(position) < (height, width)).all()
        )
        if not inside:
            raise ValueError(
                f"position must be {list(expected)}, rows 0 to {height - 1} and columns 0 to "
                f'{width - 1} of layer "{score.layer}"; got shape {list(position.shape)}, entries '
                f"{np.min(position, initial=0)} to {np.max(position, initial=0)}"
            )
    return score
