"""`doctor RESULTS` names everything that is not as it was written, with the fix."""

import json
import os
import shlex
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import omnibench.index
from omnibench.cell import Unit
from omnibench.doctor.results import look_over
from omnibench.leases import Leases
from omnibench.record import SCHEMA, as_bytes, blank, load_record
from omnibench.states import progress
from omnibench.store import RecordStore
from tests.conftest import Bench


@pytest.fixture
def paths(tmp_path: Path, unit: Unit, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Three whole records, whose files count as settled at once."""
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", -1_000_000_000)
    store = RecordStore(tmp_path)
    arrays = {"test_logits": np.zeros((9, 2), np.float32)}
    return [
        store.write(cell, {**blank(cell), "status": "done"}, arrays, {"overlay.png": b"x"})
        for cell in unit.cells
    ]


def found(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """Name -> verdict and message of all that is no PASS; what is right comes last."""
    *wrong, right = look_over(tmp_path)
    assert (right.name, right.verdict) == ("records", "PASS")
    assert all(finding.fix for finding in wrong)
    return {finding.name: (finding.verdict, finding.message) for finding in wrong}


def test_a_whole_folder_passes(tmp_path: Path, unit: Unit, paths: list[Path]) -> None:
    progress([unit], RecordStore(tmp_path))
    assert [str(finding) for finding in look_over(tmp_path)] == [
        "PASS  records: 3 are whole, with every file beside them"
    ]


def test_an_empty_folder_passes(tmp_path: Path) -> None:
    assert found(tmp_path) == {}


def test_a_folder_of_other_things_fails(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    [finding] = look_over(tmp_path)
    assert (finding.name, finding.verdict) == ("records", "FAIL")
    assert "is no folder of results" in finding.message


def test_the_age_of_what_was_left_over_is_told_by_the_file_systems_clock(
    tmp_path: Path, paths: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 10.0**12)  # this machine's clock is far ahead
    paths[0].with_name(".young.json.1-ab.tmp").write_text("")
    assert found(tmp_path) == {}


def test_a_fix_can_be_pasted_whatever_the_folders_name(tmp_path: Path) -> None:
    folder = tmp_path / "it's; touch here"
    (folder / "leases").mkdir(parents=True)
    (folder / "leases/0.0.lease").write_text("")
    left = folder / "leases/.old.tmp"
    left.write_text("")
    os.utime(left, (0, 0))
    fixes = [finding.fix for finding in look_over(folder)][:2]
    commands = [fix.partition("rm ")[2] for fix in fixes]
    assert [shlex.split(command) for command in commands] == [
        [str(left)],
        [str(folder / "leases/0.0.lease")],
    ]


def test_each_kind_of_damage_is_named_by_its_file(
    tmp_path: Path, unit: Unit, paths: list[Path]
) -> None:
    first, second, third = paths
    first.write_bytes(first.read_bytes()[:-9])
    overlay = second.with_suffix(".overlay.png")
    overlay.write_bytes(b"y")
    third.unlink()
    names = [path.relative_to(tmp_path).as_posix() for path in paths]
    stem = names[2].removesuffix(".json")
    orphaned = ("WARN", "orphaned: the record that it belongs to is absent")
    assert found(tmp_path) == {
        names[0]: ("FAIL", "damaged or unreadable"),
        names[1]: ("FAIL", f"{overlay} is damaged: it is not as it was written"),
        f"{stem}.predictions.npz": orphaned,
        f"{stem}.overlay.png": orphaned,
    }


def test_records_of_other_versions_and_cells_are_named(tmp_path: Path, paths: list[Path]) -> None:
    first, second, third = paths
    record: Any = load_record(first)
    first.write_bytes(as_bytes({**record, "schema": SCHEMA + 1}))
    second.write_bytes(as_bytes({**load_record(second), "digest": "f" * 64}))
    older = {key: value for key, value in load_record(third).items() if key != "checksum"}
    third.write_text(json.dumps({**older, "schema": 1}))
    assert [verdict for verdict, _ in found(tmp_path).values()] == ["WARN", "FAIL", "WARN"]
    messages = " ".join(message for _, message in found(tmp_path).values())
    for words in ("has schema 3", "another cell's record", "of an earlier version (schema 1)"):
        assert words in messages


def test_what_was_left_over_is_named_and_what_is_in_use_is_not(
    tmp_path: Path, unit: Unit, paths: list[Path]
) -> None:
    old, young = (paths[0].with_name(f".{kind}.json.1-ab.tmp") for kind in ("old", "young"))
    for path in (old, young):
        path.write_text("")
    os.utime(old, (0, 0))
    leases = Leases(tmp_path)
    held = leases.take("held")
    dead = leases.folder / ("0" * 32 + ".0.lease")
    assert held is not None
    holder = json.loads(held.path.read_bytes())
    dead.write_text(json.dumps({**holder, "unit": "left", "pid": 2**22 + 1}))
    empty = leases.folder / ("1" * 32 + ".0.lease")
    empty.write_text("")
    progress([unit], RecordStore(tmp_path))
    [index] = (tmp_path / "index").rglob("*.index")
    index.write_bytes(b"x")
    wrong = found(tmp_path)
    assert held is not None
    leases.release(held)
    assert set(wrong) == {
        path.relative_to(tmp_path).as_posix() for path in (old, dead, empty, index)
    }
    assert {verdict for verdict, _ in wrong.values()} == {"WARN"}


def test_the_command_prints_findings_or_json_and_fails_where_one_fails(
    bench: Bench, tmp_path: Path, paths: list[Path]
) -> None:
    status, out, err = bench("doctor", tmp_path)
    assert (status, out, err) == (
        0,
        "PASS  records: 3 are whole, with every file beside them\n",
        "",
    )
    paths[0].write_bytes(b"")
    status, out, err = bench("doctor", tmp_path, "--json")
    assert (status, err) == (1, "")
    damaged, right = json.loads(out)
    assert set(damaged) == {"name", "verdict", "message", "fix"}
    assert "computes the cell again" in damaged["fix"]
    assert right["verdict"] == "PASS"


def test_a_name_that_is_neither_a_suite_nor_a_folder_is_refused(
    bench: Bench, tmp_path: Path
) -> None:
    status, out, err = bench("doctor", tmp_path / "absent")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "unknown suite" in err
