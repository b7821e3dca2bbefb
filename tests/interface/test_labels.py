import pytest

from rlvision_jax.interface import NotLabelsError, load_labels, save_labels, with_labels


def test_names_come_back_and_rename_the_features_of_their_layers(report, tmp_path):
    names = {"2b": ("gold", "blade", "ü"), "9z": ("elsewhere",)}
    save_labels(names, tmp_path / "labels.json")
    assert load_labels(tmp_path / "labels.json") == names
    renamed = with_labels(report, names)
    found = {layer.name: tuple(f.name for f in layer.features) for layer in renamed.layers}
    assert found == {
        "2b": ("gold", "blade", "ü"),
        "3a": ("sky", "ground"),
        "pixels": ("red", "green", "blue"),
    }
    assert renamed.layers[0].features[1].grids is report.layers[0].features[1].grids


def test_names_of_another_report_are_refused(report):
    with pytest.raises(ValueError, match='2 names for the 3 features of layer "2b"'):
        with_labels(report, {"2b": ("a", "b")})


@pytest.mark.parametrize(
    "content",
    [
        "not JSON",
        "[]",
        "null",
        '{"format": "rlvision-report", "version": 1, "layers": {}}',
        '{"format": "rlvision-labels", "version": 1}',
        '{"format": "rlvision-labels", "version": 1, "layers": {"2b": [1]}}',
        '{"format": "rlvision-labels", "version": 1, "layers": {"2b": 3}}',
    ],
)
def test_other_files_are_named(tmp_path, content):
    (tmp_path / "file.json").write_text(content)
    with pytest.raises(NotLabelsError, match=r"file\.json holds no names of features"):
        load_labels(tmp_path / "file.json")
