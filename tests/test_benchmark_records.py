import json

import pytest

from benchmarks import _record


@pytest.mark.skipif(not (_record._ROOT / ".git").exists(), reason="no repository")
def test_a_record_names_the_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    record = json.loads(_record.write_result("nothing", []).read_text())
    assert len(record["commit"]["id"]) == 40
    assert record["commit"]["modified"] in (True, False)


def test_a_copy_without_a_repository_is_measured_too(tmp_path, monkeypatch):
    monkeypatch.setattr(_record, "_ROOT", tmp_path)
    monkeypatch.setattr(_record, "RESULTS", tmp_path)
    record = json.loads(_record.write_result("nothing", [{"steps": 1}]).read_text())
    assert record["commit"] == {"id": None, "modified": None}
    assert record["rows"] == [{"steps": 1}]
