"""Vision policies that can be cut at named layers."""

from rlvision_jax.models.policy import NETWORKS, Policy, make

__all__ = ["NETWORKS", "Policy", "make"]
