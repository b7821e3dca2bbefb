"""Applies a policy to frames that lie on the host. (Host only: threads.)

XLA on CPU gains little from a second core on a few dozen frames. There, threads share a batch.
"""

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias

import jax
import numpy as np
from jaxtyping import Array, Float, UInt8

from rlvision_jax._memory import let_freed_memory_stay
from rlvision_jax._types import Params
from rlvision_jax.models import VisionPolicy

Outputs: TypeAlias = tuple[Float[np.ndarray, "env action"], Float[np.ndarray, " env"]]
Forward: TypeAlias = Callable[[Params, UInt8[np.ndarray, "env height width channel"]], Outputs]

# Frames that a core computes at a time: as many as its cache holds the activations of.
_SHARE = 8


@contextlib.contextmanager
def forward_pass(policy: VisionPolicy) -> Iterator[Forward]:
    """A function from parameters and frames to policy logits and values.

    Args:
      policy: what is applied.
    """
    num_threads = os.cpu_count() or 1
    if jax.default_backend() == "cpu":
        let_freed_memory_stay()
    if jax.default_backend() != "cpu" or num_threads == 1:
        yield functools.partial(_apply, policy)
    else:
        with ThreadPoolExecutor(num_threads) as threads:
            yield functools.partial(_apply_in_shares, policy, threads, num_threads)


def _apply(
    policy: VisionPolicy, params: Params, frames: UInt8[np.ndarray, "env height width channel"]
) -> Outputs:
    logits, values = _compiled(policy, params, frames)
    return np.asarray(logits), np.asarray(values)


def _apply_in_shares(
    policy: VisionPolicy,
    threads: ThreadPoolExecutor,
    num_threads: int,
    params: Params,
    frames: UInt8[np.ndarray, "env height width channel"],
) -> Outputs:
    starts = range(0, len(frames), _SHARE)

    def shares(thread: int) -> list[Outputs]:
        return [
            _apply(policy, params, frames[start : start + _SHARE])
            for start in starts[thread::num_threads]
        ]

    computed = list(threads.map(shares, range(min(num_threads, len(starts)))))
    in_order = [computed[i % num_threads][i // num_threads] for i in range(len(starts))]
    logits, values = map(np.concatenate, zip(*in_order, strict=True))
    return logits, values


@functools.partial(jax.jit, static_argnums=0)
def _compiled(
    policy: VisionPolicy, params: Params, frames: UInt8[Array, "env height width channel"]
) -> tuple[Float[Array, "env action"], Float[Array, " env"]]:
    return policy.apply(params, frames)
