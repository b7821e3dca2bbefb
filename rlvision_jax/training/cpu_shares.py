"""How a CPU's cores share frames. (Sizes measured; see docs/ppo.md.)

XLA gains little from a second core on a few dozen frames, and loses by cutting the work of one
call among its threads. So each core makes calls of its own, of which each works on few frames at a
time.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy

# Frames of a call, at most. Of 16, IMPALA's gradient needs 31.6 MB, and the C library keeps no
# block above 32 MB from call to call.
_LARGEST = 16
# Frames of it that the layers take at a time.
_AT_A_TIME = 4
# nature's layers are small, and most of its parameters are in its head, so that its gradient wants
# more frames of both.
_LARGEST_MICRO_BATCH = {"nature": 64}
_MORE_AT_A_TIME = {"nature": 8}


def share_size(num_frames: int, num_threads: int, largest: int = _LARGEST) -> int:
    """Frames of a call such that all threads make equally many calls, of nearly equal size.

    Args:
      num_frames: of all calls.
      num_threads: that make calls.
      largest: frames of a call, at most.

    Example:
      >>> share_size(40, num_threads=2)
      10
    """
    num_shares = num_threads * -(-num_frames // (num_threads * largest))
    return -(-num_frames // num_shares)


def micro_batch_size(policy: VisionPolicy, minibatch_size: int, num_threads: int) -> int:
    """Frames whose gradient a call computes.

    Example:
      >>> from rlvision_jax import models
      >>> micro_batch_size(models.make("nature"), minibatch_size=160, num_threads=2)
      40
    """
    return share_size(minibatch_size, num_threads, _LARGEST_MICRO_BATCH.get(policy.name, _LARGEST))


@dataclasses.dataclass(frozen=True)
class LayersInTurn:
    """A policy whose layers take a few frames at a time, and whose head takes all of them.

    Layers are fastest with few frames. The head's kernels, megabytes, are read once for all
    frames, and their gradient is written once.

    Attributes:
      policy: what is applied.
    """

    policy: VisionPolicy

    def apply(
        self, params: Params, observations: UInt8[Array | np.ndarray, "batch height width channel"]
    ) -> tuple[Float[Array, "batch action"], Float[Array, " batch"]]:
        """Policy logits and value."""
        last = self.policy.layer_names[-1]
        size = _MORE_AT_A_TIME.get(self.policy.name, _AT_A_TIME)
        starts = range(0, len(observations), size)
        shares = [observations[start : start + size] for start in starts]
        features = [self.policy.activations(params, share, last) for share in shares]
        return self.policy.head(params, jnp.concatenate(features), last)
