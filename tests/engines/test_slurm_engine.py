"""The SLURM engine: profiles, arrays, and a real SLURM of one machine where Debian's is there."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines import engines
from omnibench.engines.slurm_jobs import held, note, queued
from omnibench.engines.slurm_profile import Profile, read_profile
from omnibench.errors import RequestError
from tests.conftest import Bench
from tests.engines.cluster_suite import CELLS, PRETRAINING, command, metrics, run_here, write_suite
from tests.waiting import wait_until

DAEMONS = ("slurmctld", "slurmd", "munged")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{time: 10, partitoin: gpu}", "partitoin: unknown field; did you mean partition?"),
        ("{partition: gpu}", "time: Field required"),
        ("{time: 0}", "time: should be greater than or equal to 1"),
        ("{time: 10", "not a YAML file"),
        ("{time: 10, <<: {gpus: 1}}", "'<<', which merges mappings"),
        ("{time: 10, time: 20}", "the key 'time' stands twice"),
        ('{time: 10, sbatch: {"qos\\nrm -rf x": 1}}', "is no option of sbatch by its long name"),
        ('{time: 10, sbatch: {"Qos": 1}}', "sbatch: 'Qos' is no option"),
        ('{time: 10, sbatch: {qos: "a\\nrm -rf x"}}', "is not one line of plain text"),
        ('{time: 10, sbatch: {qos: "a\\r#SBATCH"}}', "sbatch"),
        ('{time: 10, partition: "a\\nrm -rf x"}', "partition"),
        ('{time: 10, account: "a\\u2028x"}', "account"),
    ],
)
def test_a_wrong_profile_is_refused_by_the_field(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_text(text)
    with pytest.raises(RequestError, match=re.escape(complaint)):
        read_profile(path)


def test_without_a_profile_one_is_shown() -> None:
    with pytest.raises(RequestError, match="needs --profile FILE, such as"):
        read_profile(None)
    with pytest.raises(RequestError, match="cannot be read"):
        read_profile(Path("absent.yaml"))


def test_a_job_is_warned_in_time_for_a_checkpoint() -> None:
    assert Profile(time=1).warning_seconds == 15
    assert Profile(time=600).warning_seconds == 120


def test_without_submitit_the_way_out_is_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(engines._entries, "slurm", "omnibench.engines.slurm:run")
    monkeypatch.delitem(sys.modules, "omnibench.engines.slurm", raising=False)
    monkeypatch.setitem(sys.modules, "submitit", None)
    status, _, err = bench("run", "demo", "--engine", "slurm")
    assert status == 2
    assert err == "error: --engine slurm needs submitit: pip install 'omnibench[slurm]'\n"


def test_the_cap_holds_over_all_arrays() -> None:
    slurm = pytest.importorskip("omnibench.engines.slurm")
    assert slurm._caps([20, 2], None) == [20, 2]
    assert slurm._caps([20, 2], 8) == [7, 1]
    assert slurm._caps([3, 2], 100) == [3, 2]
    assert slurm._caps([5, 5, 5], 2) == [1, 1, 1]  # the third waits for the first


def test_what_makes_a_backbone_stands_before_those_that_wait_for_it(
    unit: Unit, tmp_path: Path
) -> None:
    slurm = pytest.importorskip("omnibench.engines.slurm")
    recipe = {"input_size": 8, "precision": "fp32", "normalization": "backbone", "limit": None}
    unit = replace(unit, adaptation="knn", recipe=recipe)
    maker = replace(unit, dataset=unit.dataset.model_copy(update={"id": "pool"}))
    needing = replace(unit, after=(maker,))
    other = replace(unit, dataset=unit.dataset.model_copy(update={"id": "other"}))
    arrays = slurm._arrays([needing, other, maker], Context(tmp_path, tmp_path))
    assert [{unit.dataset.id for unit in array} for array in arrays] == [{"other", "pool"}, {"d"}]


def test_queued_units_are_those_that_squeue_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho 17_1\necho 18\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert queued(tmp_path) == {}
    note(tmp_path, {"a": "17_0", "b": "17_1"})
    assert queued(tmp_path) == {"b": "17_1"}
    note(tmp_path, {"a": "18"})
    assert queued(tmp_path) == {"a": "18", "b": "17_1"}


def test_a_queue_that_does_not_answer_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    squeue = tmp_path / "squeue"
    squeue.write_text("#!/bin/sh\necho 'timed out' >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    note(tmp_path, {"a": "17"})
    with pytest.raises(RequestError, match="squeue failed"):
        held(tmp_path)
    assert queued(tmp_path) == {}
    assert "count as missing" in caplog.text


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[Any]]:
    """Start a SLURM of this machine for the test's time; yields what ends with it."""
    pytest.importorskip(
        "submitit", reason="submitit is not installed: pip install omnibench[slurm]"
    )
    absent = [name for name in DAEMONS if shutil.which(name) is None]
    if absent or os.geteuid() != 0:
        pytest.skip(f"no SLURM: {', '.join(absent) or 'root rights'} absent (slurm-wlm, munge)")
    folder = tmp_path / "slurm"
    script = Path(__file__).with_name("start_slurm.sh")
    started = subprocess.Popen([script, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert started.stdin is not None
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n"
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    yield started
    subprocess.run(["scancel", "--user=root"], check=False)
    # A job that outlives its SLURM waits for it for ever.
    squeue = ["squeue", "--noheader"]
    wait_until(lambda: not subprocess.run(squeue, capture_output=True).stdout.strip(), started)
    started.stdin.close()
    started.wait()


def test_a_job_that_is_cut_goes_on_and_those_that_need_it_wait(
    slurm: subprocess.Popen[Any], tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, epochs=20)
    results = tmp_path / "cluster" / "results"
    profile = tmp_path / "profile.yaml"
    profile.write_text("{partition: main, time: 60, cpus: 1, max_jobs: 2}")
    submit = command("run", suite, "cluster", "--engine", "slurm", "--profile", profile)

    def status() -> dict[str, int]:
        printed = subprocess.run(
            command("status", suite, "cluster", "--json"), capture_output=True, check=True
        )
        result: dict[str, int] = json.loads(printed.stdout)
        return result

    def wait_for_jobs(until: Callable[[], object]) -> None:
        wait_until(lambda: until() or status()["failed"], slurm)
        assert until(), status()

    first = subprocess.run(submit, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert f"{CELLS} in the queue" in first.stdout
    again = subprocess.run(submit, capture_output=True, text=True, check=True)
    assert "submitted as job" not in again.stderr  # SLURM holds them already
    now = status()
    assert now["queued"] + now["running"] + now["done"] == CELLS

    # What SLURM sends before a time limit, in the middle of the pretraining.
    wait_for_jobs(lambda: list((results / "checkpoints").rglob("step-*.pt")))
    job = queued(results)[PRETRAINING]
    subprocess.run(["scancel", "--signal=USR2", job], check=True)
    wait_for_jobs(lambda: status()["done"] == CELLS)
    log = (results / "slurm" / "jobs" / f"{job}_0_log.out").read_text()
    assert log.count("Starting with JobEnvironment") == 2
    assert f"Requeued job {job}" in log
    run_here(suite, "here")
    assert metrics(results) == metrics(tmp_path / "here")
    assert not list((results / "leases").glob("*.lease"))
