"""`rlvision study rating` as a user runs it, from files that the page saved."""

import json

import pytest

from rlvision_jax.cli.main import main

KEY = {
    "page": "abc",
    "items": {
        f"item-{index}": {
            "agent": "one",
            "feature": index,
            "object_class": None,
            "score": index / 4,
        }
        for index in range(5)
    },
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "key.json").write_text(json.dumps(KEY))
    rows = [f"abc,Ada,item-{index},{2 * index}" for index in range(5)]
    (tmp_path / "ada.csv").write_text("\n".join(["page,rater,item,rating", *rows, ""]))
    return tmp_path


def run(*arguments):
    with pytest.raises(SystemExit) as exit_info:
        main(["study", "rating", *map(str, arguments)])
    return exit_info.value.code


def test_ratings_are_compared_with_the_scores(folder, capsys):
    assert run("--out", folder, "--ratings", folder / "ada.csv") == 0
    agreement = (folder / "agreement.csv").read_text().splitlines()
    assert agreement[1].startswith("automatic score,mean rating,5,1.0,")
    assert (folder / "agents.csv").read_text().splitlines()[1] == "one,5,0.5,0.4"
    columns = json.loads((folder / "agreement.json").read_text())["columns"]
    assert columns[3]["unit"] == "-1 to 1"
    assert capsys.readouterr().out.strip().endswith(str(folder))


def test_a_folder_without_a_key_is_refused_in_one_line(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    message = run("--out", elsewhere, "--ratings", folder / "ada.csv")
    assert message == (
        f"rlvision: {elsewhere} has no key.json; name the folder of the page with --out"
    )
