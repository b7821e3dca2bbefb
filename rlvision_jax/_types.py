"""Array aliases that several sub-packages share."""

from typing import Any, TypeAlias

Params: TypeAlias = Any
"""Parameters of a policy: a pytree as Flax Linen's `init` returns it."""
