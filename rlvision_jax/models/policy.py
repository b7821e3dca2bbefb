"""Policy: a network with its observation format, and the split at named layers."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._checks import check_at_least, check_choice
from rlvision_jax._types import Params
from rlvision_jax.models.clear import ClearNetwork
from rlvision_jax.models.impala import (
    BaselinesImpalaNetwork,
    CleanRLImpalaNetwork,
    ImpalaNetwork,
)
from rlvision_jax.models.nature import NatureNetwork
from rlvision_jax.models.network import LayeredNetwork, Part
from rlvision_jax.models.vision_policy import check_layer, check_observations

NETWORKS: dict[str, type[LayeredNetwork]] = {
    "impala": ImpalaNetwork,
    "clear": ClearNetwork,
    "nature": NatureNetwork,
    "impala_baselines": BaselinesImpalaNetwork,
    "impala_cleanrl": CleanRLImpalaNetwork,
}
ACTIVATION_DTYPES = ("float32", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Policy:
    """A vision policy: uint8 observations in, policy logits and value out.

    Hashable and compared by configuration, so it can be a static argument of `jax.jit`.

    Attributes:
      name: one of `NETWORKS`.
      num_actions: number of policy logits.
      observation_shape: height, width, channel of one observation.
      activation_dtype: what activations are rounded to, "float32" or "bfloat16"; the heads
        and the parameters are float32 either way. bfloat16 halves the memory of activations. No
        part of `config`: an agent is its parameters.
    """

    name: str
    num_actions: int
    observation_shape: tuple[int, int, int] = (64, 64, 3)
    activation_dtype: str = "float32"

    def __post_init__(self) -> None:
        check_choice("model", self.name, NETWORKS)
        check_choice("activation_dtype", self.activation_dtype, ACTIVATION_DTYPES)
        check_at_least("num_actions", self.num_actions, 1)

    @property
    def network(self) -> LayeredNetwork:
        """The Flax Linen module."""
        return NETWORKS[self.name](num_actions=self.num_actions)

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Attributable layers, from the observation on."""
        return self.network.layer_names

    @property
    def config(self) -> dict[str, Any]:
        """What `make` needs to build this policy again; plain JSON values."""
        return {
            "name": self.name,
            "num_actions": self.num_actions,
            "observation_shape": list(self.observation_shape),
        }

    @functools.partial(jax.jit, static_argnums=0)
    def init(self, key: Array) -> Params:
        """Draws parameters; `key` is consumed. One compiled program."""
        return self.network.init(key, jnp.zeros((1, *self.observation_shape)))

    def apply(
        self, params: Params, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value.

        Raises:
          ValueError: if the observations are not uint8 or of another shape.
        """
        return self.head(params, self.pixels(observations), None)

    def pixels(
        self, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> Float[Array, "batch height width channel"]:
        """Observations as the network takes them: float32 in [0, 1].

        Raises:
          ValueError: if the observations are not uint8 or of another shape.
        """
        check_observations(self, observations)
        return jnp.asarray(observations).astype(jnp.float32) / 255.0

    def activations(
        self,
        params: Params,
        observations: UInt8[Array | np.ndarray, "batch height width channel"],
        layer: str | None,
    ) -> Float[Array, "batch h w c"]:
        """Activation of a layer; with `layer=None` the pixels in [0, 1].

        Args:
          params: parameters of this policy.
          observations: frames, 0-255.
          layer: one of `layer_names`, or None. Static.

        Returns:
          Activation after ReLU and before pooling, at least 0. The first two stacks of
          "impala_baselines" and "impala_cleanrl" have no ReLU: theirs may be below 0.

        Raises:
          ValueError: if the layer is unknown, or the observations are not as `pixels` expects.
        """
        pixels = self.pixels(observations)
        if layer is None:
            return pixels
        check_layer(self, layer)
        return self._run(params, pixels, stop=layer)

    def head(
        self,
        params: Params,
        activation: Float[Array | np.ndarray, "batch h w c"],
        layer: str | None,
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value, resumed from the activation of `layer` (None: the pixels).

        Raises:
          ValueError: if the layer is unknown.
        """
        if layer is not None:
            check_layer(self, layer)
        return self._run(params, jnp.asarray(activation), start=layer)

    def reads_affinely(self, layer: str | None) -> bool:
        """Whether the read of `layer` is affine: wherever no pooling comes before it."""
        return layer not in self.network.pooled_layers

    def read(
        self,
        params: Params,
        activation: Float[Array | np.ndarray, "batch h w c"],
        layer: str | None,
    ) -> Float[Array, "batch ..."]:
        """What the next nonlinearity gets of an activation of `layer` (None: the pixels).

        `resume` goes on from there. The derivative of the read is the same at every positive
        multiple of an activation, up to the 1e-8 under the root of L2 pooling.

        Raises:
          ValueError: if the layer is unknown.
        """
        if layer is not None:
            check_layer(self, layer)
        return self._run(params, jnp.asarray(activation), start=layer, part="read")

    def resume(
        self,
        params: Params,
        read: Float[Array, "batch ..."],
        layer: str | None,
        stop: str | None = None,
    ) -> Any:
        """From the read of `layer` to a later layer's activation, or to logits and value.

        Raises:
          ValueError: if a layer is unknown.
        """
        for name in (layer, stop):
            if name is not None:
                check_layer(self, name)
        return self._run(params, read, start=layer, stop=stop, part="rest")

    def _run(
        self,
        params: Params,
        x: Array,
        *,
        start: str | None = None,
        stop: str | None = None,
        part: Part = None,
    ) -> Any:
        """The network between two layers. Flax cannot type what a module returns."""
        if self.activation_dtype != "float32":
            # Flax computes in the widest type that it meets: the heads, last, in float32.
            modules = jax.tree.map(lambda x: x.astype(self.activation_dtype), params["params"])
            params = {"params": {**modules, "heads": params["params"]["heads"]}}
            x = x.astype(self.activation_dtype)
        return self.network.apply(params, x, start=start, stop=stop, part=part)

    def layer_shape(self, layer: str) -> tuple[int, int, int]:
        """Height, width and number of channels of a layer.

        Example:
          >>> make("clear", num_actions=15).layer_shape("2b")
          (32, 32, 32)
        """
        params = jax.eval_shape(self.init, jax.random.key(0))
        observation = jax.ShapeDtypeStruct((1, *self.observation_shape), jnp.uint8)
        activation = jax.eval_shape(
            lambda params, observation: self.activations(params, observation, layer),
            params,
            observation,
        )
        _, height, width, channel = activation.shape
        return height, width, channel


def make(
    name: str,
    num_actions: int = 15,
    observation_shape: Sequence[int] = (64, 64, 3),
    *,
    activation_dtype: str = "float32",
) -> Policy:
    """Makes a policy by the name of its network.

    Args:
      name: "impala", "clear" (the paper's) or "nature"; "impala_baselines" and
        "impala_cleanrl" are IMPALA as others publish it, for imported parameters.
      num_actions: number of policy logits; Procgen has 15.
      observation_shape: height, width, channel of one observation. The clear network needs
        height and width divisible by 16, the nature network at least 36.
      activation_dtype: "float32", or "bfloat16" for half the memory of activations.

    Raises:
      ValueError: if the name or the type is unknown, or the network cannot see such observations.

    Example:
      >>> make("clear", num_actions=15).layer_names
      ('1a', '2a', '2b', '3a', '4a')
    """
    height, width, channel = observation_shape
    policy = Policy(name, num_actions, (height, width, channel), activation_dtype)
    network = NETWORKS[name]
    for side in (height, width):
        if side < network.smallest_side or side % network.side_divisor:
            raise ValueError(
                f'network "{name}" needs height and width of at least {network.smallest_side} '
                f"pixels, divisible by {network.side_divisor}; got frames of {height}x{width}. "
                '"impala" takes any size'
            )
    return policy
