"""Every file beside a record is held to its checksum, and damage is computed again."""

import logging
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import omnibench.index
from omnibench.cell import Unit
from omnibench.errors import StoreError
from omnibench.record import as_bytes, blank, load_record, read_record
from omnibench.record_files import (
    checked_file,
    complaint_about,
    predictions_path,
    read_predictions,
)
from omnibench.states import progress
from omnibench.store import RecordStore

FILES = ("predictions.npz", "overlay.png", "safetensors")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RecordStore:
    """A store whose files count as settled at once."""
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", -1_000_000_000)
    return RecordStore(tmp_path)


@pytest.fixture
def path(store: RecordStore, unit: Unit) -> Any:
    """A record with three files."""
    arrays = {"test_logits": np.zeros((9, 2), np.float32)}
    files = {"overlay.png": b"picture", "safetensors": b"weights"}
    cell = unit.cells[0]
    return store.write(cell, {**blank(cell), "status": "done"}, arrays, files)


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


def state(store: RecordStore, unit: Unit) -> Any:
    return next(iter(progress([unit], store))).state


@pytest.mark.parametrize("ending", FILES)
def test_a_flipped_bit_in_any_file_makes_the_cell_missing_until_it_is_mended(
    store: RecordStore, unit: Unit, path: Path, caplog: pytest.LogCaptureFixture, ending: str
) -> None:
    assert state(store, unit) == "done"
    file = path.with_suffix(f".{ending}")
    flip(file, 17)
    for _ in range(2):
        caplog.clear()
        assert state(store, unit) == "missing"
        assert f"{file} is damaged: it is not as it was written; its cell counts" in caplog.text
    flip(file, 17)
    assert state(store, unit) == "done"


@pytest.mark.parametrize("ending", FILES)
def test_a_file_that_is_cut_short_or_gone_makes_the_cell_missing(
    store: RecordStore, unit: Unit, path: Path, ending: str
) -> None:
    file = path.with_suffix(f".{ending}")
    file.write_bytes(file.read_bytes()[:-1])
    assert state(store, unit) == "missing"
    file.unlink()
    assert state(store, unit) == "missing"


def test_files_are_read_whole_once_and_then_known_by_their_times(
    store: RecordStore, unit: Unit, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = list[Any]()

    def complaint(*given: Any) -> str:
        read.append(given)
        return ""

    with monkeypatch.context() as patch:
        patch.setattr(omnibench.record_files, "_complaint", complaint)
        assert [state(store, unit) for _ in range(3)] == ["done"] * 3
    assert len(read) == len(FILES)


def test_damage_that_times_do_not_tell_is_known_once_someone_has_read_it(
    store: RecordStore, unit: Unit, path: Path
) -> None:
    """A bit that rotted on the disk: `status` cannot see it, a report that reads it does."""
    predictions = predictions_path(path)
    os.utime(predictions, ns=(0, 0))
    flip(predictions, 40)
    os.utime(predictions, ns=(0, 0))
    assert complaint_about(path, load_record(path))
    assert predictions.stat().st_mtime_ns > 0


def test_ten_thousand_flipped_bits_of_a_record_are_all_refused(
    tmp_path: Path, unit: Unit, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    path = tmp_path / "rep.json"
    metrics = {f"d/m{k}": k / 7 for k in range(5)}
    record = {**blank(unit.cells[0]), "status": "done", "metrics": metrics, "notes": {"é": 1e-7}}
    content = as_bytes(record)
    path.write_bytes(content)
    whole = read_record(path)
    bits = random.Random(0)
    schema = content.index(b'"schema": ') + len('"schema": ')
    every = [*range(8 * schema, 8 * schema + 8), *bits.choices(range(8 * len(content)), k=10_000)]
    for at in every:
        changed = bytearray(content)
        changed[at // 8] ^= 1 << at % 8
        path.write_bytes(changed)
        assert read_record(path) in (None, whole)  # white space may change, no more


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "a..b", "/etc/passwd", "a\nb"])
def test_a_record_that_names_files_elsewhere_is_damage(
    tmp_path: Path, unit: Unit, name: str
) -> None:
    path = tmp_path / "rep.json"
    record = {**blank(unit.cells[0]), "status": "done", "files": {name: "sha256:0"}}
    path.write_bytes(as_bytes(record))
    assert read_record(path) is None


def test_weights_that_are_not_as_they_were_written_are_refused(
    store: RecordStore, path: Path
) -> None:
    record = read_record(path)
    assert record is not None
    assert checked_file(path, record, "safetensors").read_bytes() == b"weights"
    flip(path.with_suffix(".safetensors"), 3)
    with pytest.raises(StoreError, match=r"safetensors is damaged: .*; run the suite that made it"):
        assert record is not None
        checked_file(path, record, "safetensors")


def test_a_record_of_another_suite_in_the_same_folder_is_read_whole_too(
    store: RecordStore, unit: Unit, path: Path
) -> None:
    other = replace(unit, suite_seed=1)
    cell = other.cells[0]
    damaged = store.write(cell, {**blank(cell), "status": "done"}, {})
    flip(predictions_path(damaged), 30)
    assert state(store, unit) == "done"
    assert state(store, other) == "missing"


def test_a_pipe_in_a_record_s_or_a_file_s_place_is_damage_and_stops_nothing(
    store: RecordStore, unit: Unit, path: Path
) -> None:
    predictions = predictions_path(path)
    predictions.unlink()
    os.mkfifo(predictions)
    assert state(store, unit) == "missing"
    path.unlink()
    os.mkfifo(path)
    assert state(store, unit) == "missing"


@pytest.mark.parametrize("texts", [False, True])
def test_no_id_of_a_patient_is_stored(unit: Unit, tmp_path: Path, texts: bool) -> None:
    ids = np.array(["p-0412", "anna", "p-0412", "zoe"])
    ids = ids.astype(object) if texts else ids
    predictions = {"test_case": np.arange(4), "test_group": ids, "test_group@other": ids}
    cell = unit.cells[0]
    path = RecordStore(tmp_path).write(cell, {**blank(cell), "status": "done"}, predictions)
    for name in ("test_group", "test_group@other"):
        assert read_predictions(path)[name].tolist() == ["1", "0", "1", "2"]
    assert b"p-0412" not in predictions_path(path).read_bytes()
