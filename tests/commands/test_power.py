"""`power`: the plan printed, its JSON, and what it refuses."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tests.commands.trained_records import write_suite
from tests.conftest import Bench


def rows_of(out: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["adaptation"], row["backbone"]): row for row in json.loads(out)["rows"]}


def test_the_json_has_a_row_for_each_comparison_with_the_baseline(
    bench: Bench, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5, "other": 1.2}, jitter=0.1)
    status, out, _ = bench("power", suite, "--margin", "10", "--json")
    assert status == 0
    actual = json.loads(out)
    assert (actual["suite"], actual["baseline"], actual["margin"]) == ("trained", "base", 10.0)
    assert set(rows_of(out)) == {("full", "good"), ("full", "other")}
    means = {}
    records = (tmp_path / "results" / "records").rglob("*.json")
    for record in (json.loads(path.read_text()) for path in records):
        key = (record["spec"]["backbone"], record["spec"]["repetition"])
        means[key] = record["metrics"]["omnirad-classification/macro-f1"]
    base = [means["base", k] for k in range(4)]
    for row in actual["rows"]:
        values = [means[row["backbone"], k] for k in range(4)]
        assert (row["metric"], row["n"], row["cases"], row["note"]) == ("macro-f1", 4, 300, "")
        assert (row["family"], row["frozen"]) == (2, False)
        both = [row[key]["repetitions"] for key in ("to_detect", "to_match")]
        assert row["needed"] == {"repetitions": max(both), "cases": 300}
        assert row["correlation"] == pytest.approx(np.corrcoef(values, base)[0, 1])
        # A t test that knew the spread would find at 80 % what this one finds or more.
        error = np.sqrt((np.var(values, ddof=1) + np.var(base, ddof=1)) / 4)
        normal = stats.norm.ppf(1 - 0.05 / 4) + stats.norm.ppf(0.8)
        assert row["detectable"] > 100 * error * normal


def test_the_words_end_in_one_sentence(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5})
    _, out, _ = bench("power", suite, "--margin", "5")
    _, plan, _ = bench("power", suite, "--margin", "5", "--json")
    needed = rows_of(plan)["full", "good"]["needed"]["repetitions"]
    header, row, *_, last = out.splitlines()
    assert header.split()[:5] == ["task", "dataset", "adaptation", "metric", "backbone"]
    assert row.split()[4:8] == ["good", "4", "300", "1"]
    assert f"  {needed} runs  " in row
    assert "(n = 4)" in row
    assert last == (
        "0 of 1 comparisons have what a margin of 5 points needs; of the others 1 with up to "
        f"{needed} repetitions."
    )
    assert "1 of 1 comparisons have what" in bench("power", suite, "--margin", "90")[1]
    _, out, _ = bench("power", suite, "--margin", "0.01")
    assert out.splitlines()[-1].endswith("of the others 1 with none of up to 1000 repetitions.")
    assert "> 1000 runs" in out


def test_frozen_probes_need_test_images_by_number(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5}, "full, knn")
    _, out, _ = bench("power", suite, "--margin", "2")
    _, plan, _ = bench("power", suite, "--margin", "2", "--json")
    needed = rows_of(plan)["knn", "good"]["needed"]
    assert needed["repetitions"] == 1
    assert needed["cases"] > 300
    (row,) = (line for line in out.splitlines() if "  knn  " in line)
    assert f"about {needed['cases']:,} test cases (it has 300)" in row
    assert sum("frozen probes" in line for line in out.splitlines()) == 1
    assert out.splitlines()[-1].endswith(f"1 with up to {needed['cases']:,} test cases.")


def test_patients_are_counted_by_their_name(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5}, patients=100)
    _, out, _ = bench("power", suite, "--margin", "5")
    assert out.splitlines()[1].split()[4:9] == ["good", "4", "100", "patients", "1"]


def test_what_is_not_planned_is_one_line_a_reason(bench: Bench, tmp_path: Path) -> None:
    signals = {"base": 1.0, "good": 1.5, "other": 1.2}
    suite = write_suite(tmp_path, signals, "full, linear, knn", repetitions=1)
    _, out, _ = bench("power", suite, "--margin", "2")
    alone = "a single repetition, which tells nothing of its spread (run two)"
    assert f"not planned: {alone} on phantom with full" in out.splitlines()
    records = tmp_path / "results" / "records"
    for folder in (*records.glob("*/phantom/base/linear"), *records.glob("*/phantom/base/full")):
        shutil.rmtree(folder)
    for folder in records.glob("*/phantom/good/knn"):
        shutil.rmtree(folder)
    _, out, _ = bench("power", suite, "--margin", "2")
    assert [line for line in out.splitlines() if line.startswith("not planned")] == [
        "not planned: no finished run of the baseline on phantom with full and linear",
        "not planned: no finished run on phantom with knn: good",
    ]
    notes = [
        row["note"]
        for row in json.loads(bench("power", suite, "--margin", "2", "--json")[1])["rows"]
    ]
    assert len(notes) == 6
    assert notes.count("no finished run of the baseline") == 4


def test_a_metric_that_is_not_in_points_is_left_out_with_a_sentence(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5})
    key = "omnirad-classification/macro-f1"
    monkeypatch.setattr(
        "omnibench.commands.powering.units_by_metric", lambda values: {key: "millimetres"}
    )
    sentence = "The margin is in points; macro-f1 is in millimetres, so it is left out."
    _, out, _ = bench("power", suite, "--margin", "2")
    assert out.splitlines() == [sentence, "No comparison can be planned."]
    _, out, _ = bench("power", suite, "--margin", "2", "--json")
    assert (json.loads(out)["rows"], json.loads(out)["left_out"]) == ([], [sentence])


@pytest.mark.parametrize("margin", ["0", "-2", "nan"])
def test_a_margin_is_a_number_of_points_above_0(bench: Bench, tmp_path: Path, margin: str) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5})
    status, _, err = bench("power", suite, "--margin", margin)
    assert status == 2
    assert "is not a number of points above 0" in err


@pytest.mark.parametrize(
    ("signals", "report", "reason"),
    [
        ({"good": 1.5}, "correction: holm", "names no baseline to compare with"),
        ({"base": 1.0}, "baseline: base", ""),
    ],
)
def test_a_suite_without_rivals_or_baseline(
    bench: Bench, tmp_path: Path, signals: dict[str, float], report: str, reason: str
) -> None:
    suite = write_suite(tmp_path, signals, report=report)
    status, out, err = bench("power", suite, "--margin", "2")
    assert status == (2 if reason else 0)
    assert reason in err
    assert reason or out == "No comparison can be planned.\n"


def test_a_baseline_that_was_not_run_is_named(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5}, repetitions=0)
    status, _, err = bench("power", suite, "--margin", "2")
    assert status == 2
    assert "no finished cell of its baseline 'base'" in err
    assert "Traceback" not in err
