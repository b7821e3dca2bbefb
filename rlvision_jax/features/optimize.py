"""Feature visualisation: images that gradient ascent makes for a feature, from noise.

Source: Olah et al. 2017, "Feature Visualization", https://distill.pub/2017/feature-visualization;
LayerNMF.vis_traditional in lucid.scratch.rl_util.nmf, whose defaults these are.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, PyTree, UInt8

from rlvision_jax._checks import check_at_least
from rlvision_jax._types import Params
from rlvision_jax.features.image_scores import PixelRange, pixel_range, score_image
from rlvision_jax.features.objectives import (
    DirectionObjective,
    L2Norm,
    Objective,
    Position,
    SumObjective,
)
from rlvision_jax.features.parameterization import FourierImage, Parameterization
from rlvision_jax.models import VisionPolicy

# Standard deviations of the parameters that an image may start from; the first is Lucid's. The
# last makes frames of any colours.
_NOISES = (0.01, 0.04, 0.16, 0.32, 0.64, 1.28, 2.56)
_NUM_DRAWS = 8
_DEFAULT_PARAMETERIZATION = FourierImage()


@dataclasses.dataclass(frozen=True, kw_only=True)
class OptimizedImages:
    """Images made for objectives.

    Attributes:
      images: in [0, 1].
      scores: what each objective makes of its image.
      silent: whether nothing excited what the objective is after, in any of the noises that it was
        tried on: the image is such a noise, at most with penalties made small.
    """

    images: Float[np.ndarray, "objective height width channel"]
    scores: Float[np.ndarray, " objective"]
    silent: Bool[np.ndarray, " objective"]


def visualize(
    policy: VisionPolicy,
    params: Params,
    layer: str,
    directions: Float[Array | np.ndarray, "feature channel"],
    *,
    key: Array,
    position: Position = "center",
    power: float | int = 0,
    l2_layer: str | None = None,
    l2_penalty: float | int = 0.0,
    parameterization: Parameterization = _DEFAULT_PARAMETERIZATION,
    jitter: int = 2,
    num_steps: int = 512,
    learning_rate: float = 0.05,
) -> UInt8[np.ndarray, "feature height width color"]:
    """Makes an image for each feature direction of a layer: what the layer sees it in.

    An image depends on its own feature alone, not on what else is asked for.

    Args:
      policy: what computes the layer.
      params: its parameters.
      layer: one of `policy.layer_names`.
      directions: such as `find_directions(...).nmf.components`; rows of the identity matrix show
        channels.
      key: of noise and shifts; consumed.
      position: where in the layer; None: everywhere, which makes textures.
      power: of the cosine similarity, see `DirectionObjective`.
      l2_layer: layer whose activation is kept small: "1a" tames strong colours and edges. With
        `l2_penalty`.
      l2_penalty: what is subtracted for each unit of that layer's length, in units of the
        direction's dot product.
      parameterization: how images are written as parameters.
      jitter: largest shift of the image between steps, pixels.
      num_steps: steps of Adam, at least 1.
      learning_rate: of Adam.

    Returns:
      Images of the policy's frame, 0-255.

    Raises:
      ValueError: as `maximize`; if one of `l2_layer` and `l2_penalty` is given without the other.
    """
    if (l2_layer is None) != (l2_penalty == 0):
        raise ValueError(
            "l2_layer and l2_penalty belong together; got "
            f"l2_layer={l2_layer!r}, l2_penalty={l2_penalty}"
        )
    objectives: list[Objective] = [
        DirectionObjective(layer, direction, position, power=power)
        for direction in np.asarray(directions, np.float32)
    ]
    if l2_layer is not None:
        objectives = [objective - l2_penalty * L2Norm(l2_layer) for objective in objectives]
    made = maximize(
        policy,
        params,
        objectives,
        key=key,
        parameterization=parameterization,
        jitter=jitter,
        num_steps=num_steps,
        learning_rate=learning_rate,
    )
    return np.round(255 * made.images).astype(np.uint8)


def maximize(
    policy: VisionPolicy,
    params: Params,
    objectives: Sequence[Objective],
    *,
    key: Array,
    parameterization: Parameterization = _DEFAULT_PARAMETERIZATION,
    jitter: int = 2,
    num_steps: int = 512,
    learning_rate: float = 0.05,
    allow_silent: bool = False,
) -> OptimizedImages:
    """Makes an image for each objective by gradient ascent, all at once.

    In every step each image is shifted at random (cut out of one that is larger by `jitter`), so
    that it does not depend on where exactly a pixel falls in the network's grid.

    A network of ReLUs has no gradient where it is silent. So each image starts from the first of a
    fixed series of noises, fainter ones first, that gives what its objective adds (not what it
    subtracts) a gradient; most start from the first.

    Args:
      policy: what sees the images.
      params: its parameters.
      objectives: one or more of one kind: they may differ in their arrays and weights alone.
      key: of noise and shifts, the same for all images; consumed.
      parameterization: how images are written as parameters.
      jitter: largest shift, pixels, at least 0.
      num_steps: steps of Adam, at least 1.
      learning_rate: of Adam, above 0.
      allow_silent: mark objectives that no noise excites in the result, instead of raising.

    Raises:
      ValueError: if an objective does not fit the policy, objectives are of several kinds, a
        number is out of range, the policy does more to pixels than scale and shift them, or no
        noise excites an objective, so that its image would show nothing of it.
    """
    check_at_least("jitter", jitter, 0)
    check_at_least("num_steps", num_steps, 1)
    if not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate must be finite and above 0; got {learning_rate}")
    for objective in objectives:
        objective.check(policy, params)
    leaves, structure = _stacked(objectives)
    program = _Program(policy, structure, parameterization, jitter)
    inputs = _Inputs(params, leaves, pixel_range(policy, params), jnp.float32(learning_rate))
    noise_key, jitter_key = jax.random.split(key)
    sought = dataclasses.replace(inputs, leaves=_stacked([_sought(o) for o in objectives])[0])
    start, silent = _find_start(program, sought, noise_key, jitter_key, len(objectives))
    if silent.any() and not allow_silent:
        raise ValueError(
            f"no noise tried excites objectives {np.flatnonzero(silent).tolist()}, counted from 0, "
            "so there is nothing to go on: try position=None or another key, leave them out, or "
            "pass allow_silent=True to `maximize`"
        )
    # XLA on CPU runs convolutions within a loop 10 to 16 times slower than outside.
    climb = _step_by_step if jax.default_backend() == "cpu" else _in_one_program
    parameters = climb(program, inputs, _begin(start), jitter_key, num_steps)
    images, scores = _finish(program, inputs, parameters)
    return OptimizedImages(images=np.asarray(images), scores=np.asarray(scores), silent=silent)


@dataclasses.dataclass(frozen=True)
class _Program:
    """What programs are compiled for."""

    policy: VisionPolicy
    structure: Any
    parameterization: Parameterization
    jitter: int

    @property
    def canvas_shape(self) -> tuple[int, int, int]:
        """Of the image that frames are cut out of."""
        height, width, channel = self.policy.observation_shape
        return height + self.jitter, width + self.jitter, channel

    def frame(self, parameters: Array, offset: Array) -> Float[Array, "height width channel"]:
        """One image, cut out at an offset of rows and columns."""
        canvas = self.parameterization.image(parameters, self.canvas_shape)
        corner = (offset[0], offset[1], jnp.zeros_like(offset[0]))
        return jax.lax.dynamic_slice(canvas, corner, self.policy.observation_shape)

    def score(self, inputs: "_Inputs", leaves: PyTree, image: Array) -> Float[Array, ""]:
        """What the objective of these leaves makes of one image."""
        objective = jax.tree.unflatten(self.structure, leaves)
        return score_image(self.policy, inputs.params, objective, image, inputs.scale)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Inputs:
    """What stays the same in all steps."""

    params: Params
    leaves: list[Array]
    scale: PixelRange
    learning_rate: Float[Array, ""]


_State: TypeAlias = tuple[Array, optax.OptState]
"""Parameters of all images, and Adam's moments."""


def _begin(parameters: Array) -> _State:
    # Its state does not depend on the learning rate.
    return parameters, optax.adam(1.0).init(parameters)


def _sought(objective: Objective) -> Objective:
    """The objective without what it subtracts; itself, if that is all."""
    if not isinstance(objective, SumObjective) or max(objective.weights) <= 0:
        return objective
    return SumObjective(objective.terms, tuple(max(weight, 0.0) for weight in objective.weights))


def _find_start(
    program: _Program, sought: _Inputs, noise_key: Array, jitter_key: Array, num_objectives: int
) -> tuple[Array, Bool[np.ndarray, " objective"]]:
    """The first noise for each objective that a step improves; and where there was none."""
    draws = [
        program.parameterization.init(key, program.canvas_shape)
        for key in jax.random.split(noise_key, _NUM_DRAWS)
    ]
    start = jnp.stack([_NOISES[0] * draws[0]] * num_objectives)
    silent = np.ones(num_objectives, bool)
    for noise, draw in itertools.product(_NOISES, draws):
        tried = jnp.stack([noise * draw] * num_objectives)
        moved, _ = _compiled_step(program, sought, _begin(tried), jitter_key, jnp.int32(0))
        excited = np.asarray((moved != tried).any(tuple(range(1, tried.ndim))))
        found = (silent & excited).reshape(-1, *(1,) * (tried.ndim - 1))
        start, silent = jnp.where(found, tried, start), silent & ~excited
        if not silent.any():
            break
    return start, silent


def _stacked(objectives: Sequence[Objective]) -> tuple[list[Array], Any]:
    """Arrays and weights of objectives of one kind, along a new first axis, and that kind."""
    flat = [jax.tree.flatten(objective) for objective in objectives]
    kinds = {structure for _, structure in flat}
    if len(kinds) != 1:
        raise ValueError(
            "objectives of one call must be one or more of one kind, with the same layers, "
            f"positions and powers; got {len(flat)} of {len(kinds)} kinds: call once for each kind"
        )
    (structure,) = kinds
    columns = zip(*(leaves for leaves, _ in flat), strict=True)
    stacked = [np.stack([np.asarray(leaf) for leaf in column]) for column in columns]
    return [
        jnp.asarray(leaf, jnp.float32 if leaf.dtype.kind == "f" else jnp.int32) for leaf in stacked
    ], structure


def _step(
    program: _Program,
    inputs: _Inputs,
    state: _State,
    key: Array,
    step: Array,
) -> _State:
    """One step of Adam for all images."""
    offset = jax.random.randint(jax.random.fold_in(key, step), (2,), 0, program.jitter + 1)

    def loss(parameters: Array, leaves: list[Array]) -> Float[Array, ""]:
        return -program.score(inputs, leaves, program.frame(parameters, offset))

    parameters, moments = state
    gradients = jax.vmap(jax.grad(loss))(parameters, inputs.leaves)
    updates, moments = optax.adam(inputs.learning_rate).update(gradients, moments)
    return jax.tree.map(jnp.add, parameters, updates), moments


_compiled_step = jax.jit(_step, static_argnums=0)


def _step_by_step(
    program: _Program, inputs: _Inputs, state: _State, key: Array, num_steps: int
) -> Array:
    for step in range(num_steps):
        state = _compiled_step(program, inputs, state, key, jnp.int32(step))
    return state[0]


@functools.partial(jax.jit, static_argnums=0)
def _in_one_program(
    program: _Program, inputs: _Inputs, state: _State, key: Array, num_steps: int | Array
) -> Array:
    def step(index: Array, state: _State) -> _State:
        return _step(program, inputs, state, key, index)

    return jax.lax.fori_loop(0, num_steps, step, state)[0]


@functools.partial(jax.jit, static_argnums=0)
def _finish(
    program: _Program, inputs: _Inputs, parameters: Array
) -> tuple[Float[Array, "objective height width channel"], Float[Array, " objective"]]:
    """The middle of each image, and its score."""
    middle = jnp.full(2, program.jitter // 2)
    images = jax.vmap(lambda one: program.frame(one, middle))(parameters)
    scores = jax.vmap(lambda leaves, image: program.score(inputs, leaves, image))
    return images, scores(inputs.leaves, images)
