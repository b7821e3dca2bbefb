"""Understand reinforcement-learning agents that see.

Attribution, factorization, editing and an interface for vision policies, on JAX.
"""

from rlvision_jax._version import __version__

__all__ = ["__version__"]
