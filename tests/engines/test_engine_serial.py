"""Units one after another: failures, races, disks that fill, signals and kills."""

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench import execute, files
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.serial import run
from omnibench.errors import DataError
from omnibench.execute import execute_unit
from omnibench.interrupts import Interrupted, interruptible
from omnibench.leases import Leases
from omnibench.recipe import Recipe
from omnibench.store import RecordStore
from omnibench.task import Adaptation, Outcome, Task
from tests.conftest import WhenLogged
from tests.waiting import wait_until

LOGITS = {"test_logits": np.eye(4, 2, dtype=np.float32), "test_labels": np.array([0, 1, 0, 1])}


class ToyTask(Task):
    """Counts its runs; fails where it is told to."""

    name = "toy"
    own = {"linear": Adaptation("linear", "nothing", "head seed", {"small": Recipe()})}  # noqa: RUF012

    def __init__(self) -> None:
        self.ran: list[tuple[str, int]] = []
        self.fail: dict[int, Exception] = {}
        self.value: float | None = 0.5

    def run(self, unit: Unit, context: Context) -> Iterator[Outcome]:
        for repetition in unit.repetitions:
            if repetition in self.fail:
                raise self.fail[repetition]
            self.ran.append((unit.backbone.id, repetition))
            yield Outcome(repetition, {"toy/score": self.value}, LOGITS)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ToyTask:
    task = ToyTask()
    monkeypatch.setattr(tasks, "_entries", {**tasks._entries, "toy": task})
    return task


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path / "results", tmp_path / "data")


@pytest.fixture
def toy_unit(unit: Unit) -> Unit:
    return replace(unit, task="toy", recipe=Recipe().model_dump())


def records(context: Context) -> dict[int, dict[str, Any]]:
    actual = [record for _, record in RecordStore(context.results).all()]
    return {record["spec"]["repetition"]: record for record in actual}


def test_every_repetition_leaves_a_record_with_all_keys(
    toy: ToyTask, toy_unit: Unit, context: Context
) -> None:
    (finished,) = run([toy_unit], context)
    assert finished.repetitions == {0: None, 1: None, 2: None}
    for repetition, record in records(context).items():
        assert set(record) == {
            *("schema", "digest", "adopted", "spec", "status", "metrics", "cost", "environment"),
            *("notes", "digests", "pairing", "files", "error", "run", "started", "finished"),
            "checksum",
        }
        assert record["digest"] == toy_unit.cells[repetition].digest
        assert record["metrics"] == {"toy/score": 0.5}
        assert record["cost"]["peak_memory_mb"] > 0


def test_the_same_run_again_does_nothing_and_force_does_all(
    toy: ToyTask, toy_unit: Unit, context: Context
) -> None:
    list(run([toy_unit], context))
    list(run([toy_unit], context))
    assert len(toy.ran) == 3
    list(run([toy_unit], replace(context, force=True, run="later")))
    assert len(toy.ran) == 6


def test_a_failure_is_a_record_and_the_rest_goes_on(
    toy: ToyTask, toy_unit: Unit, context: Context, unit: Unit
) -> None:
    other = replace(toy_unit, backbone=unit.backbone.model_copy(update={"id": "other"}))
    toy.fail = {1: DataError("image 7 is damaged")}
    results = list(run([toy_unit, other], context))
    assert [r.repetitions for r in results] == [
        {0: None, 1: "image 7 is damaged", 2: "image 7 is damaged"}
    ] * 2
    record = records(context)[2]
    assert record["status"] == "failed"
    assert record["error"]["kind"] == "data"
    assert "DataError" in record["error"]["traceback"]
    toy.fail = {}
    list(run([toy_unit], context))
    assert records(context)[2]["status"] == "failed"  # failed cells stay until asked for
    list(run([toy_unit], replace(context, retry_failed=True, run="later")))
    assert toy.ran == [("a", 0), ("other", 0), ("a", 1), ("a", 2)]


def test_an_unforeseen_error_is_a_bug_and_memory_is_named(
    toy: ToyTask, toy_unit: Unit, context: Context
) -> None:
    toy.fail = {0: ZeroDivisionError("x")}
    (finished,) = run([toy_unit], context)
    assert finished.repetitions[0] == "ZeroDivisionError: x"
    assert records(context)[0]["error"]["kind"] == "bug"
    for error in (MemoryError("x"), RuntimeError("CUDA error: out of memory")):
        toy.fail = {0: error}
        list(run([toy_unit], replace(context, force=True, run="later")))
        assert records(context)[0]["error"]["kind"] == "out of memory"


def test_a_metric_that_is_not_finite_is_a_failure(
    toy: ToyTask, toy_unit: Unit, context: Context
) -> None:
    toy.value = float("nan")
    (finished,) = run([toy_unit], context)
    assert "toy/score is nan" in (finished.repetitions[0] or "")
    assert records(context)[0]["error"]["kind"] == "numeric"


def test_an_undefined_metric_is_kept_as_null(
    toy: ToyTask, toy_unit: Unit, context: Context
) -> None:
    toy.value = None
    list(run([toy_unit], context))
    assert records(context)[0]["metrics"] == {"toy/score": None}


def test_a_disk_that_fills_in_a_record_fails_that_cell_by_name(
    toy: ToyTask,
    toy_unit: Unit,
    context: Context,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    written = files._write

    def full(file: Any, content: bytes) -> None:
        if b'"repetition": 1' in content:
            file.write(content[:40])
            raise OSError(errno.ENOSPC, "No space left on device")
        written(file, content)

    monkeypatch.setattr(files, "_write", full)
    (finished,) = run([toy_unit], context)
    assert finished.repetitions[0] is None
    assert "the disk is full" in (finished.repetitions[1] or "")
    assert set(records(context)) == {0, 2}
    assert "repetition 1" in caplog.text
    assert not list(context.results.rglob("*.tmp"))
    monkeypatch.undo()


def test_a_signal_lets_the_record_in_hand_be_written(
    toy: ToyTask, toy_unit: Unit, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RecordStore.write

    def signalled(self: Any, *args: Any) -> Any:
        if args[0].repetition == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return write(self, *args)

    monkeypatch.setattr(RecordStore, "write", signalled)
    with pytest.raises(Interrupted), interruptible():
        list(run([toy_unit], context))
    assert set(records(context)) == {0, 1}
    list(run([toy_unit], context))
    assert toy.ran == [("a", 0), ("a", 1), ("a", 2)]


def test_a_unit_that_another_runner_holds_is_done_by_one_of_them_alone(
    toy: ToyTask,
    toy_unit: Unit,
    context: Context,
    when_logged: WhenLogged,
    caplog: pytest.LogCaptureFixture,
) -> None:
    code = (
        "import sys; from pathlib import Path; from omnibench.leases import Leases\n"
        "with Leases(Path(sys.argv[1])).held(sys.argv[2]) as ours:\n"
        "    print(ours is not None, flush=True); sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(context.results), toy_unit.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with Leases(context.results).held(toy_unit.name) as ours:
        assert ours is None
    when_logged(f"waiting for {toy_unit.name}", holder.stdin.close)
    list(run([toy_unit], context))
    assert len(toy.ran) == 3
    assert caplog.text.count(f"waiting for {toy_unit.name}: process {holder.pid}@") == 1
    holder.wait()


def taken_over(context: Context, unit: Unit) -> Leases:
    """Take a unit over as another machine would whose holder was not heard of for too long."""
    (path,) = (context.results / "leases").glob("*.lease")
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"machine": "another"}))
    os.utime(path, (0, 0))
    other = Leases(context.results)
    assert other.take(unit.name) is not None
    return other


@pytest.mark.parametrize("late_error", [None, DataError("its checkpoint was deleted")])
def test_a_runner_that_was_paused_across_an_expiry_writes_nothing(
    toy: Any,
    toy_unit: Unit,
    context: Context,
    caplog: pytest.LogCaptureFixture,
    late_error: DataError | None,
) -> None:
    written, plain = {}, toy.run

    def overtaken(unit: Unit) -> Iterator[Outcome]:
        successor = taken_over(context, unit)
        (lease,) = successor._held
        toy.value = 0.75
        finished = execute_unit(unit, replace(context, lease=lease))
        assert finished.repetitions == {0: None, 1: None, 2: None}
        folder = RecordStore(context.results).folder(unit)
        written.update({file: file.read_bytes() for file in folder.iterdir()})
        successor.release(lease)
        if late_error:
            raise late_error
        yield Outcome(0, {"toy/score": 0.25}, LOGITS)

    taken = []

    def run_once(unit: Unit, own: Context) -> Iterator[Outcome]:
        taken.append(unit)
        yield from overtaken(unit) if len(taken) == 1 else plain(unit, own)

    toy.run = run_once
    (finished,) = run([toy_unit], context)
    assert finished.repetitions == {0: None, 1: None, 2: None}
    assert not finished.lost
    assert {file: file.read_bytes() for file in written} == written
    assert {record["metrics"]["toy/score"] for record in records(context).values()} == {0.75}
    assert "not recorded" in caplog.text
    assert list((context.results / "leases").iterdir()) == []


def test_a_folder_that_is_a_link_out_fails_its_unit_by_name_and_the_rest_goes_on(
    toy: ToyTask, toy_unit: Unit, context: Context, unit: Unit, tmp_path: Path
) -> None:
    other = replace(toy_unit, backbone=unit.backbone.model_copy(update={"id": "other"}))
    (tmp_path / "outside").mkdir()
    folder = context.results / "records" / toy_unit.name
    folder.parent.mkdir(parents=True)
    folder.symlink_to(tmp_path / "outside")
    results = {f.unit.backbone.id: f.repetitions for f in run([toy_unit, other], context)}
    assert "is a link that leads out" in (results["a"][0] or "")
    assert results["other"] == {0: None, 1: None, 2: None}
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_done_record_is_replaced_by_force_alone(
    toy: ToyTask, toy_unit: Unit, context: Context
) -> None:
    """Also without any lease, as when somebody deleted the folder of leases."""
    assert execute_unit(toy_unit, context).repetitions == {0: None, 1: None, 2: None}
    toy.value = 0.75
    toy.fail = {2: DataError("late")}
    assert execute_unit(toy_unit, replace(context, run="late")).repetitions[2] is None
    assert {r["metrics"]["toy/score"] for r in records(context).values()} == {0.5}
    forced = execute_unit(toy_unit, replace(context, run="forced", force=True))
    assert forced.repetitions == {0: None, 1: None, 2: "late"}
    assert [records(context)[k]["status"] for k in range(3)] == ["done", "done", "failed"]


@pytest.mark.parametrize("date", ["1999-01-01T00:00:00.000+00:00", "2999-01-01T00:00:00.000+00:00"])
def test_force_and_retry_failed_do_all_once_whatever_the_clock_says(
    toy: ToyTask, toy_unit: Unit, context: Context, monkeypatch: pytest.MonkeyPatch, date: str
) -> None:
    toy.fail = {2: DataError("once")}
    with monkeypatch.context() as other_clock:
        other_clock.setattr(execute, "_now", lambda: date)
        list(run([toy_unit], context))
    toy.fail, toy.ran = {}, []
    retried = replace(context, retry_failed=True, run="retry")
    list(run([toy_unit], retried))
    list(run([toy_unit], retried))
    assert toy.ran == [("a", 2)]
    forced = replace(context, force=True, run="force")
    list(run([toy_unit], forced))
    list(run([toy_unit], forced))
    assert toy.ran == [("a", 2), ("a", 0), ("a", 1), ("a", 2)]


SUITE = """
name: two
repetitions: 3
backbones: [{id: v, source: 'random:test_vit'}, {id: w, source: 'random:test_vit2'}]
matrix:
  - {task: classification, datasets: ['npz:two.npz'], adaptations: [linear, knn],
     recipe: {input_size: 64, precision: fp32, epochs: 30}}
report: {baseline: v}
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for split, count in (("train", 90), ("val", 30), ("test", 40)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        arrays[f"{split}_labels"] = np.arange(count)[:, None] % 3
    np.savez(tmp_path / "two.npz", **arrays)
    (tmp_path / "two.yaml").write_text(SUITE)
    return tmp_path / "two.yaml"


def command(suite: Path, place: str) -> list[str]:
    folder = suite.parent / place
    return [
        *(sys.executable, "-m", "omnibench", "run", str(suite)),
        *("--results", str(folder / "results"), "--data", str(folder / "data")),
    ]


def metrics(folder: Path) -> dict[str, dict[str, Any]]:
    actual = {}
    for path in folder.rglob("rep-*.json"):
        record = json.loads(path.read_text())
        actual[record["digest"]] = {"path": path.name, **record["metrics"]}
    return actual


def test_killed_runs_and_two_at_once_end_in_the_same_numbers(suite: Path) -> None:
    plain = subprocess.run(command(suite, "plain"), capture_output=True, text=True, check=False)
    assert plain.returncode == 0, plain.stderr
    expected = metrics(suite.parent / "plain")
    assert len(expected) == 8

    def is_there(sign: str) -> bool:
        return any((suite.parent / "killed").glob(sign))

    # Killed once in the middle of a feature pass and once between two records.
    for sign in ("data/features/*/manifest.json", "results/records/**/rep-*.json"):
        killed = subprocess.Popen(command(suite, "killed"), stdout=subprocess.DEVNULL)
        wait_until(partial(is_there, sign), killed)
        killed.kill()
        killed.wait()
    both = [subprocess.Popen(command(suite, "killed"), stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert metrics(suite.parent / "killed") == expected
