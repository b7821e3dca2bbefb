"""Runs a compiled function over many frames, in chunks of one size. (Host only.)

XLA compiles once per shape, so every chunk has the same number of frames, the last one filled up.
On CPU, threads take chunks in turn: XLA gains little from a second core on one chunk. On several
accelerators each takes its share of every chunk.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from rlvision_jax._checks import check_at_least

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


def map_chunks(
    function: Callable[[Any], Any], per_frame: Any, size: int
) -> Iterator[tuple[slice, Any]]:
    """Applies a function chunk by chunk, in order.

    Args:
      function: compiled function from a pytree of arrays to another, frames first.
      per_frame: pytree of arrays, frames first.
      size: frames per chunk, of `chunk_size`.

    Yields:
      Which frames, and the function's results for them as NumPy arrays.
    """
    per_frame = jax.tree.map(np.asarray, per_frame)
    num_frames = len(jax.tree.leaves(per_frame)[0])
    devices = jax.local_devices()

    def run(start: int) -> tuple[slice, Any]:
        part = slice(start, min(start + size, num_frames))
        chunk = jax.tree.map(lambda x: _filled(x[part], size), per_frame)
        if len(devices) > 1:
            mesh = jax.sharding.Mesh(np.asarray(devices), ("frame",))
            chunk = jax.device_put(
                chunk, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("frame"))
            )
        results = function(chunk)
        return part, jax.tree.map(lambda x: np.asarray(x)[: part.stop - part.start], results)

    starts = range(0, num_frames, size)
    # An accelerator computes one chunk while the next one is copied to it.
    on_cpu = jax.default_backend() == "cpu" and len(devices) == 1
    num_threads = (os.cpu_count() or 1) if on_cpu else 2
    with ThreadPoolExecutor(num_threads) as threads:
        # A few chunks ahead, so that results do not pile up.
        ahead = [threads.submit(run, start) for start in starts[: 2 * num_threads]]
        for start in [*starts[2 * num_threads :], *[None] * len(ahead)]:
            yield ahead.pop(0).result()
            if start is not None:
                ahead.append(threads.submit(run, start))


def _filled(x: np.ndarray, size: int) -> np.ndarray:
    """An array with frames of zeros behind, up to the size of a chunk."""
    missing = size - len(x)
    if not missing:
        return x
    return np.concatenate([x, np.zeros((missing, *x.shape[1:]), x.dtype)])
