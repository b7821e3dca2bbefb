"""What an image is optimised for: objectives, values that add and scale.

An objective makes one number of what an image reaches in a policy. `0.5 * a + b - 0.01 * c` is an
objective again.

Source: lucid.optvis.objectives; Olah et al. 2017, "Feature Visualization",
https://distill.pub/2017/feature-visualization.
"""

import abc
import dataclasses
import functools
import math
import operator
from collections.abc import Mapping
from typing import Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from rlvision_jax._types import Params
from rlvision_jax.attribution.scores import OutputFunction, checked_score, output_score
from rlvision_jax.models import SplitPolicy, VisionPolicy, check_layer

Position: TypeAlias = tuple[int, int] | Literal["center"] | None
"""Row and column of a layer; "center": half its height and width, rounded down; None: the mean
over all positions."""

# Below this cosine similarity an objective is no longer scaled down, so that its gradient leads
# out of there; and what is added to norms that it is divided by. Both as in Lucid.
_SMALLEST_SIMILARITY = 0.1
_EPSILON = 1e-4


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reached:
    """What one image reaches in a policy.

    Attributes:
      activations: of the layers asked for, [height, width, channel] each; None is the image as the
        first layer takes it.
      logits: of the policy; None where nobody asked.
      value: of the policy; None where nobody asked.
    """

    activations: Mapping[str | None, Array]
    logits: Float[Array, " action"] | None = None
    value: Float[Array, ""] | None = None

    def layer(self, name: str | None) -> Float[Array, "height width channel"]:
        """Activation of a layer, in float32."""
        return self.activations[name].astype(jnp.float32)


class Objective(abc.ABC):
    """A number to make large: adds to other objectives, and scales by numbers.

    Objectives are pytrees: their arrays and weights may differ between the images of one compiled
    program.
    """

    @property
    def layers(self) -> frozenset[str | None]:
        """Layers whose activation it asks for; None is the image."""
        return frozenset()

    @property
    def asks_outputs(self) -> bool:
        """Whether it asks for policy logits and value."""
        return False

    @abc.abstractmethod
    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """The number of one image."""

    @abc.abstractmethod
    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError where the objective does not fit the policy."""

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return SumObjective((*_terms(self), *_terms(other)), (*_weights(self), *_weights(other)))

    def __radd__(self, other: int) -> "Objective":
        # What the built-in sum() begins with.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor: float | int) -> "Objective":
        if not isinstance(factor, int | float | np.number):
            return NotImplemented
        return SumObjective(_terms(self), tuple(factor * weight for weight in _weights(self)))

    __rmul__ = __mul__

    def __neg__(self) -> "Objective":
        return -1.0 * self

    def __sub__(self, other: "Objective") -> "Objective":
        return self + -other if isinstance(other, Objective) else NotImplemented


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SumObjective(Objective):
    """A weighted sum; `+`, `-` and `*` make it.

    Attributes:
      terms: objectives, none of them a sum.
      weights: one for each.
    """

    terms: tuple[Objective, ...]
    weights: tuple[float | int | np.number | Array, ...]

    @property
    def layers(self) -> frozenset[str | None]:
        """Layers of all terms."""
        return frozenset().union(*(term.layers for term in self.terms))

    @property
    def asks_outputs(self) -> bool:
        """Whether any term asks for them."""
        return any(term.asks_outputs for term in self.terms)

    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """The weighted sum of the terms."""
        weighted = [w * term(reached) for w, term in zip(self.weights, self.terms, strict=True)]
        return functools.reduce(operator.add, weighted)

    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError unless all terms fit and all weights are finite."""
        for term in self.terms:
            term.check(policy, params)
        if not np.isfinite(np.asarray(self.weights, np.float32)).all():
            raise ValueError(f"weights of objectives must be finite; got {list(self.weights)}")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DirectionObjective(Objective):
    """A direction of a layer's channels: dot product times a power of the cosine similarity.

    Attributes:
      layer: name of the layer.
      direction: weight of each channel, such as a row of `nmf.components`. Its length scales the
        objective.
      position: where in the layer: one position shows a neuron, None what repeats all over.
      power: of the cosine similarity, at least 0. 0 is the plain dot product; higher powers ask
        for this direction and no other.

    Example:
      >>> objective = DirectionObjective("2b", jnp.array([3.0, 4.0]), (0, 0), power=1)
      >>> along = jnp.array([[[6.0, 8.0]]])  # ten times the unit vector
      >>> print(objective(Reached(activations={"2b": along})).round(2))
      50.0
    """

    layer: str = dataclasses.field(metadata={"static": True})
    direction: Float[Array | np.ndarray, " channel"]
    position: Position = dataclasses.field(default="center", metadata={"static": True})
    power: float | int = dataclasses.field(default=0, metadata={"static": True}, kw_only=True)

    @property
    def layers(self) -> frozenset[str | None]:
        """The one layer."""
        return frozenset((self.layer,))

    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """Mean over the positions."""
        activation = _at(reached.layer(self.layer), self.position)
        direction = jnp.broadcast_to(jnp.asarray(self.direction, jnp.float32), activation.shape)
        return jnp.mean(_similarity(activation, direction, self.power, axis=-1))

    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError where layer, direction, position or power do not fit."""
        height, width, channels = _layer_shape(policy, params, self.layer)
        _check_position(self.position, self.layer, height, width)
        _check_power(self.power)
        if self.direction.shape != (channels,) or not np.isfinite(self.direction).all():
            raise ValueError(
                f"direction must have one finite entry for each of the {channels} channels of "
                f'layer "{self.layer}"; got {_described(self.direction)}'
            )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ChannelObjective(Objective):
    """One channel of a layer; at one position, a neuron.

    Attributes:
      layer: name of the layer.
      channel: which one, from 0.
      position: where in the layer; None: the mean over all positions.
    """

    layer: str = dataclasses.field(metadata={"static": True})
    channel: int | np.integer | Array
    position: Position = dataclasses.field(default=None, metadata={"static": True})

    @property
    def layers(self) -> frozenset[str | None]:
        """The one layer."""
        return frozenset((self.layer,))

    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """Mean over the positions."""
        return jnp.mean(_at(reached.layer(self.layer), self.position)[..., self.channel])

    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError where layer, channel or position do not fit."""
        height, width, channels = _layer_shape(policy, params, self.layer)
        _check_position(self.position, self.layer, height, width)
        if not 0 <= int(self.channel) < channels:
            raise ValueError(
                f'channel must be 0 to {channels - 1} in layer "{self.layer}"; got {self.channel}'
            )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class CaricatureObjective(Objective):
    """The activations of a given image, exaggerated: what a layer sees in it.

    The dot product with the image's activations, all positions together, times a power of the
    cosine similarity. The higher the power, the closer the result keeps to the image.

    Attributes:
      layer: name of the layer.
      target: activation of the image: `policy.activations(params, observation[None], layer)[0]`.
      power: of the cosine similarity, at least 0.
    """

    layer: str = dataclasses.field(metadata={"static": True})
    target: Float[Array | np.ndarray, "height width channel"]
    power: float | int = dataclasses.field(default=1, metadata={"static": True}, kw_only=True)

    @property
    def layers(self) -> frozenset[str | None]:
        """The one layer."""
        return frozenset((self.layer,))

    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """Mean over the positions, so that it compares with a direction's."""
        activation = reached.layer(self.layer)
        target = jnp.asarray(self.target, jnp.float32)
        similarity = _similarity(activation.ravel(), target.ravel(), self.power, axis=0)
        return similarity / math.prod(activation.shape[:2])

    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError where layer, target or power do not fit."""
        shape = _layer_shape(policy, params, self.layer)
        _check_power(self.power)
        if self.target.shape != shape or not np.isfinite(self.target).all():
            raise ValueError(
                f'target must be a finite activation of layer "{self.layer}", {list(shape)}; got '
                f"{_described(self.target)}: take policy.activations of one frame"
            )
        if not np.any(np.asarray(self.target)):
            raise ValueError(
                f'the target in layer "{self.layer}" is zero everywhere: nothing to exaggerate'
            )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class OutputObjective(Objective):
    """The value, a policy logit, a sum of logits, or any function of both.

    Attributes:
      score: "value", an action (its logit), a tuple of actions, or a function of one frame's
        logits and value such as `attribution.LogProbability`.
    """

    score: str | int | tuple[int, ...] | OutputFunction = dataclasses.field(
        metadata={"static": True}
    )

    @property
    def asks_outputs(self) -> bool:
        """Always."""
        return True

    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """The score."""
        assert reached.logits is not None
        assert reached.value is not None
        return output_score(self.score, len(reached.logits))(reached.logits, reached.value)

    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError where the score is unknown."""
        checked_score(self.score, policy, params, None)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class L2Norm(Objective):
    """Length of a layer's activation, to be subtracted: keeps down what the rest does not need.

    Attributes:
      layer: name of the layer; None: the image as the first layer takes it.

    Example:
      >>> reached = Reached(activations={"1a": jnp.array([[[3.0, 4.0]]])})
      >>> print((-0.5 * L2Norm("1a"))(reached).round(3))
      -2.5
    """

    layer: str | None = dataclasses.field(metadata={"static": True})

    @property
    def layers(self) -> frozenset[str | None]:
        """The one layer."""
        return frozenset((self.layer,))

    def __call__(self, reached: Reached) -> Float[Array, ""]:
        """The root of the sum of squares, and of 1e-6, which gives silence a gradient."""
        return jnp.sqrt(jnp.sum(reached.layer(self.layer) ** 2) + 1e-6)

    def check(self, policy: VisionPolicy, params: Params) -> None:
        """Raises ValueError where the layer is unknown."""
        if self.layer is not None:
            _layer_shape(policy, params, self.layer)


def _terms(objective: Objective) -> tuple[Objective, ...]:
    return objective.terms if isinstance(objective, SumObjective) else (objective,)


def _weights(objective: Objective) -> tuple:
    return objective.weights if isinstance(objective, SumObjective) else (1.0,)


def _at(activation: Float[Array, "height width channel"], position: Position) -> Array:
    """The activation at a position, or at all."""
    if position is None:
        return activation
    if position == "center":
        position = activation.shape[0] // 2, activation.shape[1] // 2
    return activation[position[0], position[1]]


def _similarity(x: Array, y: Array, power: float | int, axis: int) -> Array:
    """Dot product times a power of the cosine similarity."""
    dot = jnp.sum(x * y, axis)
    if power == 0:
        return dot
    # A root has no derivative at 0, where silence is.
    lengths = [jnp.sqrt(jnp.sum(z**2, axis) + _EPSILON**2) + _EPSILON for z in (x, y)]
    return dot * jnp.maximum(dot / (lengths[0] * lengths[1]), _SMALLEST_SIMILARITY) ** power


def _layer_shape(policy: VisionPolicy, params: Params, layer: str) -> tuple[int, int, int]:
    check_layer(policy, layer)
    if not isinstance(policy, SplitPolicy):
        raise ValueError(
            f'model "{policy.name}" cannot stop at a layer on the way from an image; give it '
            "`read` and `resume` (models.SplitPolicy), or make it with models.from_functions"
        )
    frame = jax.ShapeDtypeStruct((1, *policy.observation_shape), jnp.uint8)
    _, *shape = jax.eval_shape(lambda p, o: policy.activations(p, o, layer), params, frame).shape
    height, width, channels = shape
    return height, width, channels


def _check_position(position: Position, layer: str, height: int, width: int) -> None:
    if position is None or position == "center":
        return
    row, column = position if isinstance(position, tuple) else (-1, -1)
    if not (0 <= row < height and 0 <= column < width):
        raise ValueError(
            f'position must be None, "center", or a row of 0 to {height - 1} and a column of 0 to '
            f'{width - 1} of layer "{layer}"; got {position!r}'
        )


def _check_power(power: float | int) -> None:
    if not (math.isfinite(power) and power >= 0):
        raise ValueError(f"power must be a finite number of at least 0; got {power}")


def _described(x: Array | np.ndarray) -> str:
    finite = "" if np.isfinite(x).all() else ", some not finite"
    return f"shape {list(x.shape)}{finite}"
