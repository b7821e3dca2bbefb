"""A policy out of plain functions: how agents of any JAX library are brought here."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._checks import check_at_least, quoted
from rlvision_jax._types import Params
from rlvision_jax.models.vision_policy import check_layer, check_observations

Layer: TypeAlias = Callable[[Params, Array], Array]
"""Parameters and the activation of the layer before -> activation of this layer."""

Heads: TypeAlias = Callable[[Params, Array], tuple[Array, Array]]
"""Parameters and the activation of the last layer -> policy logits and value."""

Preprocess: TypeAlias = Callable[[Array], Array]
"""uint8 frames -> what the first layer takes."""


def unit_range(observations: UInt8[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Frames of 0-255 as float32 in [0, 1].

    Example:
      >>> print(unit_range(jnp.asarray([0, 255], jnp.uint8)))
      [0. 1.]
    """
    return observations.astype(jnp.float32) / 255.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class FunctionPolicy:
    """A `VisionPolicy` whose layers are functions; `from_functions` makes it.

    Compared by its functions, which Python compares by identity: make it once and keep it, since
    `jax.jit` compiles again for a policy that it has not met.

    Attributes:
      layers: name and function of each layer, from the observation on.
      heads: what follows the last layer.
      num_actions: number of policy logits.
      observation_shape: height, width, channel of one observation.
      preprocess: what precedes the first layer.
      name: shown in errors and in the provenance of reports.
    """

    layers: tuple[tuple[str, Layer], ...]
    heads: Heads
    num_actions: int
    observation_shape: tuple[int, int, int]
    preprocess: Preprocess = unit_range
    name: str = "own"

    def __post_init__(self) -> None:
        names = self.layer_names
        if not all(names) or not 0 < len(names) == len(set(names)):
            raise ValueError(
                "layers must be one or more pairs of a name and a function, each name once; "
                f"got the names {quoted(names) or 'of none'}"
            )
        check_at_least("num_actions", self.num_actions, 1)
        for what, size in zip(("height", "width", "channel"), self.observation_shape, strict=True):
            check_at_least(f"{what} of observation_shape", size, 1)
        functions = {f'layer "{name}"': function for name, function in self.layers}
        functions |= {"heads": self.heads, "preprocess": self.preprocess}
        for what, function in functions.items():
            _check_function(what, function)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Attributable layers, from the observation on."""
        return tuple(name for name, _ in self.layers)

    @property
    def config(self) -> dict[str, Any]:
        """What the policy is, as far as JSON can tell: not its functions."""
        return {
            "name": self.name,
            "num_actions": self.num_actions,
            "observation_shape": list(self.observation_shape),
            "layer_names": list(self.layer_names),
            "source": "models.from_functions",
        }

    def apply(
        self, params: Params, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value.

        Raises:
          ValueError: if the observations are not uint8 or of another shape, or a function of the
            policy returns another shape than it must.
        """
        return self.head(params, self.activations(params, observations, None), None)

    def activations(
        self,
        params: Params,
        observations: UInt8[Array | np.ndarray, "batch height width channel"],
        layer: str | None,
    ) -> Float[Array, "batch h w c"]:
        """Activation of a layer; with `layer=None` what `preprocess` returns.

        Raises:
          ValueError: as `apply`; if the layer is unknown.
        """
        check_observations(self, observations)
        if layer is not None:
            check_layer(self, layer)
        x = self.preprocess(jnp.asarray(observations))
        _check_activation("preprocess", x, len(observations))
        return self._through_layers(params, x, None, layer) if layer is not None else x

    def head(
        self,
        params: Params,
        activation: Float[Array | np.ndarray, "batch h w c"],
        layer: str | None,
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value, resumed from the activation of `layer` (None: the pixels).

        Raises:
          ValueError: if the layer is unknown, or a function of the policy returns another shape
            than it must.
        """
        if layer is not None:
            check_layer(self, layer)
        x = self._through_layers(params, jnp.asarray(activation), layer, None)
        outputs = self.heads(params, x)
        check_outputs(outputs, len(activation), self.num_actions)
        return outputs

    def reads_affinely(self, layer: str | None) -> bool:
        """True: the read is the activation itself."""
        return True

    def read(
        self,
        params: Params,
        activation: Float[Array | np.ndarray, "batch h w c"],
        layer: str | None,
    ) -> Float[Array, "batch h w c"]:
        """The activation itself: functions do not show what of them is linear."""
        return jnp.asarray(activation)

    def resume(
        self,
        params: Params,
        read: Float[Array, "batch h w c"],
        layer: str | None,
        stop: str | None = None,
    ) -> Any:
        """From an activation of `layer` to that of the later layer `stop`, or to the outputs.

        Raises:
          ValueError: as `head`.
        """
        if stop is None:
            return self.head(params, read, layer)
        check_layer(self, stop)
        return self._through_layers(params, read, layer, stop)

    def _through_layers(
        self, params: Params, x: Array, start: str | None, stop: str | None
    ) -> Array:
        """From behind layer `start` (None: the pixels) to layer `stop` (None: the last)."""
        batch = len(x)
        first = 0 if start is None else self.layer_names.index(start) + 1
        for name, function in self.layers[first:]:
            x = function(params, x)
            _check_activation(f'layer "{name}"', x, batch)
            if name == stop:
                break
        return x


def from_functions(
    layers: Sequence[tuple[str, Layer]],
    heads: Heads,
    *,
    num_actions: int,
    observation_shape: Sequence[int],
    preprocess: Preprocess = unit_range,
    name: str = "own",
) -> FunctionPolicy:
    """Makes a policy of your own network, written in any library whose parameters are a pytree.

    The functions form a chain, `preprocess` -> layers -> `heads`; each takes batches and sees
    nothing but the parameters and what the function before it returned. `check_policy` compares
    the chain with the network's own outputs.

    Args:
      layers: name and function of each layer to attribute to, from the observation on:
        `function(params, x)` returns the activation [batch, height, width, channel].
      heads: `heads(params, x)` returns policy logits [batch, action] and value [batch], float32.
      num_actions: number of policy logits.
      observation_shape: height, width, channel of one observation.
      preprocess: uint8 frames -> what the first layer takes, [batch, height, width, channel];
        the default divides by 255.
      name: shown in errors and in the provenance of reports.

    Raises:
      ValueError: if a name is empty or repeated, there is no layer, a number is below 1, or a
        function cannot be called or hashed.

    Example:
      >>> def conv(params, x):
      ...     return jax.nn.relu(jnp.einsum("bhwi,io->bhwo", x, params["conv"]))
      >>> def heads(params, x):
      ...     pooled = x.mean((1, 2))
      ...     return pooled @ params["policy"], pooled @ params["value"]
      >>> policy = from_functions(
      ...     [("conv", conv)], heads, num_actions=2, observation_shape=(8, 8, 3))
      >>> params = {"conv": jnp.ones((3, 4)), "policy": jnp.ones((4, 2)), "value": jnp.ones(4)}
      >>> logits, value = policy.apply(params, np.full((2, 8, 8, 3), 255, np.uint8))
      >>> print(value)
      [12. 12.]
    """
    shape = tuple(observation_shape)
    if len(shape) != 3:
        raise ValueError(
            f"observation_shape must be height, width, channel; got {list(observation_shape)}"
        )
    return FunctionPolicy(
        layers=tuple((layer, function) for layer, function in layers),
        heads=heads,
        num_actions=num_actions,
        observation_shape=shape,
        preprocess=preprocess,
        name=name,
    )


def check_outputs(outputs: Any, batch: int, num_actions: int) -> None:
    """Raises ValueError unless these are policy logits and values of a batch."""
    if not isinstance(outputs, tuple) or len(outputs) != 2:
        raise ValueError(
            "heads must return a tuple of two arrays, policy logits and value; "
            f"got {type(outputs).__name__}"
        )
    logits, value = outputs
    for what, array, shape, remedy in (
        ("policy logits", logits, (batch, num_actions), "num_actions is the last axis"),
        ("value", value, (batch,), "one number per frame, without an axis of its own"),
    ):
        if _dtype(array) != jnp.float32 or array.shape != shape:
            raise ValueError(
                f"{what} must be float32 {list(shape)} for {batch} frames; got "
                f"{_described(array)}: {remedy}; convert another type with astype(jnp.float32)"
            )


def _check_activation(what: str, x: Any, batch: int) -> None:
    floating = _dtype(x) is not None and jnp.issubdtype(x.dtype, jnp.floating)
    if not floating or len(x.shape) != 4 or x.shape[0] != batch:
        raise ValueError(
            f"{what} must return floating-point [batch,height,width,channel] with the batch of "
            f"{batch} that it was given; got {_described(x)}: wrap what computes one frame in "
            "jax.vmap, move the channels last, write a dense layer as [batch,1,1,channel]"
        )


def _check_function(what: str, function: Any) -> None:
    if not callable(function):
        raise ValueError(f"{what} must be a function; got {type(function).__name__}")
    try:
        hash(function)
    except TypeError as error:
        raise ValueError(
            f"{what} must be hashable, so that jax.jit can tell policies apart; got "
            f"{type(function).__name__} ({error}): write a function that takes the arrays as "
            "params"
        ) from None


def _dtype(x: Any) -> Any:
    return x.dtype if isinstance(x, Array | np.ndarray | jax.ShapeDtypeStruct) else None


def _described(x: Any) -> str:
    return type(x).__name__ if _dtype(x) is None else f"{x.dtype} {list(x.shape)}"
