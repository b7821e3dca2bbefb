"""What attribution, features, playing and reports need of a policy, whoever wrote it."""

from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._checks import quoted
from rlvision_jax._types import Params


@runtime_checkable
class VisionPolicy(Protocol):
    """A policy that can be cut at named layers; `Policy` and `FunctionPolicy` are two.

    A chain: observation -> layer 1 -> ... -> layer n -> policy logits and value. Everything behind
    a layer sees the observation through that layer alone, so that
    `head(params, activations(params, observations, layer), layer)` equals
    `apply(params, observations)`.

    Must be hashable, since `jax.jit` takes it as a static argument: equal policies compute the
    same function of parameters and observations. Parameters are any pytree of arrays.
    `check_policy` tells what is missing.
    """

    @property
    def name(self) -> str:
        """What errors call the policy."""
        ...

    @property
    def num_actions(self) -> int:
        """Number of policy logits."""
        ...

    @property
    def observation_shape(self) -> tuple[int, int, int]:
        """Height, width, channel of one observation."""
        ...

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Attributable layers, from the observation on."""
        ...

    @property
    def config(self) -> dict[str, Any]:
        """What the provenance of a report says of the policy; plain JSON values."""
        ...

    def apply(
        self, params: Params, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value, both float32."""
        ...

    def activations(
        self,
        params: Params,
        observations: UInt8[Array | np.ndarray, "batch height width channel"],
        layer: str | None,
    ) -> Float[Array, "batch h w c"]:
        """Activation of a layer; with `layer=None` the pixels as the first layer takes them."""
        ...

    def head(
        self,
        params: Params,
        activation: Float[Array | np.ndarray, "batch h w c"],
        layer: str | None,
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value, resumed from the activation of `layer` (None: the pixels)."""
        ...


@runtime_checkable
class SplitPolicy(VisionPolicy, Protocol):
    """A policy that shows what reads a layer, which makes attribution faster, and can stop early.

    The read of a layer is whatever can be taken out of the steps of an integration: its derivative
    is the same all along the line from silence to an activation. In a network it is the next
    convolution or product up to its nonlinearity, with the pooling before it.
    `resume(params, read(params, activation, layer), layer)` equals
    `head(params, activation, layer)`.
    """

    def reads_affinely(self, layer: str | None) -> bool:
        """Whether the read of `layer` is affine, not only along lines from silence."""
        ...

    def read(
        self,
        params: Params,
        activation: Float[Array | np.ndarray, "batch h w c"],
        layer: str | None,
    ) -> Float[Array, "batch ..."]:
        """What the rest of the network gets of an activation of `layer` (None: the pixels)."""
        ...

    def resume(
        self,
        params: Params,
        read: Float[Array, "batch ..."],
        layer: str | None,
        stop: str | None = None,
    ) -> Any:
        """From the read of `layer` on, to the later layer `stop` or to policy logits and value."""
        ...


def check_layer(policy: VisionPolicy, layer: str) -> None:
    """Raises ValueError unless `layer` is one of the policy's."""
    if layer not in policy.layer_names:
        raise ValueError(
            f'unknown layer "{layer}"; model "{policy.name}" has {quoted(policy.layer_names)}'
        )


def middle_layer(policy: VisionPolicy) -> str:
    """The layer halfway between observation and heads.

    Example:
      >>> from rlvision_jax import models
      >>> middle_layer(models.make("clear")), middle_layer(models.make("impala"))
      ('2b', 'stack2')
    """
    return policy.layer_names[len(policy.layer_names) // 2]


def check_observations(policy: VisionPolicy, observations: Array | np.ndarray) -> None:
    """Raises ValueError unless these are uint8 frames of the policy's shape."""
    height, width, channel = policy.observation_shape
    if observations.dtype != jnp.uint8 or observations.shape[1:] != (height, width, channel):
        raise ValueError(
            f"observations must be uint8 [batch,{height},{width},{channel}]; got "
            f"{observations.dtype} {list(observations.shape)}"
        )
