"""The benchmarks of a checkout: that every part is there, what is measured on, what is left."""

import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from benchmarks import BESIDE, PARTS, scale
from benchmarks.calibrate import card, keep_rates
from omnibench.calibration import recall
from omnibench.context import Context
from omnibench.device import default_threads
from omnibench.rates import forward_flops


@pytest.mark.parametrize("reference", (PARTS | BESIDE).values(), ids=(PARTS | BESIDE).keys())
def test_every_part_is_there(reference: Any) -> None:
    module, _, function = reference.partition(":")
    actual = find_spec(module)
    assert actual is not None
    assert actual.origin is not None
    source = Path(actual.origin).read_text(encoding="utf-8")  # the import costs seconds
    assert f"\ndef {function}(device: str) -> Iterator[Measure]:\n" in source


def test_the_scale_is_measured_on_records_that_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "BACKBONES", 1)
    monkeypatch.setattr(scale, "REPETITIONS", 2)
    monkeypatch.setattr(scale, "SETTLED_NS", 0)
    first_lines = []
    run_process = subprocess.run

    def run(command: Any, **options: Any) -> Any:
        done = run_process(command, **options)
        first_lines.append(done.stdout.splitlines()[0])
        return done

    monkeypatch.setattr(subprocess, "run", run)
    measures = list(scale.measure("cpu"))
    assert {measure.unit for measure in measures} == {"s", "MB"}
    assert [measure.bound for measure in measures if measure.bound] == [
        *("<= 5", "<= 500"), *("<= 5", "<= 500"), "<= 3"
    ]  # fmt: skip
    statuses = first_lines[2:]
    assert all(line.startswith("hundred-thousand: 80 done, 0 failed") for line in statuses)
    assert len(statuses) == 2


def test_speed_keeps_images_a_second_as_flops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OMNIBENCH_DATA", str(tmp_path / "data"))
    keep_rates("cpu", "trained", {"bf16": 10.0}, passes=3)
    here = Context(tmp_path / "results", tmp_path / "data", "cpu", default_threads())
    assert recall(here).trained == {"bf16": 30 * forward_flops(card(), 224)}
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OMNIBENCH_DATA", str(tmp_path / "file" / "data"))
    keep_rates("cpu", "trained", {"bf16": 10.0}, passes=3)
    assert "the rates are not kept for `plan`" in caplog.text
