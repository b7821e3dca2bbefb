"""The committed page is what its source builds, and the source passes its own checks."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
ASSETS = ROOT / "rlvision_jax" / "interface" / "assets"


@pytest.fixture(scope="module")
def npm(tmp_path_factory):
    """Runs npm in a copy of web/ with the locked packages."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"the fresh build of web/ did not run: no {program} on the PATH")
    root = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "web", root / "web", ignore=shutil.ignore_patterns("node_modules"))
    (root / "rlvision_jax" / "interface").mkdir(parents=True)

    def npm(*arguments):
        result = subprocess.run(
            ["npm", *arguments], cwd=root / "web", capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return root

    npm("ci", "--no-audit", "--no-fund")
    return npm


def test_the_committed_bundle_equals_a_fresh_build(npm):
    fresh = npm("run", "build") / "rlvision_jax" / "interface" / "assets"
    assert sorted(p.name for p in fresh.iterdir()) == sorted(p.name for p in ASSETS.iterdir())
    for path in fresh.iterdir():
        same = path.read_bytes() == (ASSETS / path.name).read_bytes()
        assert same, f"{path.name} is out of date: run `npm ci && npm run build` in web/"


@pytest.mark.slow
def test_types_and_markup_of_the_page_pass_their_checks(npm):
    npm("run", "check")


def test_unit_tests_of_the_page_pass(npm):
    npm("test")


def test_the_lock_file_names_no_registry():
    lock = (ROOT / "web" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert '"integrity"' in lock
