"""Finding and loading the library; what is said where it is missing."""

import importlib.util
import platform
import sys
from importlib.machinery import ModuleSpec

import pytest

from rlvision_jax import envs
from rlvision_jax.envs import procgen_library


@pytest.fixture
def unloaded():
    """Lets a test load the library anew."""
    procgen_library.load.cache_clear()
    yield
    procgen_library.load.cache_clear()


def pretend_installed_in(monkeypatch, folder):
    spec = ModuleSpec("procgen", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)


def test_missing_procgen_names_the_line_that_installs_it(monkeypatch, unloaded):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 12, 0))
    with pytest.raises(envs.MissingProcgenError) as caught:
        envs.make("procgen:coinrun", num_envs=2)
    text = str(caught.value)
    assert text.endswith("\n  pip install --no-deps procgen-mirror")
    assert "`coinrun` needs it only to build its sprite atlas" in text


def test_on_a_python_without_a_wheel_the_line_takes_the_last_wheel(monkeypatch, unloaded):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "version_info", (3, 13, 1))
    with pytest.raises(
        envs.MissingProcgenError, match="pip install --no-deps procgen-mirror "
    ) as e:
        envs.make("procgen:coinrun", num_envs=2)
    for part in ("--only-binary=:all:", "--python-version 3.12", "--abi cp312", "--target"):
        assert part in str(e.value)


def test_a_package_without_the_library_says_where_it_looked(monkeypatch, unloaded, tmp_path):
    pretend_installed_in(monkeypatch, tmp_path)
    with pytest.raises(
        envs.MissingProcgenError, match=f"{tmp_path} has no data/prebuilt/libenv.so"
    ):
        envs.make("procgen:coinrun", num_envs=2)


def test_an_unreadable_library_gives_the_loaders_reason(monkeypatch, unloaded, tmp_path):
    (tmp_path / "data/prebuilt").mkdir(parents=True)
    (tmp_path / "data/assets").mkdir()
    (tmp_path / "data/prebuilt/libenv.so").write_bytes(b"not a library")
    pretend_installed_in(monkeypatch, tmp_path)
    with pytest.raises(
        envs.MissingProcgenError, match=r"cannot be loaded .*(too short|invalid ELF)"
    ):
        envs.make("procgen:coinrun", num_envs=2)


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "aarch64")])
def test_other_machines_are_told_that_there_is_no_library(monkeypatch, unloaded, system, machine):
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(envs.MissingProcgenError, match=f"only for Linux on x86-64; .*{machine}"):
        envs.make("procgen:coinrun", num_envs=2)


def test_the_wheels_python_code_is_never_imported():
    envs.make("procgen:coinrun", num_envs=1, num_threads=0).close()
    assert "procgen" not in sys.modules
