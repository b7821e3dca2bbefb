"""Applies a policy to frames that lie on the host. (Host only: threads.)"""

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
from rlvision_jax.training.cpu_shares import LayersInTurn, share_size
from rlvision_jax.training.eigen import eigen_options

Outputs: TypeAlias = tuple[Float[np.ndarray, "env action"], Float[np.ndarray, " env"]]
Forward: TypeAlias = Callable[[Params, UInt8[np.ndarray, "env height width channel"]], Outputs]

# Networks whose layers are so small that a call per core gains nothing (measured; docs/ppo.md).
_IN_ONE_CALL = ("nature",)


@contextlib.contextmanager
def forward_pass(policy: VisionPolicy) -> Iterator[Forward]:
    """A function from parameters and frames to policy logits and values.

    Args:
      policy: what is applied.
    """
    if jax.default_backend() != "cpu":
        yield functools.partial(_apply, policy)
        return
    if policy.name in _IN_ONE_CALL:
        yield functools.partial(_apply, policy, with_eigen=True)
        return
    let_freed_memory_stay()
    num_threads = os.cpu_count() or 1
    with ThreadPoolExecutor(num_threads) as threads:
        yield functools.partial(_apply_in_shares, LayersInTurn(policy), threads, num_threads)


def _apply(
    policy: VisionPolicy | LayersInTurn,
    params: Params,
    frames: UInt8[np.ndarray, "env height width channel"],
    *,
    with_eigen: bool = False,
) -> Outputs:
    logits, values = _compiled(with_eigen)(policy, params, frames)
    return np.asarray(logits), np.asarray(values)


def _apply_in_shares(
    policy: LayersInTurn,
    threads: ThreadPoolExecutor,
    num_threads: int,
    params: Params,
    frames: UInt8[np.ndarray, "env height width channel"],
) -> Outputs:
    size = share_size(len(frames), num_threads)
    shares = [frames[start : start + size] for start in range(0, len(frames), size)]
    outputs = threads.map(functools.partial(_apply, policy, params), shares)
    logits, values = map(np.concatenate, zip(*outputs, strict=True))
    return logits, values


@functools.cache
def _compiled(with_eigen: bool) -> Callable[..., tuple[jax.Array, jax.Array]]:
    options = eigen_options() if with_eigen else None
    return jax.jit(_outputs, static_argnums=0, compiler_options=options)


def _outputs(
    policy: VisionPolicy | LayersInTurn,
    params: Params,
    frames: UInt8[Array, "env height width channel"],
) -> tuple[Float[Array, "env action"], Float[Array, " env"]]:
    return policy.apply(params, frames)
