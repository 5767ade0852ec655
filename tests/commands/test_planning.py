"""`plan` and `status` of suites with some records, and of suites that are too large."""

import json
import os
from pathlib import Path

import pytest

import omnibench.index
from omnibench.cell import Unit, digest_of
from omnibench.leases import Leases
from omnibench.record import blank
from omnibench.sources import Sources
from omnibench.states import progress, states
from omnibench.store import RecordStore
from omnibench.suite import load, shipped
from tests.conftest import Bench

SUITE = """
name: some
repetitions: 3
backbones: [random-vit-tiny, resnet18]
matrix: [{task: classification, datasets: [phantom], adaptations: [linear, knn]}]
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    path = tmp_path / "some.yaml"
    path.write_text(SUITE)
    return path


@pytest.fixture
def recorded(suite: Path, tmp_path: Path) -> tuple[tuple[Unit, ...], RecordStore]:
    """The suite's units, two of whose cells are done and one failed; and their store."""
    store = RecordStore(tmp_path / "results")
    units = load(str(suite), Sources(tmp_path / "data", tmp_path / "results")).units
    linear = units[0].cells
    for cell, status in ((linear[0], "done"), (linear[2], "failed"), (units[1].cells[0], "done")):
        record = {**blank(cell), "status": status, "finished": "2026-01-01"}
        if status == "failed":
            record["error"] = {"kind": "data", "message": "a damaged image", "traceback": "..."}
        store.write(cell, record, {} if status == "done" else None)
    return units, store


def test_plan_and_status_say_what_is_there(
    bench: Bench,
    suite: Path,
    recorded: tuple[tuple[Unit, ...], RecordStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(omnibench.index, "SETTLED_NS", -1_000_000_000)
    for _ in range(2):  # from the records, then from their index
        _, out, _ = bench("plan", suite)
        assert [line.split(maxsplit=2)[2] for line in out.splitlines()[:5]] == [
            "backbone         adaptation  cells",
            "random-vit-tiny  linear      1 done, 1 missing, 1 failed",
            "random-vit-tiny  knn         1 done",
            "resnet18         linear      3 blocked",
            "resnet18         knn         1 blocked",
        ]
        assert "some: 8 cells in 4 units; 2 done, 1 missing, 1 failed, 4 blocked" in out
        status, out, _ = bench("status", suite)
        assert status == 0
        assert out.startswith("some: 2 done, 1 failed, 1 missing, 0 running, ")
        failed = "failed: classification/phantom/random-vit-tiny/linear, repetition 2: data: a dam"
        assert failed in out
        (failure,) = json.loads(bench("status", suite, "--json")[1])["failures"]
        assert failure["message"] == "a damaged image"


def test_the_plan_of_the_whole_study_fits_on_a_page(bench: Bench) -> None:
    """892 cells of 184 units: a row for all backbones of a task, dataset and adaptation."""
    _, out, _ = bench("plan", "omnirad")
    lines = out.splitlines()
    assert len(lines) <= 60
    assert [line.split() for line in lines if " lora-r8-a16 " in line and "organa" in line] == [
        ["classification", "organamnist", "lora-r8-a16", "1", "5", "blocked"]
    ]
    cells = json.loads(bench("plan", "omnirad", "--json")[1])["cells"]
    assert f"omnirad: {len(cells)} cells in 184 units; {len(cells)} blocked" in lines
    counts = [line.split()[4] for line in lines[1 : lines.index("")]]
    assert sum(map(int, counts)) == len(cells)
    assert "blocked: weights dino-small, dino-base, " in out


def test_progress_tells_what_states_tell(
    recorded: tuple[tuple[Unit, ...], RecordStore],
) -> None:
    units, store = recorded
    plain = [state.as_dict() for state in states(units, store)]
    for _ in range(2):
        assert [state.as_dict() for state in progress(units, store)] == plain


def test_a_cell_of_a_shipped_suite_has_the_digest_of_its_identity(tmp_path: Path) -> None:
    for name in shipped():
        for unit in load(name, Sources(tmp_path, tmp_path)).units:
            for cell in unit.cells:
                assert cell.digest == digest_of(unit.identity(cell.repetition)), unit.name


def test_a_million_cells_are_one_sentence_and_exit_2(bench: Bench, suite: Path) -> None:
    suite.write_text(SUITE.replace("repetitions: 3", "repetitions: 500000"))
    for command in ("plan", "status", "run"):
        status, out, err = bench(command, suite)
        assert (status, out) == (2, "")
        assert "some.yaml: the matrix has 1,000,002 cells, more than the 250,000" in err
        assert err.count("\n") == 1


def test_status_says_what_is_missing_by_task_and_who_works_since_when(
    bench: Bench, suite: Path, tmp_path: Path
) -> None:
    name = "classification/phantom/random-vit-tiny/linear"
    out = bench("status", suite)[1]
    assert "running: " not in out
    rows = [line.split() for line in out.splitlines()[1:3]]
    assert rows == [
        ["task", "done", "failed", "missing", "blocked"],
        ["classification", "0", "0", "4", "4"],
    ]
    with Leases(tmp_path / "results").held(name):
        out = bench("status", suite)[1]
    assert f"running: {name}: process {os.getpid()}@" in out
    assert " holds it since 20" in out


def test_watching_ends_when_nobody_works(
    bench: Bench, suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases = Leases(tmp_path / "results")
    lease = leases.take("classification/phantom/random-vit-tiny/linear")
    assert lease is not None
    monkeypatch.setattr("time.sleep", lambda seconds: leases.release(lease))
    status, out, _ = bench("status", suite, "--watch")
    assert (status, out.count("some: "), out.count("running: ")) == (0, 2, 1)
