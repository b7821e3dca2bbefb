"""Optional packages, imported where they are needed, and the error where they miss."""

import importlib
from types import ModuleType


class MissingExtraError(ImportError):
    """A package that a feature needs is not installed."""


def import_extra(module: str, *, extra: str) -> ModuleType:
    """Imports a module of an optional package.

    Args:
      module: such as "ale_py.vector_env".
      extra: extra of this package that installs it.

    Raises:
      MissingExtraError: if it cannot be imported; says how to install it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f"this needs {package}, which cannot be imported ({error}). "
            f"Install it with\n  pip install 'rlvision_jax[{extra}]'"
        ) from error
