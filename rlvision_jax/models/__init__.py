"""Vision policies that can be cut at named layers."""

from rlvision_jax.models.policy import ACTIVATION_DTYPES, NETWORKS, Policy, make

__all__ = ["ACTIVATION_DTYPES", "NETWORKS", "Policy", "make"]
