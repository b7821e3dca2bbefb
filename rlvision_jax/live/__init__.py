"""The live report: a local server that edits frames and asks the agent about them."""

from rlvision_jax.live.errors import RequestError
from rlvision_jax.live.server import bind, serve
from rlvision_jax.live.session import Session

__all__ = ["RequestError", "Session", "bind", "serve"]
