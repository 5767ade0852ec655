"""What `speed` leaves and `plan` takes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from omnibench import calibration
from omnibench.calibration import FILE, recall, remember
from omnibench.context import Context
from omnibench.rates import CORE_RATE, Rates, frozen_rate


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    names = {"cpu": "cpu: Some Processor", "cuda": "cuda: Some GPU"}
    monkeypatch.setattr(
        calibration, "describe", lambda context: {"device": names[context.device[:4].strip(":")]}
    )
    return Context(tmp_path / "results", tmp_path / "data", "cpu", threads=2)


def test_without_a_measurement_rates_are_rough(context: Context) -> None:
    rates = Rates.from_context(context)
    assert rates.frozen("bf16") == frozen_rate("bf16", "cpu", 2) >= CORE_RATE["bf16"]
    assert rates.calibration.basis == "rough: run `bench.py speed features training`"


def test_what_was_measured_is_taken_by_kind_and_precision(context: Context) -> None:
    remember(context, "frozen", {"fp32": 1e9, "bf16": 2e9})
    assert "the rest rough: run `bench.py speed training`" in recall(context).basis
    remember(context, "trained", {"bf16": 3e9})
    rates = Rates.from_context(context)
    assert (rates.frozen("fp32"), rates.frozen("bf16"), rates.frozen("fp16")) == (1e9, 2e9, 2e9)
    assert rates.trained("bf16") == 3e9
    assert rates.trained("fp32") == frozen_rate("fp32", "cpu", 2)
    date = json.loads((context.data / FILE).read_text())["cpu"]["date"]
    assert rates.calibration.basis == f"measured on this machine (Some Processor) on {date}"


def test_another_processor_or_other_threads_count_for_nothing(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(context, "frozen", {"bf16": 2e9})
    assert recall(replace(context, threads=4)).frozen == {}
    remember(replace(context, threads=4), "trained", {"bf16": 3e9})
    assert recall(replace(context, threads=4)).frozen == {}  # it gave way
    monkeypatch.setattr(calibration, "describe", lambda context: {"device": "cpu: Another"})
    assert recall(replace(context, threads=4)).trained == {}


def test_a_gpu_is_named_and_never_asked(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = replace(context, device="cuda")
    remember(gpu, "frozen", {"bf16": 2e12})
    remember(context, "frozen", {"bf16": 2e9})
    monkeypatch.setattr(calibration, "describe", None)
    actual = recall(replace(context, device="cuda:1"))
    assert actual.frozen == {"bf16": 2e12}
    assert "(Some GPU)" in actual.basis


@pytest.mark.parametrize("text", ["", "[]", "{", '{"cpu": 3}', '{"cpu": {"device": "x"}}'])
def test_a_damaged_file_counts_for_nothing(context: Context, text: str) -> None:
    context.data.mkdir()
    (context.data / FILE).write_text(text)
    assert recall(context).frozen == {}
    remember(context, "frozen", {"bf16": 2e9})
    assert recall(context).frozen == {"bf16": 2e9}
