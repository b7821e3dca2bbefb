"""The guide to agents of one's own: its examples run as printed."""

import pathlib
import re

import pytest

from rlvision_jax import interface

_GUIDE = pathlib.Path(__file__).parents[1] / "docs" / "own_agents.md"
_BLOCKS = dict(
    re.findall(r"^## ([^\n]*)\n(?:(?!^## ).)*?```python\n(.*?)```", _GUIDE.read_text(), re.M | re.S)
)


def run(title):
    names: dict = {}
    exec(compile(_BLOCKS[title], f"{_GUIDE}, {title}", "exec"), names)
    return names


def test_the_guide_has_an_example_for_each_library():
    assert list(_BLOCKS) == ["Flax Linen", "Flax NNX", "Equinox"]


def test_linen_example_writes_a_report(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("Flax Linen")
    report = interface.read_report(tmp_path / "my-report")
    assert report.provenance["policy"]["name"] == "my agent"
    assert report.trajectories[0].attributions[0].maps.shape == (32, 8, 8, 4)


@pytest.mark.slow
def test_nnx_example_finds_features():
    names = run("Flax NNX")
    components = names["directions"].nmf.components
    assert components.shape == (4, 16)
    assert (components >= 0).all()


@pytest.mark.slow
def test_equinox_example_attributes():
    names = run("Equinox")
    assert names["attribution"].shape == (8, 8, 8, 16)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`rlv\.([a-z_.]+)`", _GUIDE.read_text()))))
def test_every_name_of_the_package_in_the_guide_exists(name):
    import rlvision_jax as found

    for part in name.split("."):
        found = getattr(found, part)
