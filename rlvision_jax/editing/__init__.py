"""Edits of a policy's weights."""

from rlvision_jax.editing.projection import (
    project_out,
    project_out_of_kernel,
    scale_direction,
    scale_in_kernel,
)

__all__ = ["project_out", "project_out_of_kernel", "scale_direction", "scale_in_kernel"]
