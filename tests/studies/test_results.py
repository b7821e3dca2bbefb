"""Tables, figures and the folder that a study writes."""

import csv
import dataclasses
import io
import json
import sys

import jax
import pytest

from rlvision_jax import checkpoint, models
from rlvision_jax._extras import MissingExtraError
from rlvision_jax.studies import Column, StudyFolder, Table, figures, provenance

_COLUMNS = (Column("cause", "why"), Column("share", "how often", "share of levels"))
_TABLE = Table(_COLUMNS, ({"cause": 'a "saw", or two', "share": 0.1}, {"share": None, "cause": ""}))


def test_table_comes_back_from_csv_and_json():
    rows = list(csv.DictReader(io.StringIO(_TABLE.to_csv())))
    assert rows == [{"cause": 'a "saw", or two', "share": "0.1"}, {"cause": "", "share": ""}]
    content = json.loads(json.dumps(_TABLE.to_json()))
    assert Table.from_json(content) == _TABLE
    assert content["columns"][1] == {
        "name": "share",
        "meaning": "how often",
        "unit": "share of levels",
    }


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        (_COLUMNS, ({"cause": "saw"},), 'row 0 must have the columns "cause", "share"'),
        (_COLUMNS, ({"cause": "saw", "share": float("nan")},), 'nan in column "share"'),
        ((*_COLUMNS, Column("cause", "again")), (), "different names"),
    ],
)
def test_wrong_tables_are_refused(columns, rows, message):
    with pytest.raises(ValueError, match=message):
        Table(columns, rows)


@dataclasses.dataclass(frozen=True)
class Config:
    num_levels: int = 3


def test_folder_holds_table_figure_and_what_made_them(tmp_path):
    policy = models.make("nature", observation_shape=(36, 36, 3))
    params = policy.init(jax.random.key(0))
    agent_config = {"env": "procgen:coinrun", "env_options": {"num_levels": 5}, "steps": 7}
    figure, axes = figures.new_figure(3, 2)
    axes[0, 0].bar(["saw"], [0.1])
    svg = figures.to_svg(figure)
    made_by = provenance(policy, params, agent_config, Config(), command=["study", "x", "a b"])
    folder = StudyFolder(tmp_path / "out", "x")
    folder.write(_TABLE, svg, made_by, more={"levels": Table(_COLUMNS, ())})
    content = json.loads((tmp_path / "out" / "table.json").read_text())
    assert Table.from_json(content) == _TABLE
    assert content["provenance"]["command"] == "rlvision study x 'a b'"
    assert content["provenance"]["parameters"] == checkpoint.fingerprint(params)
    assert content["provenance"]["config"] == {"num_levels": 3}
    assert (tmp_path / "out" / "table.csv").read_text() == _TABLE.to_csv()
    assert (tmp_path / "out" / "figure.svg").read_bytes() == svg
    assert (tmp_path / "out" / "levels.csv").read_text() == "cause,share\n"
    assert b">saw<" in svg  # text, not outlines
    StudyFolder(tmp_path / "out", "x")
    with pytest.raises(ValueError, match='holds x, not the study "y"'):
        StudyFolder(tmp_path / "out", "y")


def test_equal_figures_are_equal_bytes():
    def draw():
        figure, axes = figures.new_figure(3, 2, columns=2)
        axes[0, 1].plot([0, 1])
        return figures.to_svg(figure)

    assert draw() == draw()


def test_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds something else"):
        StudyFolder(tmp_path, "x")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_missing_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'rlvision_jax\[studies\]'"):
        figures.check_installed()
