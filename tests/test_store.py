import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cell import Unit
from omnibench.errors import RequestError, StoreError
from omnibench.files import write_atomically
from omnibench.record import blank, checksum, read_record
from omnibench.record_files import predictions_path, read_predictions
from omnibench.store import RecordStore, check_writable


def whole_record(cell: Any) -> dict[str, Any]:
    """A record of nothing, with every key."""
    return blank(cell) | {"status": "done"}


def test_a_record_and_its_predictions_come_back(tmp_path: Path, unit: Unit) -> None:
    store, cell = RecordStore(tmp_path), unit.cells[1]
    record = whole_record(cell)
    path = store.write(cell, record, {"test_logits": np.ones((2, 3), np.float32)})
    assert path.relative_to(tmp_path).as_posix() == (
        f"records/{unit.name}/rep-1-{cell.digest[:8]}.json"
    )
    files = {"predictions.npz": checksum(path.with_suffix(".predictions.npz").read_bytes())}
    read = store.read(cell)
    assert read is not None
    assert {**read, "checksum": None} == {**record, "files": files, "checksum": None}
    assert read_predictions(path)["test_logits"].shape == (2, 3)
    assert [p for p, _ in store.all()] == [path]


def test_a_record_cut_short_is_named_and_counts_as_missing(
    tmp_path: Path, unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    store, cell = RecordStore(tmp_path), unit.cells[0]
    path = store.write(cell, whole_record(cell), {})
    path.write_bytes(path.read_bytes()[:20])
    assert store.read(cell) is None
    assert str(path) in caplog.text
    assert "damaged" in caplog.text


def test_a_full_disk_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    path.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"record\.json could not be written: the disk is full"):
        write_atomically(path, b"new")
    assert [p.name for p in tmp_path.iterdir()] == ["record.json"]
    assert path.read_text() == "old"


def test_records_are_readable_by_others(tmp_path: Path) -> None:
    write_atomically(tmp_path / "x.json", b"{}")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o666 & ~umask


def test_predictions_with_pickles_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rep-0.json"
    np.savez(predictions_path(path), test_logits=np.array([{"code": 1}], dtype=object))
    with pytest.raises(StoreError, match="cannot be read"):
        read_predictions(path)


def test_a_folder_below_a_file_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="is not writable"):
        check_writable(tmp_path / "file" / "results")


def test_an_absent_record_is_none_without_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_record(tmp_path / "absent.json") is None
    assert caplog.text == ""


def test_json_of_a_record_has_no_nan(tmp_path: Path, unit: Unit) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        RecordStore(tmp_path).write(unit.cells[0], {"metrics": {"x/auc": float("nan")}})


@pytest.mark.parametrize("absent", ["schema", "cost", "finished"])
def test_a_foreign_or_partial_file_is_not_taken_for_a_record(
    tmp_path: Path, unit: Unit, absent: str
) -> None:
    store, cell = RecordStore(tmp_path), unit.cells[0]
    record = whole_record(cell)
    del record[absent]
    store.write(cell, record, {})
    assert store.read(cell) is None
    assert list(store.all()) == []


def test_a_record_without_its_predictions_counts_as_missing(
    tmp_path: Path, unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    store, cell = RecordStore(tmp_path), unit.cells[0]
    path = store.write(cell, whole_record(cell), {"test_logits": np.zeros((1, 2), np.float32)})
    predictions_path(path).unlink()
    assert store.read(cell) is None
    assert "predictions" in caplog.text


def test_texts_come_back_as_they_were_a_json_line_a_case(tmp_path: Path, unit: Unit) -> None:
    store, cell = RecordStore(tmp_path), unit.cells[0]
    texts = ['a "quoted" line\u2028with a separator', "", "two\nlines"]
    arrays = {
        "test_case": np.arange(3),
        "test_text@b5-t64": np.array(texts, object),
        "values:d@b5-t64/m": np.array([0.1, 1 / 3, 0.0]),
    }
    path = store.write(cell, whole_record(cell), arrays)
    assert len(path.with_suffix(".predictions.jsonl").read_bytes().split(b"\n")) == 4
    assert store.read(cell) is not None
    back = read_predictions(path)
    assert back.keys() == arrays.keys()
    assert all(back[name].tolist() == array.tolist() for name, array in arrays.items())
