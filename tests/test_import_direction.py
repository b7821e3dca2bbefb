"""A module imports only from lower levels or its own sub-package (docs/CONTRIBUTING.md)."""

import ast
import pathlib
import subprocess
import sys

import pytest

import rlvision_jax

_ROOT = pathlib.Path(rlvision_jax.__file__).parent
_LEVELS = {
    "_types": 0,
    "_checks": 0,
    "_extras": 0,
    "_memory": 0,
    "_version": 0,
    "_loops": 0,
    "_nodes": 1,
    "envs": 1,
    "models": 1,
    "factorization": 1,
    "checkpoint": 2,
    "attribution": 2,
    "training": 3,
    "features": 3,
    "editing": 3,
    "sweeps": 4,
    "studies": 5,
    "interface": 6,
    "live": 7,
    "cli": 8,
}
_MODULES = sorted(path for path in _ROOT.rglob("*.py") if path != _ROOT / "__init__.py")


def _imported_parts(source: str) -> set[str]:
    """Sub-packages of rlvision_jax that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            prefix = node.module
            names |= {f"{prefix}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("rlvision_jax.relative import")
    return {name.split(".")[1] for name in names if name.startswith("rlvision_jax.")}


@pytest.mark.parametrize("path", _MODULES, ids=lambda path: str(path.relative_to(_ROOT)))
def test_module_imports_only_from_lower_levels(path):
    own = path.relative_to(_ROOT).parts[0].removesuffix(".py")
    for part in _imported_parts(path.read_text()) - {own}:
        assert _LEVELS[part] < _LEVELS[own], f"{own} (level {_LEVELS[own]}) imports {part}"


def test_imports_are_found_in_every_form():
    source = "import rlvision_jax.envs\nfrom rlvision_jax import cli\nfrom . import x"
    assert _imported_parts(source) == {"envs", "cli", "relative import"}


def test_importing_the_package_loads_no_optional_library():
    code = (
        "import sys, rlvision_jax as rlv\n"
        "rlv.training, rlv.attribution, rlv.features, rlv.editing, rlv.studies\n"
        "optional = {'tyro', 'zarr', 'ray', 'pyarrow', 'tensorboardX', 'sklearn', 'ale_py',\n"
        "            'gymnasium', 'gymnax', 'matplotlib'}\n"
        "print(sorted(optional & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
