"""Whether a policy of one's own can be attributed: what a wrong chain gives away by its numbers."""

import json

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt8

from rlvision_jax._types import Params
from rlvision_jax.models.functional import check_outputs
from rlvision_jax.models.vision_policy import VisionPolicy, check_observations


def check_policy(
    policy: VisionPolicy,
    params: Params,
    observations: UInt8[Array | np.ndarray, "frame height width channel"],
    *,
    expected: tuple[Array | np.ndarray, Array | np.ndarray] | None = None,
    tolerance: float = 1e-3,
) -> None:
    """Raises ValueError with the first thing that keeps a policy from being attributed.

    Looks at shapes and types, at whether every layer can be resumed from, whether a frame's
    outputs are its own, whether the parameters matter, and whether the numbers are finite and
    those of the network that the policy stands for.

    Args:
      policy: of `from_functions`, or any other `VisionPolicy`.
      params: its parameters.
      observations: two or more different frames, 0-255, such as the environment gives.
      expected: policy logits and value that your own network gives for these frames; None
        leaves this comparison out.
      tolerance: largest difference allowed, relative to the largest logit or value. Raise it
        on an accelerator that multiplies in less than float32.

    Raises:
      ValueError: what is wrong, what was expected, and what to change.

    Example:
      >>> from rlvision_jax.models import from_functions
      >>> policy = from_functions(
      ...     [("scaled", lambda params, x: x * params)],
      ...     lambda params, x: (x[:, 0, 0, :2], x[:, 0, 0, 2]),
      ...     num_actions=2,
      ...     observation_shape=(1, 1, 3),
      ... )
      >>> frames = np.asarray([9, 8, 7, 6, 5, 4], np.uint8).reshape(2, 1, 1, 3)
      >>> own_outputs = frames[:, 0, 0, :2] / 255, frames[:, 0, 0, 2] / 255
      >>> check_policy(policy, jnp.ones(()), frames, expected=own_outputs)
    """
    _check_facts(policy, params)
    check_observations(policy, observations)
    if len(observations) < 2:
        raise ValueError(f"observations must hold two frames or more; got {len(observations)}")
    frames = jnp.asarray(observations)
    _check_shapes(policy, params, frames)

    def silent(leaf: Array) -> Array:
        return jnp.zeros_like(leaf) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf

    def compare(params: Params, frames: Array) -> dict:
        return {
            "outputs": policy.apply(params, frames),
            "alone": policy.apply(params, frames[:1]),
            "without params": policy.apply(jax.tree.map(silent, params), frames),
            "resumed": {
                layer: policy.head(params, policy.activations(params, frames, layer), layer)
                for layer in policy.layer_names
            },
        }

    # One program: the layers that these share are computed once.
    found = jax.device_get(jax.jit(compare)(params, frames))
    outputs = found["outputs"]
    for what, array in zip(("policy logits", "value"), outputs, strict=True):
        if not np.isfinite(array).all():
            raise ValueError(f"{what} must be finite; got {array.ravel()[:4]} ...")
    for layer, resumed in found["resumed"].items():
        _check_close(
            f'head(activations(x, "{layer}"), "{layer}")',
            resumed,
            "apply(x)",
            outputs,
            tolerance,
            f'"{layer}" must be all that the rest of the network sees, and nothing may be random: '
            "leave out layers that a connection passes by, switch dropout off",
        )
    _check_close(
        "the outputs for the first frame alone",
        found["alone"],
        "those among the others",
        tuple(array[:1] for array in outputs),
        tolerance,
        "a frame's outputs must not depend on its batch: let normalization use its running "
        "statistics",
    )
    if all(map(np.array_equal, outputs, found["without params"])):
        raise ValueError(
            "the outputs do not depend on params: the functions hold arrays of their own, so that "
            "edits and the fingerprint in reports would miss them; compute with params instead"
        )
    if expected is not None:
        wanted = tuple(np.asarray(array) for array in expected)
        for what, ours, theirs in zip(("logits", "value"), outputs, wanted, strict=True):
            if ours.shape != theirs.shape:
                raise ValueError(
                    f"expected must hold {what} of shape {list(ours.shape)}; got "
                    f"{list(theirs.shape)}"
                )
        _check_close(
            "apply(x)",
            outputs,
            "your network's outputs",
            wanted,
            tolerance,
            "compare layer by layer; common causes are preprocess, padding, the order in which "
            "heads flatten, and a forgotten activation function",
        )


def _check_facts(policy: VisionPolicy, params: Params) -> None:
    """What can be seen without running anything."""
    if not isinstance(policy, VisionPolicy):
        raise ValueError(
            f"policy must have what models.VisionPolicy lists; got {type(policy).__name__}: make "
            "it with models.from_functions"
        )
    try:
        hash(policy)
    except TypeError as error:
        raise ValueError(
            f"policy must be hashable, so that jax.jit can take it as static; got {error}: make "
            "it a frozen dataclass without arrays"
        ) from None
    try:
        json.dumps(policy.config, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"policy.config must be JSON values; got {error}") from None
    leaves = jax.tree.leaves_with_path(params)
    if not leaves:
        raise ValueError(
            "params hold no array; expected a pytree of the network's arrays, on which every "
            "function of the policy computes"
        )
    for path, leaf in leaves:
        if not isinstance(leaf, Array | np.ndarray | np.generic):
            raise ValueError(
                f"params must hold arrays only; got {type(leaf).__name__} at "
                f"{jax.tree_util.keystr(path)}: split the module, as eqx.partition(model, "
                "eqx.is_array) and nnx.split(model) do"
            )


def _check_shapes(policy: VisionPolicy, params: Params, frames: Array) -> None:
    """Shapes and types of every layer and of the outputs, without computing them."""
    outputs = jax.eval_shape(policy.apply, params, frames)
    check_outputs(outputs, len(frames), policy.num_actions)
    for layer in policy.layer_names:
        # Runs at once, inside this round of the loop.
        def activations(params: Params, frames: Array, layer: str = layer) -> Array:
            return policy.activations(params, frames, layer)

        def head(params: Params, activation: Array, layer: str = layer) -> tuple[Array, Array]:
            return policy.head(params, activation, layer)

        activation = jax.eval_shape(activations, params, frames)
        if len(activation.shape) != 4 or len(activation) != len(frames):
            raise ValueError(
                f'layer "{layer}" must be [batch,height,width,channel] for {len(frames)} frames; '
                f"got {list(activation.shape)}"
            )
        check_outputs(jax.eval_shape(head, params, activation), len(frames), policy.num_actions)


def _check_close(
    what: str,
    outputs: tuple[np.ndarray, ...],
    reference: str,
    wanted: tuple[np.ndarray, ...],
    tolerance: float,
    remedy: str,
) -> None:
    for name, ours, theirs in zip(("policy logits", "value"), outputs, wanted, strict=True):
        difference = float(np.abs(ours - theirs).max())
        largest = float(np.abs(theirs).max())
        if not difference <= tolerance * largest:
            raise ValueError(
                f"{name}: {what} must equal {reference}, at most {largest:.3g}; they differ by up "
                f"to {difference:.3g}: {remedy}"
            )
