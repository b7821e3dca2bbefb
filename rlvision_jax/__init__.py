"""Understand reinforcement-learning agents that see.

Attribution, factorization, editing and an interface for vision policies, on JAX. Sub-packages
load when first used.
"""

import importlib
from typing import TYPE_CHECKING

from rlvision_jax._version import __version__

if TYPE_CHECKING:
    from rlvision_jax import (
        attribution,
        checkpoint,
        editing,
        envs,
        factorization,
        features,
        interface,
        live,
        models,
        studies,
        sweeps,
        training,
    )

__all__ = [
    "__version__",
    "attribution",
    "checkpoint",
    "editing",
    "envs",
    "factorization",
    "features",
    "interface",
    "live",
    "models",
    "studies",
    "sweeps",
    "training",
]


def __getattr__(name: str) -> object:
    if name in __all__:
        return importlib.import_module(f"rlvision_jax.{name}")
    raise AttributeError(f'module "rlvision_jax" has no attribute "{name}"')


def __dir__() -> list[str]:
    return __all__
