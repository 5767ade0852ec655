"""What may start next: after what it needs, whose files are not read again at each look."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.queue import Queue
from omnibench.execute import Finished
from omnibench.recipe import Recipe
from omnibench.record import SCHEMA, as_bytes, blank, load_record
from omnibench.store import RecordStore


@pytest.fixture
def makers(unit: Unit) -> tuple[Unit, Unit]:
    """Return a unit, and one that needs what it makes."""
    unit = replace(unit, adaptation="full", short="full", recipe=Recipe().model_dump())
    after = replace(unit, backbone=unit.backbone.model_copy(update={"id": "b"}), after=(unit,))
    return unit, after


def done(store: Any, unit: Any) -> list[Any]:
    return [store.write(cell, {**blank(cell), "status": "done"}, {}) for cell in unit.cells]


def test_a_maker_is_read_once_however_often_it_is_looked_for(
    makers: tuple[Unit, Unit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, after = makers
    reads = list[Any]()
    queue = Queue([after], Context(tmp_path, tmp_path))
    done(queue.store, maker)
    read = RecordStore.read

    def counted(*given: Any) -> Any:
        reads.append(given)
        return read(*given)

    monkeypatch.setattr(RecordStore, "read", counted)
    for _ in range(5):
        assert list(queue.orphans()) == []
    assert queue.start() is after
    assert len(reads) == len(maker.cells)
    queue.close()


def test_a_maker_that_is_to_come_is_waited_for_and_not_read(
    makers: tuple[Unit, Unit], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker, after = makers
    queue = Queue([maker, after], Context(tmp_path, tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(RecordStore, "read", None)
        assert queue.start() is maker
        assert queue.start() is None
    done(queue.store, maker)
    queue.end(maker, Finished(maker, {}, 0.0))
    assert queue.start() is after
    queue.close()


def test_a_maker_of_a_newer_omnibench_ends_what_waits_for_it_and_not_the_run(
    makers: tuple[Unit, Unit], tmp_path: Path
) -> None:
    maker, after = makers
    queue = Queue([after], Context(tmp_path, tmp_path))
    path = done(queue.store, maker)[0]
    path.write_bytes(as_bytes({**load_record(path), "schema": SCHEMA + 1}))
    [orphan] = queue.orphans()
    assert "did not end, whose weights it needs" in (orphan.repetitions[0] or "")
