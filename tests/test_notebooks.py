"""The notebooks run from top to bottom; they are Python files in jupytext's percent format."""

import pathlib
import runpy

_NOTEBOOKS = pathlib.Path(__file__).parents[1] / "notebooks"


def test_first_look_shows_the_residual_shrinking(capsys):
    names = runpy.run_path(str(_NOTEBOOKS / "first_look.py"))
    lines = capsys.readouterr().out.splitlines()[:3]
    one, ten, forty = (float(line.split()[-1]) for line in lines)
    assert forty < ten < one
    assert names["maps"].shape == (16, 32, 32, 8)
