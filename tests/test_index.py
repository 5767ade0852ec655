"""The index of records answers as reading them would, whatever happens to records or index."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import omnibench.index
from omnibench.cell import Cell, Unit
from omnibench.index import Index
from omnibench.record import as_bytes, blank
from omnibench.store import RecordStore

KEPT = ("digest", "status", "finished", "error")


def write(
    store: Any,
    cell: Any,
    status: str = "done",
    finished: str = "2026-01-01",
    predicted: bool = True,
) -> Any:
    """A record as short as can be, by rename, as all are written."""
    error = None if status == "done" else {"kind": "bug", "message": "é", "traceback": "long"}
    record = {**blank(cell), "status": status, "finished": finished, "error": error}
    return store.write(cell, record, {} if predicted else None)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordStore:
    """A store whose files count as settled at once."""
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", -1_000_000_000)
    return RecordStore(tmp_path)


@pytest.fixture
def look(store: RecordStore, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Look once, as one command does: what is told, and how many records it had to read.

    What it tells is held against plain reading.
    """

    def look(asked: Unit = unit) -> tuple[list[Any], int]:
        read, reads = store.read, list[Cell]()

        def counted(cell: Cell) -> dict[str, Any] | None:
            reads.append(cell)
            return read(cell)

        with monkeypatch.context() as patch:
            patch.setattr(store, "read", counted)
            index = Index(store)
            actual = index.summaries(asked)
            index.save()
        for cell, summary in zip(asked.cells, actual, strict=True):
            record = read(cell)
            assert (summary is None) == (record is None)
            if record is not None:
                if record["error"]:
                    del record["error"]["traceback"]
                assert summary is not None
                assert {key: summary[key] for key in KEPT} == {key: record[key] for key in KEPT}
        return [summary and summary["status"] for summary in actual], len(reads)

    return look


def test_records_are_read_once_and_absent_ones_never(
    store: RecordStore, unit: Unit, look: Any, tmp_path: Path
) -> None:
    assert look() == ([None, None, None], 0)
    assert list(tmp_path.iterdir()) == []
    write(store, unit.cells[0])
    write(store, unit.cells[2], "failed", predicted=False)
    assert look() == (["done", None, "failed"], 2)
    assert look() == (["done", None, "failed"], 0)
    assert [path.name for path in (tmp_path / "index").rglob("*.*")] == ["d.index"]
    assert not list((tmp_path / "index").rglob("*.json"))


def test_what_is_added_rewritten_or_deleted_is_seen(
    store: RecordStore, unit: Unit, look: Any
) -> None:
    write(store, unit.cells[0])
    look()
    write(store, unit.cells[1])
    assert look() == (["done", "done", None], 1)
    write(store, unit.cells[0], "failed")
    assert look() == (["failed", "done", None], 1)
    write(store, unit.cells[0], finished="2026-01-02")
    assert look() == (["done", "done", None], 1)
    store.path(unit.cells[1]).unlink()
    assert look() == (["done", None, None], 0)
    write(store, unit.cells[1])
    assert look() == (["done", "done", None], 1)
    assert look() == (["done", "done", None], 0)


def test_a_record_of_the_same_size_and_time_is_told_by_its_change_time(
    store: RecordStore, unit: Unit, look: Any
) -> None:
    path = write(store, unit.cells[0], finished="2026-01-01")
    look()
    told = path.stat()
    path.write_bytes(as_bytes({**json.loads(path.read_bytes()), "finished": "2026-01-09"}))
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert path.stat().st_size == told.st_size
    assert look() == (["done", None, None], 1)


def test_a_truncated_record_is_missing_and_warned_of_each_time(
    store: RecordStore, unit: Unit, look: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(store, unit.cells[0])
    look()
    path.write_bytes(path.read_bytes()[:20])
    for _ in range(2):
        caplog.clear()
        assert look() == ([None, None, None], 1)
        assert "is damaged" in caplog.text


def test_a_record_without_its_predictions_is_missing_and_warned_of(
    store: RecordStore, unit: Unit, look: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(store, unit.cells[0])
    look()
    predictions = path.with_suffix(".predictions.npz")
    predictions.unlink()
    for _ in range(2):
        caplog.clear()
        assert look() == ([None, None, None], 1)
        assert "predictions" in caplog.text
    predictions.mkdir()
    assert look() == ([None, None, None], 1)


def test_another_cells_record_is_missing_and_warned_of(
    store: RecordStore, unit: Unit, look: Any, caplog: pytest.LogCaptureFixture
) -> None:
    other = replace(unit, suite_seed=1).cells[0]
    path = write(store, other)
    path.rename(store.path(unit.cells[0]))
    path.with_suffix(".predictions.npz").rename(
        store.path(unit.cells[0]).with_suffix(".predictions.npz")
    )
    for _ in range(2):
        assert look() == ([None, None, None], 1)
    assert "another cell's record" in caplog.text


def test_two_suites_share_a_folder_and_an_index(store: RecordStore, unit: Unit, look: Any) -> None:
    other = replace(unit, suite_seed=1)
    for cell in (unit.cells[0], other.cells[0]):
        write(store, cell)
    # The other's record was looked at too, to tell whether it is of an earlier version.
    assert (look(unit)[1], look(other)[1]) == (1, 0)
    assert (look(unit)[1], look(other)[1]) == (0, 0)


@pytest.mark.parametrize("damage", ["bytes", "empty", "torn", "other rules"])
def test_a_damaged_index_is_made_again(
    store: RecordStore, unit: Unit, look: Any, tmp_path: Path, damage: str
) -> None:
    write(store, unit.cells[0])
    look()
    index = tmp_path / "index" / unit.task / "d.index"
    whole = index.read_bytes()
    index.write_bytes(
        {
            "bytes": whole.replace(b'"done"', b'"Done"'),
            "empty": b"",
            "torn": whole[:-9],
            "other rules": whole.replace(b"summaries 3", b"summaries 1"),
        }[damage]
    )
    assert look() == (["done", None, None], 1)
    assert look() == (["done", None, None], 0)
    assert index.read_bytes() == whole


@pytest.mark.parametrize(
    "body",
    [
        *("[]", "3", '{"u": []}', '{"u": {"rep-0-a.json": {}}}', '{"u": {"r": []}}', "[" * 100_000),
        '{"u": {"r": {"digest": 3, "status": "done", "finished": "", "error": null, "files": [], '
        '"stamp": ""}}}',
    ],
)
def test_an_index_of_another_shape_is_made_again(
    store: RecordStore, unit: Unit, look: Any, tmp_path: Path, body: Any
) -> None:
    write(store, unit.cells[0])
    look()
    index = tmp_path / "index" / unit.task / "d.index"
    whole = index.read_bytes()
    body = body.replace('"u"', f'"{unit.name}"').encode()
    index.write_bytes(omnibench.index._head(body) + body)
    assert not omnibench.index.is_whole_index(index, tmp_path)
    assert look() == (["done", None, None], 1)
    assert index.read_bytes() == whole


def test_what_is_settled_is_told_by_the_file_systems_clock(
    store: RecordStore, unit: Unit, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", 60_000_000_000)
    write(store, unit.cells[0])
    monkeypatch.setattr(time, "time_ns", lambda: 10**21)  # this machine's clock is far ahead
    monkeypatch.setattr(time, "time", lambda: 10.0**12)
    for _ in range(2):
        assert look() == (["done", None, None], 1)


def test_where_no_index_can_be_written_records_are_read(
    store: RecordStore, unit: Unit, look: Any, tmp_path: Path
) -> None:
    (tmp_path / "index").write_text("a file in its place")
    write(store, unit.cells[0])
    for _ in range(2):
        assert look() == (["done", None, None], 1)


def test_an_index_behind_a_link_out_is_neither_read_nor_written(
    store: RecordStore, unit: Unit, look: Any, tmp_path: Path
) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (tmp_path / "index").symlink_to(outside)
    write(store, unit.cells[0])
    for _ in range(2):
        assert look() == (["done", None, None], 1)
    assert list(outside.iterdir()) == []


def test_a_folder_that_cannot_be_listed_is_read_file_by_file(
    store: RecordStore, unit: Unit, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(store, unit.cells[0])
    look()

    def refuse(path: Path) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "scandir", refuse)
    assert look() == (["done", None, None], 3)


def test_what_changed_just_now_is_read_again(
    store: RecordStore, unit: Unit, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two writes within one tick of the file system's clock leave one time.
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", 3_600_000_000_000)
    write(store, unit.cells[0])
    for _ in range(2):
        assert look() == (["done", None, None], 1)
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", -1_000_000_000)
    assert [look()[1] for _ in range(2)] == [1, 0]


def test_a_record_from_the_future_is_read_again(
    store: RecordStore, unit: Unit, look: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", 0)
    path = write(store, unit.cells[0])
    os.utime(path, (2**32, 2**32))
    for _ in range(2):
        assert look() == (["done", None, None], 1)


def test_two_commands_at_once_lose_speed_alone(store: RecordStore, unit: Unit, look: Any) -> None:
    other = replace(unit, backbone=unit.backbone.model_copy(update={"id": "b"}))
    for asked in (unit, other):
        write(store, asked.cells[0])
    first, second = Index(store), Index(store)
    first.summaries(unit)
    second.summaries(other)
    first.save()
    second.save()
    assert look(other) == (["done", None, None], 0)
    assert look(unit) == (["done", None, None], 1)
    assert look(other)[1] == look(unit)[1] == 0


def test_an_index_holds_no_traceback(
    store: RecordStore, unit: Unit, look: Any, tmp_path: Path
) -> None:
    write(store, unit.cells[0], "failed")
    look()
    head, body = (tmp_path / "index" / unit.task / "d.index").read_text().split("\n")
    assert head.startswith("omnibench summaries 3 of schema 2 ")
    (entry,) = json.loads(body)[unit.name].values()
    assert entry["error"] == {"kind": "bug", "message": "é"}
