"""What runs a unit on a cluster's node: watched, and shared by several processes."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.attended import attend
from omnibench.engines.slot import Slot
from omnibench.sources import Sources
from omnibench.suite import load
from tests.engines.cluster_suite import PRETRAINING, metrics, write_suite


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(tmp_path / "results", tmp_path / "data", threads=2)


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    return write_suite(tmp_path, epochs=1)


@pytest.fixture
def training(suite: Path, context: Context) -> Unit:
    units = load(str(suite), Sources(context.data, context.results)).units
    return next(maker for unit in units for maker in unit.after)


def record(context: Context) -> dict[str, Any]:
    (path,) = context.results.rglob("rep-*.json")
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def test_two_processes_share_a_training(training: Unit, context: Context, tmp_path: Path) -> None:
    finished = attend(training, Slot(context), processes=2)
    assert (finished.unit.name, finished.repetitions) == (PRETRAINING, {0: None})
    elsewhere = replace(context, results=tmp_path / "alone")
    attend(training, Slot(elsewhere))
    ((digest, (status, shared)),) = metrics(context.results).items()
    alone = metrics(elsewhere.results)[digest]
    assert status == alone[0] == "done"
    assert shared == pytest.approx(alone[1], abs=1e-4, nan_ok=True)


def in_processes_alone(code: str) -> str:
    """A plug-in that does this where it is not imported by the tests' own process."""
    return f"import os\nif os.getpid() != {os.getpid()}:\n    {code}\n"


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_that_die_leave_a_failed_record(
    training: Unit, context: Context, tmp_path: Path, processes: int
) -> None:
    plugin = tmp_path / f"plugin_that_dies_{processes}.py"
    plugin.write_text(in_processes_alone("os._exit(3)"))
    finished = attend(training, Slot(replace(context, plugins=(plugin,))), processes)
    assert f"exit status {3 if processes == 1 else 1}" in (finished.repetitions[0] or "")
    assert record(context)["error"]["kind"] == "killed"


@pytest.mark.parametrize("processes", [1, 2])
def test_what_stops_a_process_before_its_unit_is_in_the_record(
    training: Unit, context: Context, tmp_path: Path, processes: int
) -> None:
    plugin = tmp_path / f"plugin_stopped_{processes}.py"
    plugin.write_text(in_processes_alone("raise ValueError('no\\nGPU')"))
    finished = attend(training, Slot(replace(context, plugins=(plugin,))), processes)
    message = f"the plug-in '{plugin}' failed at line 3: ValueError: no GPU"
    assert finished.repetitions == {0: message}
    error = record(context)["error"]
    assert (error["kind"], error["message"]) == ("request", message)


def test_an_error_outside_the_unit_is_in_the_record_and_not_swallowed(
    training: Unit, context: Context, tmp_path: Path
) -> None:
    plugin = tmp_path / "plugin_of_a_disk_that_fails.py"
    code = "from omnibench.engines import worker; worker.execute_unit = lambda *_: open('/nowhere')"
    plugin.write_text(in_processes_alone(code))
    finished = attend(training, Slot(replace(context, plugins=(plugin,))))
    message = "its process failed: FileNotFoundError: [Errno 2] No such file or directory"
    assert message in (finished.repetitions[0] or "")
    assert record(context)["error"]["message"] == finished.repetitions[0]


def test_a_plugin_that_is_absent_where_the_unit_runs_is_in_the_record(
    training: Unit, context: Context, tmp_path: Path
) -> None:
    plugin = tmp_path / "absent.py"
    finished = attend(training, Slot(replace(context, plugins=(plugin,))), processes=2)
    assert finished.repetitions == {0: f"the plug-in '{plugin}' does not exist"}
    assert record(context)["error"]["kind"] == "request"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_time_limit_ends_a_unit(training: Unit, context: Context, processes: int) -> None:
    finished = attend(training, Slot(replace(context, time_limit=0.1)), processes)
    assert "longer --time-limit" in (finished.repetitions[0] or "")
    assert record(context)["error"]["kind"] == "time"
