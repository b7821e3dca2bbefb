"""Optional packages, imported when an environment needs them, and the error where they miss."""

import importlib
from types import ModuleType

_PACKAGES = {"atari": "ale-py", "gymnasium": "gymnasium", "gymnax": "gymnax"}


class MissingExtraError(ImportError):
    """A package that an environment needs is not installed."""


def import_extra(module: str, *, extra: str) -> ModuleType:
    """Imports a module of an optional package.

    Args:
      module: such as "ale_py.vector_env".
      extra: extra of this package that installs it.

    Raises:
      MissingExtraError: if it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{extra}: environments need {_PACKAGES[extra]}, which cannot be imported ({error}). "
            f"Install it with\n  pip install 'rlvision_jax[{extra}]'"
        ) from error
