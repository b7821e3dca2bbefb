"""Edits of a policy's weights."""

from rlvision_jax.editing.projection import project_out

__all__ = ["project_out"]
