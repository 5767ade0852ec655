"""Slots: what kills one costs its unit alone, limits hold, and the numbers are the same."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.context import Context
from omnibench.engines import local, serial, slot
from omnibench.engines.local import run, slot_contexts
from omnibench.leases import Leases
from omnibench.store import RecordStore
from tests.conftest import WhenLogged
from tests.waiting import wait_until


def records(context: Any) -> dict[Any, Any]:
    """Backbone and repetition -> record."""
    actual = [record for _, record in RecordStore(context.results).all()]
    return {(r["spec"]["backbone"], r["spec"]["repetition"]): r for r in actual}


def test_two_slots_leave_the_records_of_one_process_whatever_dies(
    named: Callable[..., Any], context: Context, tmp_path: Path
) -> None:
    units = named("a", "b", "die-once", "die")
    results = {f.unit.backbone.id: f.repetitions for f in run(units, replace(context, jobs=2))}
    message = results["die"][1]
    assert message is not None
    assert message.startswith("its process ended by SIGKILL; the machine may have run out of mem")
    assert results["die"] == {0: None, 1: message, 2: message}
    assert all(r == {0: None, 1: None, 2: None} for name, r in results.items() if name != "die")

    two, alone = records(context), replace(context, results=tmp_path / "alone")
    list(serial.run([unit for unit in units if unit.backbone.id in ("a", "b")], alone))
    for key, record in records(alone).items():
        assert (two[key]["digest"], two[key]["metrics"]) == (record["digest"], record["metrics"])
        assert two[key]["environment"]["threads"] == 1  # two threads over two slots
    assert two["die", 0]["status"] == "done"  # what it had stays
    assert two["die", 1]["error"]["kind"] == two["die", 2]["error"]["kind"] == "killed"
    assert two["die", 1]["notes"]["attempts"] == 2
    assert list((context.results / "leases").iterdir()) == []


def test_a_time_limit_ends_a_unit_and_the_rest_goes_on(
    named: Callable[..., Any], context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = context.results / "hang.told"
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600 * hangs.exists())
    monkeypatch.setattr(slot, "time", clock)
    limited = replace(context, time_limit=1800.0)
    results = {f.unit.backbone.id: f.repetitions for f in run(named("hang", "b"), limited)}
    assert "ran for more than 1800 s; give it a longer --time-limit" in (results["hang"][0] or "")
    assert results["b"] == {0: None, 1: None, 2: None}
    assert records(context)["hang", 0]["error"]["kind"] == "time"


def test_a_memory_limit_ends_a_unit_and_the_rest_goes_on(
    named: Callable[..., Any], context: Context
) -> None:
    limited = replace(context, memory_limit=0.9)
    results = {f.unit.backbone.id: f.repetitions for f in run(named("grow", "b"), limited)}
    assert "more than --memory-limit 0.9" in (results["grow"][0] or "")
    assert results["b"] == {0: None, 1: None, 2: None}
    assert records(context)["grow", 0]["error"]["kind"] == "out of memory"


def test_a_run_that_is_left_ends_its_processes_and_lets_go(
    named: Callable[..., Any], context: Context
) -> None:
    units = named("b", "hang", "c")
    running: Any = run(units, replace(context, jobs=2))
    next(running)
    assert Leases(context.results).living() == {units[1].name}  # c is to start
    children = {int(p) for p in os.popen(f"pgrep -P {os.getpid()}").read().split()}
    assert children
    running.close()
    assert list((context.results / "leases").glob("*.lease")) == []
    assert not any(map(_computes, children))


def test_an_idle_process_ends_by_itself_and_leaves_nothing_to_warn_of(
    named: Callable[..., Any], context: Context
) -> None:
    (unit,) = named("b")
    place = slot.Slot(context)
    place.start(unit, Leases(context.results).take(unit.name))
    process: Any = place._process
    wait_until(lambda: place.finished() is not None)
    place.stop()
    assert process.exitcode == 0


def _computes(pid: Any) -> bool:
    try:
        return "multiprocessing.spawn" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_a_unit_that_another_runner_holds_is_waited_for(
    named: Callable[..., Any],
    context: Context,
    when_logged: WhenLogged,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (unit,) = named("b")
    other = Leases(context.results)
    lease: Any = other.take(unit.name)
    when_logged(f"waiting for {unit.name}", lambda: other.release(lease))
    (finished,) = run([unit], context)
    assert caplog.text.count(f"waiting for {unit.name}: process {os.getpid()}@") == 1
    assert finished.repetitions == {0: None, 1: None, 2: None}


def test_a_unit_that_was_taken_over_is_looked_at_again(
    named: Callable[..., Any], context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    (unit,) = named("wait")
    other, folder = Leases(context.results), context.results / "leases"

    def take_over() -> None:
        wait_until(lambda: any(path.stat().st_size for path in folder.glob("*.lease")))
        paths = list(folder.glob("*.lease"))
        paths[0].write_text(json.dumps(json.loads(paths[0].read_bytes()) | {"machine": "another"}))
        os.utime(paths[0], (0, 0))
        again = other.take(unit.name)
        assert again is not None
        other.release(again)
        (context.results / "go").touch()

    threading.Thread(target=take_over, daemon=True).start()
    (finished,) = run([unit], context)
    assert finished.repetitions == {0: None, 1: None, 2: None}
    assert caplog.text.count("not recorded, and the unit is looked at again") == 1


def test_the_units_of_a_stopped_run_are_taken_over_on_request(
    named: Callable[..., Any], context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    (unit,) = named("b")
    code = (
        "import sys; from pathlib import Path; from omnibench.leases import Leases\n"
        "print(Leases(Path(sys.argv[1])).take(sys.argv[2]) is not None, flush=True)\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(context.results), unit.name]
    pipe = subprocess.PIPE
    stopped = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    assert stopped.stdout is not None
    assert stopped.stdout.readline() == "True\n"
    stopped.send_signal(signal.SIGSTOP)
    (finished,) = run([unit], replace(context, steal=("stopped",)))
    assert finished.repetitions == {0: None, 1: None, 2: None}
    stopped.kill()


def test_what_another_unit_makes_is_waited_for_and_its_failure_is_told(
    named: Callable[..., Any], context: Context
) -> None:
    maker, lost, needs, orphan = named("a", "die", "b", "c")
    units = [
        replace(needs, after=(maker,)),
        replace(orphan, after=(lost,)),
        maker,
        lost,
    ]
    results = {f.unit.backbone.id: f.repetitions for f in run(units, replace(context, jobs=2))}
    assert results["b"] == {0: None, 1: None, 2: None}
    assert "did not end, whose weights it needs" in (results["c"][0] or "")
    actual = records(context)
    assert actual["b", 0]["started"] >= actual["a", 2]["finished"]
    assert ("c", 0) not in actual


@pytest.mark.parametrize(
    ("device", "gpus", "jobs", "devices"),
    [
        ("cpu", 0, 2, ["cpu", "cpu"]),
        ("cuda", 1, 2, ["cuda", "cuda"]),
        ("cuda", 2, 2, ["cuda:0", "cuda:1"]),
        ("cuda", 2, 3, ["cuda:0", "cuda:1", "cuda:0"]),
        ("cuda:1", 2, 1, ["cuda:1"]),
    ],
)
def test_threads_and_gpus_are_divided(
    context: Context, device: str, gpus: int, jobs: int, devices: list[str]
) -> None:
    slots = slot_contexts(replace(context, device=device, gpus=gpus, jobs=jobs, threads=6))
    assert [slot.device for slot in slots] == devices
    assert {slot.threads for slot in slots} == {6 // jobs}


def test_processes_end_when_their_runner_is_killed(
    named: Callable[..., Any], context: Context
) -> None:
    (unit,) = named("talk")
    forked = multiprocessing.get_context("fork")
    runner = forked.Process(target=lambda: list(local.run([unit], context)))
    runner.start()
    talks = context.results / "talk.told"
    wait_until(lambda: talks.exists() or not runner.is_alive())
    children = os.popen(f"pgrep -P {runner.pid} -f spawn_main").read().split()
    assert children
    runner.kill()
    runner.join()
    wait_until(lambda: not any(map(_computes, map(int, children))))
    assert Leases(context.results).take(unit.name) is not None  # at once: its holder is gone
    assert records(context) == {}  # that nobody hears it any more is no failure of the unit
