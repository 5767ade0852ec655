import json
from pathlib import Path
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.errors import NewerRecordError
from omnibench.record import SCHEMA, as_bytes, blank, read_record
from omnibench.states import progress, states
from omnibench.store import RecordStore


@pytest.fixture
def record(unit: Unit) -> dict[str, Any]:
    metrics = {"d/auc": 0.5, "d/none": None}
    return {**blank(unit.cells[0]), "status": "done", "metrics": metrics, "finished": "2026"}


def test_a_record_comes_back_as_it_was(tmp_path: Path, record: dict[str, Any]) -> None:
    path = tmp_path / "rep.json"
    # Keys of numbers and tuples, which JSON has otherwise, are in the checksum as they are read.
    path.write_bytes(as_bytes({**record, "notes": {10: "ten", 9: (1, 2)}}))
    back = read_record(path)
    assert back is not None
    assert back["notes"] == {"10": "ten", "9": [1, 2]}
    assert {**back, "checksum": "", "notes": {}} == {**record, "checksum": "", "notes": {}}


def test_a_changed_value_is_damage(
    tmp_path: Path, record: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rep.json"
    path.write_bytes(as_bytes(record).replace(b"0.5", b"0.6"))
    assert read_record(path) is None
    assert "damaged" in caplog.text


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": []},
        {"metrics": {"d/auc": "0.5"}},
        {"metrics": {"d/auc": True}},
        {"error": "boom"},
        {"status": "failed"},
        {"status": "failed", "error": {"kind": 1, "message": "m"}},
        {"status": "odd"},
        {"spec": {}},
        {"finished": None},
        {"files": {"overlay.png": 1}},
        {"digests": {"backbone": None}},
        {"schema": "2"},
        {"schema": True},
    ],
)
def test_a_malformed_record_is_damage_though_its_checksum_is_right(
    tmp_path: Path, record: dict[str, Any], change: dict[str, Any]
) -> None:
    path = tmp_path / "rep.json"
    path.write_bytes(as_bytes({**record, **change}))
    assert read_record(path) is None


def test_a_number_as_backbone_is_damage(tmp_path: Path, record: dict[str, Any]) -> None:
    path = tmp_path / "rep.json"
    path.write_bytes(as_bytes({**record, "spec": {**record["spec"], "backbone": 7}}))
    assert read_record(path) is None


@pytest.mark.parametrize(
    "beyond",
    [
        {"labels": 5},
        {"test_on": ["gaussian-noise-3"]},
        {"test_on": [{"view": 3}]},
        {"mix": {"train": 0.5}},
        {"mix": {"low": {}, "train": "much", "test": [0]}},
    ],
)
def test_a_malformed_request_beyond_the_test_set_is_damage(
    tmp_path: Path, record: dict[str, Any], beyond: dict[str, Any]
) -> None:
    path = tmp_path / "rep.json"
    path.write_bytes(as_bytes({**record, "spec": {**record["spec"], **beyond}}))
    assert read_record(path) is None
    whole = {"test_on": [{"view": "x-1"}], "mix": {"low": {}, "train": 0.5, "test": [0, 1]}}
    path.write_bytes(as_bytes({**record, "spec": {**record["spec"], **whole}}))
    assert read_record(path) is not None


def test_deep_nesting_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "rep.json"
    path.write_text('{"a":' * 100_000)
    assert read_record(path) is None


def test_a_newer_record_is_refused_by_name_and_never_written_over(
    tmp_path: Path, unit: Unit, record: dict[str, Any]
) -> None:
    store = RecordStore(tmp_path)
    path = store.write(unit.cells[0], {**record, "schema": SCHEMA + 1}, {})
    with pytest.raises(NewerRecordError, match=rf"schema {SCHEMA + 1}, and this omnibench knows"):
        read_record(path)
    for look in (progress, states):
        first, *others = look([unit], store)
        assert first.state == "blocked"
        assert f"the record {path} has schema" in first.needs[0]
        assert [other.state for other in others] == ["missing", "missing"]
        assert not Context(tmp_path, tmp_path, force=True).due(first.record)
    assert list(store.all()) == []
    assert json.loads(path.read_text())["schema"] == SCHEMA + 1
