"""The example of docs/environments.md runs as printed."""

import pathlib
import re

_PAGE = pathlib.Path(__file__).parents[1] / "docs" / "environments.md"


def test_an_environment_of_ones_own(capsys):
    text = _PAGE.read_text()
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, str(_PAGE), "exec"), {"__name__": "page"})
    (printed,) = re.findall(r"prints `(.*?)`", text)
    assert capsys.readouterr().out.strip() == printed
