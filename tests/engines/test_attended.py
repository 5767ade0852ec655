"""What runs a unit on a cluster's node: watched, and shared by several processes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cluster_suite import PRETRAINING, metrics, run_here, write_suite

from omnibench.catalogue import load_installed
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.engines.attended import attend
from omnibench.engines.slot import Slot
from omnibench.sources import Sources
from omnibench.suite import load


@pytest.fixture
def context(tmp_path) -> Context:
    return Context(tmp_path / "results", tmp_path / "data", threads=2)


@pytest.fixture
def suite(tmp_path) -> Path:
    return write_suite(tmp_path, epochs=1)


@pytest.fixture
def training(suite, context) -> Unit:
    load_installed()
    units = load(str(suite), Sources(context.data, context.results)).units
    return next(maker for unit in units for maker in unit.after)


def record(context: Context) -> dict:
    (path,) = context.results.rglob("rep-*.json")
    return json.loads(path.read_text())


def test_two_processes_share_a_training(training, suite, context, tmp_path):
    finished = attend(training, Slot(context), processes=2)
    assert (finished.unit.name, finished.repetitions) == (PRETRAINING, {0: None})
    run_here(suite, "here")
    ((digest, (status, shared)),) = metrics(context.results).items()
    alone = metrics(tmp_path / "here")[digest]
    assert status == alone[0] == "done"
    assert shared == pytest.approx(alone[1], abs=1e-4, nan_ok=True)


@pytest.mark.parametrize("processes", [1, 2])
def test_processes_that_die_leave_a_failed_record(training, context, tmp_path, processes):
    slot = Slot(replace(context, plugins=(tmp_path / "absent.py",)))
    finished = attend(training, slot, processes)
    assert "exit status 1" in (finished.repetitions[0] or "")
    assert record(context)["error"]["kind"] == "killed"


@pytest.mark.parametrize("processes", [1, 2])
def test_a_time_limit_ends_a_unit(training, context, processes):
    finished = attend(training, Slot(replace(context, time_limit=0.1)), processes)
    assert "longer --time-limit" in (finished.repetitions[0] or "")
    assert record(context)["error"]["kind"] == "time"
