"""Records go from one folder of results to another and say the same there."""

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.cell import Cell
from omnibench.leases import Leases
from omnibench.record import SCHEMA, as_bytes, checksum, load_record
from omnibench.record_files import read_predictions
from omnibench.session import Places, Session
from tests.commands.trained_records import write_suite
from tests.conftest import Bench

SIGNALS = {"base": 1.0, "better": 1.6, "same": 1.0}


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A suite whose records lie in the folder a/results, by patients with names."""
    path = write_suite(tmp_path / "a", SIGNALS, adaptations="full, linear")
    text = path.read_text()
    path.write_text(f"# by anna, from /home/anna\n{text}")
    session = Session.open(Places(results=tmp_path / "a" / "results"))
    patients = np.array([f"patient-{k % 60:03d}" for k in range(300)])
    for unit in session.suite(str(path))[1]:
        for cell in unit.cells:
            record = session.store.read(cell)
            assert record is not None
            predictions = read_predictions(session.store.path(cell))
            session.store.write(cell, record, {**predictions, "test_group": patients})
    return path


@pytest.fixture
def packed(bench: Bench, suite: Path, tmp_path: Path) -> Path:
    status, out, err = bench("bundle", suite, tmp_path / "b.zip", "--results", results_a(tmp_path))
    assert status == 0, err
    assert out.startswith("trained: 24 records (24 done), 49 files, ")
    return tmp_path / "b.zip"


def results_a(folder: Path) -> Path:
    return folder / "a" / "results"


def results_b(folder: Path) -> Path:
    return folder / "b"


def csv_rows(results: Path) -> list[list[str]]:
    with (results / "reports" / "trained" / "trained.csv").open() as file:
        return list(csv.reader(file))


def test_a_report_elsewhere_says_the_same(
    bench: Bench, suite: Path, packed: Path, tmp_path: Path
) -> None:
    status, out, _ = bench("merge", packed, "--results", results_b(tmp_path))
    assert (status, "24 records, 24 taken in, 0 there already, 0 refused" in out) == (0, True)
    brought = results_b(tmp_path) / "suites" / "trained.yaml"
    assert str(brought) in out
    assert bench("report", suite, "--results", results_a(tmp_path))[0] == 0
    assert bench("report", brought, "--results", results_b(tmp_path))[0] == 0
    assert csv_rows(results_a(tmp_path)) == csv_rows(results_b(tmp_path))
    answers = [
        json.loads(
            bench("compare", "better", "base", "--suite", s, "--results", results, "--json")[1]
        )
        for s, results in ((suite, results_a(tmp_path)), (brought, results_b(tmp_path)))
    ]
    assert len(answers[0]["rows"]) == 6
    for answer in answers:
        del answer["suite"]  # its path
    assert answers[0] == answers[1]


def test_the_archive_names_no_patient_person_or_path(
    suite: Path, packed: Path, tmp_path: Path
) -> None:
    content = packed.read_bytes()
    for word in (b"patient-", b"anna", str(tmp_path).encode(), str(Path.home()).encode()):
        assert word not in content
    with zipfile.ZipFile(packed) as archive:
        for name in archive.namelist():
            if name.endswith(".npz"):
                with np.load(archive.open(name)) as arrays:
                    assert set(arrays["test_group"]) == {f"{k:02d}" for k in range(60)}


def test_the_same_records_make_the_same_bytes(
    bench: Bench, suite: Path, packed: Path, tmp_path: Path
) -> None:
    bench("bundle", suite, tmp_path / "again.zip", "--results", results_a(tmp_path))
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    bench("merge", packed, "--results", results_b(tmp_path))
    brought = results_b(tmp_path) / "suites" / "trained.yaml"
    bench("bundle", brought, tmp_path / "from-b.zip", "--results", results_b(tmp_path))
    assert (tmp_path / "from-b.zip").read_bytes() == packed.read_bytes()


def test_what_is_there_is_skipped_also_where_it_came_from(
    bench: Bench, packed: Path, tmp_path: Path
) -> None:
    for results in (results_a(tmp_path), results_b(tmp_path)):
        bench("merge", packed, "--results", results)
        before = {path: path.stat().st_mtime_ns for path in (results / "records").rglob("*.*")}
        status, out, _ = bench("merge", packed, "--results", results)
        assert (status, "0 taken in, 24 there already, 0 refused" in out) == (0, True)
        assert before == {p: p.stat().st_mtime_ns for p in (results / "records").rglob("*.*")}


def test_a_folder_of_results_is_taken_in_as_it_is(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    status, out, _ = bench("merge", results_a(tmp_path), "--results", results_b(tmp_path))
    assert (status, "24 taken in" in out) == (0, True)
    a, b = ({p.relative_to(r): p.read_bytes() for p in (r / "records").rglob("*.*")}
            for r in (results_a(tmp_path), results_b(tmp_path)))  # fmt: skip
    assert a == b
    status, _, err = bench("merge", results_b(tmp_path), "--results", results_b(tmp_path))
    assert (status, "is the folder of results that records are taken into" in err) == (2, True)
    status, _, err = bench("merge", tmp_path, "--results", results_b(tmp_path))
    assert (status, "holds no records/; give a folder of results or a bundle" in err) == (2, True)


def record_of(results: Path) -> Path:
    return min((results / "records").rglob("rep-0-*.json"))


def changed(path: Path, **fields: Any) -> None:
    path.write_bytes(as_bytes({**load_record(path), **fields}))


def test_a_done_record_that_differs_is_named_and_replaced_by_force_alone(
    bench: Bench, packed: Path, tmp_path: Path
) -> None:
    results = results_b(tmp_path)
    bench("merge", packed, "--results", results)
    path = record_of(results)
    right = path.read_bytes()
    changed(path, metrics={"x/y": 0.5})
    other = path.read_bytes()
    status, out, err = bench("merge", packed, "--results", results)
    assert (status, "0 taken in, 23 there already, 1 refused" in out) == (1, True)
    assert f"refused: the record {path.relative_to(results)} differs from the one" in err
    assert path.read_bytes() == other
    status, out, _ = bench("merge", packed, "--results", results, "--force")
    assert (status, "1 taken in, 23 there already, 0 refused" in out) == (0, True)
    assert path.read_bytes() == right


def test_a_damaged_or_failed_record_gives_way_to_a_done_one(
    bench: Bench, packed: Path, tmp_path: Path
) -> None:
    results = results_b(tmp_path)
    bench("merge", packed, "--results", results)
    path = record_of(results)
    right = path.read_bytes()
    error = {"kind": "bug", "message": "m", "traceback": ""}
    changed(path, status="failed", error=error, metrics={})
    assert bench("merge", packed, "--results", results)[0] == 0
    assert path.read_bytes() == right
    path.write_bytes(right[:99])
    assert bench("merge", packed, "--results", results)[0] == 0
    assert path.read_bytes() == right
    predictions = path.with_suffix(".predictions.npz")
    whole = predictions.read_bytes()
    predictions.write_bytes(whole[:-1] + b"x")
    assert bench("merge", packed, "--results", results)[0] == 0
    assert predictions.read_bytes() == whole


def test_newer_and_damaged_records_of_a_folder_are_refused_and_the_others_taken_in(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    first, second, third, *_ = sorted((results_a(tmp_path) / "records").rglob("rep-*.json"))
    changed(first, schema=SCHEMA + 1)
    second.write_bytes(second.read_bytes().replace(b'"done"', b'"Done"'))
    third.with_suffix(".predictions.npz").write_bytes(b"x")
    status, out, err = bench("merge", results_a(tmp_path), "--results", results_b(tmp_path))
    assert (status, "21 taken in, 0 there already, 3 refused" in out) == (1, True)
    assert f"has schema {SCHEMA + 1}, and this omnibench knows {SCHEMA}" in err
    assert "is damaged" in err
    assert "predictions.npz has another checksum" in err


def test_a_record_that_a_live_run_computes_is_left_to_it(
    bench: Bench, packed: Path, tmp_path: Path
) -> None:
    results = results_b(tmp_path)
    with Leases(results).held("classification/phantom/base/full"):
        status, out, err = bench("merge", packed, "--results", results)
    assert (status, "20 taken in, 0 there already, 4 refused" in out) == (1, True)
    assert "holds it" in err
    assert "merge again then" in err
    assert "4 taken in" in bench("merge", packed, "--results", results)[1]


def test_a_changed_byte_is_found_before_anything_is_taken_in(
    bench: Bench, packed: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(packed) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    victim = max(name for name in contents if name.endswith(".npz"))
    contents[victim] = contents[victim][:-1] + b"x"
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    status, _, err = bench("merge", packed, "--results", results_b(tmp_path))
    assert (status, f"is damaged in {victim}, which has another checksum" in err) == (2, True)
    assert not (results_b(tmp_path) / "records").exists()
    manifest = json.loads(contents["manifest.json"])
    assert manifest["files"][victim] != checksum(contents[victim])


def test_a_suite_that_has_no_record_is_not_packed(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench("bundle", "demo", tmp_path / "x.zip")
    assert (status, "has no record below" in err) == (2, True)
    assert not (tmp_path / "x.zip").exists()


def test_an_archive_that_cannot_be_written_is_one_sentence(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    status, _, err = bench("bundle", suite, "/proc/x.zip", "--results", results_a(tmp_path))
    assert (status, "could not be written" in err, err.count("\n")) == (1, True, 1)


def test_rounds_come_along_and_others_are_not_overwritten(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    family = {"repetitions": 4, "looks": [4, 10], "state": "open"}
    families = {"classification/phantom/full": family}
    content = {"suite": "trained", "most": 10, "families": families}
    place = results_a(tmp_path) / "monitoring" / "trained.json"
    place.parent.mkdir()
    place.write_text(json.dumps(content))
    bench("bundle", suite, tmp_path / "b.zip", "--results", results_a(tmp_path))
    bench("merge", tmp_path / "b.zip", "--results", results_b(tmp_path))
    copy = results_b(tmp_path) / "monitoring" / "trained.json"
    assert copy.read_bytes() == place.read_bytes()
    copy.write_text(place.read_text().replace("10", "12"))
    status, _, err = bench("merge", tmp_path / "b.zip", "--results", results_b(tmp_path))
    assert (status, "monitoring/trained.json differs from the one that is here" in err) == (1, True)


def test_records_of_a_plug_in_are_taken_in_and_named(
    bench: Bench, packed: Path, suite: Path, tmp_path: Path
) -> None:
    for path in (results_a(tmp_path) / "records").rglob("*/better/*/rep-*.json"):
        changed(path, environment={"plugins": ["my_vit.py"]})
    bench("bundle", suite, packed, "--results", results_a(tmp_path))
    out = bench("merge", packed, "--results", results_b(tmp_path))[1]
    assert "24 taken in" in out
    assert "not registered: 8 records of 'better' on classification/phantom" in out
    assert "as my_vit.py did" in out


def test_a_cell_that_is_merged_is_done_for_a_run(
    bench: Bench, packed: Path, tmp_path: Path
) -> None:
    bench("merge", packed, "--results", results_b(tmp_path))
    session = Session.open(Places(results=results_b(tmp_path)))
    units = session.suite(results_b(tmp_path) / "suites" / "trained.yaml")[1]
    cells: list[Cell] = [cell for unit in units for cell in unit.cells]
    assert all(session.store.read(cell) is not None for cell in cells)
