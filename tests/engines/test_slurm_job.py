"""What a SLURM job does when it is warned of its time limit, without a SLURM."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.slurm_job import UnitJob
from omnibench.interrupts import WARNING

submitit = pytest.importorskip(
    "submitit", reason="submitit is absent: pip install omnibench[slurm]"
)


@pytest.fixture
def job(unit: Unit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[UnitJob]:
    """A job that is warned while its unit runs; submitit's handler is put back afterwards."""
    from omnibench.engines.slurm_job import UnitJob

    def run(self: Any) -> None:
        os.kill(os.getpid(), WARNING)
        threading.Event().wait()

    monkeypatch.setattr(UnitJob, "_run", run)
    monkeypatch.setattr("omnibench.engines.slurm_job._log_to_output", lambda: None)
    before = signal.getsignal(WARNING)
    yield UnitJob(unit, Context(tmp_path / "results", tmp_path / "data"))
    signal.signal(WARNING, before)


def test_a_warned_job_is_requeued(job: UnitJob, tmp_path: Path) -> None:
    def requeue(number: Any, frame: Any) -> None:
        raise SystemExit(-1)

    signal.signal(WARNING, requeue)
    with pytest.raises(SystemExit, match="-1"):
        job()
    assert job.checkpoint().function is job  # what runs after the requeue
    assert not (tmp_path / "results" / "records").exists()


def test_a_job_that_is_cut_too_often_is_a_failure(job: UnitJob, unit: Unit, tmp_path: Path) -> None:
    def refuse(number: Any, frame: Any) -> None:
        raise submitit.core.utils.UncompletedJobError("timed-out too many times")

    signal.signal(WARNING, refuse)
    with pytest.raises(SystemExit, match="1"):
        job()
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("rep-*.json")]
    assert len(records) == len(unit.repetitions)
    assert {record["error"]["kind"] for record in records} == {"time"}
    assert "more resubmissions" in records[0]["error"]["message"]


def test_a_plugin_that_fails_on_the_node_is_in_the_record(unit: Unit, tmp_path: Path) -> None:
    from omnibench.engines.slurm_job import UnitJob

    plugin = tmp_path / "absent.py"
    finished = UnitJob(unit, Context(tmp_path / "results", tmp_path, plugins=(plugin,)))._run()
    sentence = f"the plug-in '{plugin}' does not exist"
    assert finished.repetitions == dict.fromkeys(unit.repetitions, sentence)
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("rep-*.json")]
    assert [record["error"]["message"] for record in records] == [sentence] * 3


def test_what_another_runner_holds_is_not_made_a_failure(unit: Unit, tmp_path: Path) -> None:
    from omnibench.engines.slurm_job import UnitJob
    from omnibench.errors import TimeLimitError
    from omnibench.leases import Leases

    results = tmp_path / "results"
    with Leases(results).held(unit.name):
        finished = UnitJob(unit, Context(results, tmp_path))._fail(TimeLimitError("too often"))
    assert f"process {os.getpid()}@" in (finished.repetitions[0] or "")
    assert not (results / "records").exists()
