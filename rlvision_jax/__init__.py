"""Understand reinforcement-learning agents that see.

Attribution, factorization, editing and an interface for vision policies, on JAX.
"""

__version__ = "0.1.0"
