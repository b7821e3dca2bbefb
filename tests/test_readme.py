"""The README's example runs as printed."""

import pathlib
import re

_README = pathlib.Path(__file__).parents[1] / "README.md"


def test_the_readmes_first_result(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", _README.read_text(), re.DOTALL)
    names: dict = {}
    exec(compile(block, str(_README), "exec"), names)
    assert names["maps"].shape == (16, 32, 32, 8)
    completion = float(capsys.readouterr().out.strip().splitlines()[-1])
    assert 0.0 <= completion <= 1.0
    assert len([line for line in block.splitlines() if line.strip()]) <= 12


def test_every_file_that_the_readme_names_exists():
    links = re.findall(r"\]\(((?!https?:)[^)]+)\)", _README.read_text())
    assert links
    for link in links:
        assert (_README.parent / link).exists(), link
