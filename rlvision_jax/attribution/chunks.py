"""Runs a compiled function over many frames, in chunks of one size. (Host only.)

XLA compiles once per shape, so every chunk has the same number of frames, the last one filled up.
On CPU, threads take chunks in turn: XLA gains little from a second core on one chunk. On several
accelerators each takes its share of every chunk.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from rlvision_jax._checks import check_at_least
from rlvision_jax._memory import let_freed_memory_stay

# Frames per chunk and device. On CPU the activations of a chunk should stay near a core's caches;
# an accelerator wants enough work per kernel.
_CHUNK_SIZES = {"cpu": 16}
_ACCELERATOR_CHUNK_SIZE = 512


def chunk_size(num_frames: int, wanted: int | None = None, *, work_per_frame: int = 1) -> int:
    """Frames per chunk, for all local devices together.

    Args:
      num_frames: how many there are.
      wanted: frames per chunk and device; None: what suits the platform.
      work_per_frame: how many times a frame's activations are held at once.
    """
    if wanted is None:
        most = _CHUNK_SIZES.get(jax.default_backend(), _ACCELERATOR_CHUNK_SIZE)
        wanted = max(most // work_per_frame, 1)
    check_at_least("batch_size", wanted, 1)
    num_devices = jax.local_device_count()
    return num_devices * min(wanted, -(-num_frames // num_devices))


def work_of_scores(num_scores: int) -> int:
    """How many frames' work it is to attribute so many scores of one frame.

    Half a pass each, the way back, beside the forward work that all share.
    """
    return max(num_scores // 2, 1)


def map_chunks(
    function: Callable[[Any], tuple[Array, ...]], per_frame: Any, size: int
) -> tuple[np.ndarray, ...]:
    """Applies a function to all frames, chunk by chunk.

    Args:
      function: compiled function from a pytree of arrays to several arrays, frames first.
      per_frame: pytree of arrays, frames first.
      size: frames per chunk, of `chunk_size`.

    Returns:
      The function's results for all frames, as NumPy arrays.
    """
    per_frame = jax.tree.map(np.asarray, per_frame)
    num_frames = len(jax.tree.leaves(per_frame)[0])
    devices = jax.local_devices()

    def chunk(start: int) -> Any:
        return jax.tree.map(lambda x: _filled(x[start : start + size], size), per_frame)

    shapes = jax.eval_shape(function, chunk(0))
    whole = tuple(np.empty((num_frames, *x.shape[1:]), x.dtype) for x in shapes)

    def run(start: int) -> None:
        frames = chunk(start)
        if len(devices) > 1:
            mesh = jax.sharding.Mesh(np.asarray(devices), ("frame",))
            spec = jax.sharding.PartitionSpec("frame")
            frames = jax.device_put(frames, jax.sharding.NamedSharding(mesh, spec))
        for place, result in zip(whole, function(frames), strict=True):
            part = place[start : start + size]
            part[...] = np.asarray(result)[: len(part)]

    # On an accelerator one thread copies while the other one's chunk is computed.
    on_cpu = jax.default_backend() == "cpu" and len(devices) == 1
    if on_cpu:
        let_freed_memory_stay()
    with ThreadPoolExecutor((os.cpu_count() or 1) if on_cpu else 2) as threads:
        for _ in threads.map(run, range(0, num_frames, size)):
            pass
    return whole


def _filled(x: np.ndarray, size: int) -> np.ndarray:
    """An array with frames of zeros behind, up to the size of a chunk."""
    missing = size - len(x)
    if not missing:
        return x
    return np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)])
