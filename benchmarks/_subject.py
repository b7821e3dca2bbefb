"""What the attribution and NMF benchmarks work on: the paper's network and real frames."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from rlvision_jax import models
from rlvision_jax._types import Params

LAYER = "2b"
_FRAMES = Path(__file__).parent.parent / "tests" / "golden" / "frames.npz"


def policy_and_params() -> tuple[models.Policy, Params]:
    """The clear network with He-normal kernels and small biases, from a seed."""
    policy = models.make("clear", num_actions=15)
    random = np.random.default_rng(0)

    def draw(path: tuple, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        is_bias = path[-1].key == "bias"
        deviation = 0.05 if is_bias else np.sqrt(2 / np.prod(leaf.shape[:-1]))
        return jnp.asarray(deviation * random.normal(size=leaf.shape), jnp.float32)

    shapes = jax.eval_shape(policy.init, jax.random.key(0))
    return policy, jax.tree_util.tree_map_with_path(draw, shapes)


def frames(count: int) -> np.ndarray:
    """Real CoinRun frames; past the 64 at hand, the same shifted sideways."""
    real = np.load(_FRAMES)["frames"]
    shifts = range(0, -(-count // len(real)))
    return np.concatenate([np.roll(real, 7 * shift, axis=2) for shift in shifts])[:count]
