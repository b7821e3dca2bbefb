"""How many frames a core of a CPU learns from at a time. (Sizes measured; see docs/ppo.md.)"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._types import Params
from rlvision_jax.models import Policy

# Frames of a micro-batch, at most. More keep more activations; nature's few are worth it, since
# most of its parameters are in its head.
_LARGEST = {
    "impala": 8,
    "impala_baselines": 8,
    "impala_cleanrl": 8,
    "clear": 8,
    "nature": 64,
}
# Frames of it that the layers take at a time.
_IN_CACHE = 8


def micro_batch_size(policy: Policy, minibatch_size: int, num_threads: int) -> int:
    """Frames of a micro-batch such that all threads take equally many, of nearly equal size.

    Example:
      >>> from rlvision_jax import models
      >>> micro_batch_size(models.make("nature"), minibatch_size=160, num_threads=2)
      40
    """
    at_once = num_threads * _LARGEST[policy.name]
    num_micro_batches = num_threads * -(-minibatch_size // at_once)
    return -(-minibatch_size // num_micro_batches)


@dataclasses.dataclass(frozen=True)
class LayersInTurn:
    """A policy whose layers take a few frames at a time, and whose head takes all of them.

    More frames at a time leave a core's cache. The head's kernels, megabytes, are read once for
    all frames, and their gradient is written once.

    Attributes:
      policy: what is applied.
    """

    policy: Policy

    def apply(
        self, params: Params, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value."""
        last, starts = self.policy.layer_names[-1], range(0, len(observations), _IN_CACHE)
        shares = [observations[start : start + _IN_CACHE] for start in starts]
        features = [self.policy.activations(params, share, last) for share in shares]
        return self.policy.head(params, jnp.concatenate(features), last)
