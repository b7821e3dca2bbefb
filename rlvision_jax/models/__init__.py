"""Vision policies that can be cut at named layers."""

from rlvision_jax.models.checking import check_policy
from rlvision_jax.models.functional import FunctionPolicy, from_functions, unit_range
from rlvision_jax.models.policy import ACTIVATION_DTYPES, NETWORKS, Policy, make
from rlvision_jax.models.vision_policy import (
    SplitPolicy,
    VisionPolicy,
    check_layer,
    check_observations,
    middle_layer,
)

__all__ = [
    "ACTIVATION_DTYPES",
    "NETWORKS",
    "FunctionPolicy",
    "Policy",
    "SplitPolicy",
    "VisionPolicy",
    "check_layer",
    "check_observations",
    "check_policy",
    "from_functions",
    "make",
    "middle_layer",
    "unit_range",
]
