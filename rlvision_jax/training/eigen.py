"""Compiling for a CPU so that one call keeps all cores busy."""

import functools

import jax
import jax.numpy as jnp

# XLA leaves convolutions and products either to YNNPACK or to Eigen, which shares one call's work
# among threads better. This names what YNNPACK still takes: sums, of which ours are no part; JAX
# offers no way to say "nothing".
_OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_REDUCE"}


@functools.cache
def eigen_options() -> dict[str, str] | None:
    """What to give `jax.jit` as `compiler_options` for convolutions and products by Eigen.

    XLA does not promise to keep its option: None if this version, or another kind of device,
    lacks it.
    """
    if jax.default_backend() != "cpu":
        return None
    try:
        jax.jit(jnp.zeros, static_argnums=0, compiler_options=_OPTIONS)(())
    except jax.errors.JaxRuntimeError:
        return None
    return _OPTIONS
