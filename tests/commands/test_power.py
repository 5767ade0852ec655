"""`power`: the plan printed, its JSON, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from tests.commands.trained_records import write_suite
from tests.conftest import Bench


def rows_of(out: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["adaptation"], row["backbone"]): row for row in json.loads(out)["rows"]}


def test_the_plan_is_statsmodels_in_points_of_the_primary_metric(
    bench: Bench, tmp_path: Path
) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5, "other": 1.2}, jitter=0.1)
    status, out, _ = bench("power", suite, "--margin", "2", "--json")
    assert status == 0
    actual = json.loads(out)
    assert (actual["suite"], actual["baseline"], actual["margin"]) == ("trained", "base", 2.0)
    assert set(rows_of(out)) == {("full", "good"), ("full", "other")}
    for row in actual["rows"]:
        assert (row["metric"], row["n"], row["paired"], row["note"]) == ("macro-f1", 4, True, "")
        exact = TTestPower().solve_power(effect_size=2 / row["sd"], alpha=0.05, power=0.8)
        assert row["to_detect"] == np.ceil(exact)
        assert row["needed"] == max(row["to_detect"], row["to_match"])
        assert row["cautious"] >= row["needed"]
        now = TTestPower().solve_power(nobs=4, alpha=0.05, power=0.8)
        assert row["detectable"] == pytest.approx(now * row["sd"], rel=1e-3)
    means = {}
    records = (tmp_path / "results" / "records").rglob("*.json")
    for record in (json.loads(path.read_text()) for path in records):
        key = (record["spec"]["backbone"], record["spec"]["repetition"])
        means[key] = record["metrics"]["omnirad-classification/macro-f1"]
    differences = [100 * (means["good", k] - means["base", k]) for k in range(4)]
    assert rows_of(out)["full", "good"]["sd"] == pytest.approx(np.std(differences, ddof=1))


def test_the_words_end_in_one_sentence(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5})
    _, out, _ = bench("power", suite, "--margin", "2")
    _, told, _ = bench("power", suite, "--margin", "2", "--json")
    needed = rows_of(told)["full", "good"]["needed"]
    header, row, *_, last = out.splitlines()
    assert header.split()[:5] == ["task", "dataset", "adaptation", "metric", "backbone"]
    assert row.split()[4:7] == ["good", "4", "shared"]
    assert str(needed) in row.split()
    assert last == (
        "0 of 1 comparisons have the repetitions that a margin of 2 points needs; all of them take "
        f"{needed}."
    )
    _, out, _ = bench("power", suite, "--margin", "60")
    assert "1 of 1 comparisons have the repetitions" in out
    _, out, _ = bench("power", suite, "--margin", "0.01")
    assert "all of them take more than 1000." in out
    assert "> 1000" in out


def test_what_repetitions_do_not_decide_is_said(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5}, "full, linear, knn")
    _, out, _ = bench("power", suite, "--margin", "2")
    assert "phantom, linear, macro-f1, good: tested over cases: more test cases decide" in out
    assert "phantom, knn, macro-f1, good: tested over cases" in out
    suite = write_suite(tmp_path / "once", {"base": 1.0, "good": 1.5}, repetitions=1)
    actual = bench("power", suite, "--margin", "2", "--results", tmp_path / "once" / "results")[1]
    assert "one repetition tells nothing about their spread; run two" in actual
    assert actual.splitlines()[-1] == "No comparison here is decided by repetitions."


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
    assert out.splitlines() == [sentence, "No comparison here is decided by repetitions."]
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
    assert reason or out == "No comparison here is decided by repetitions.\n"


def test_a_baseline_that_was_not_run_is_named(bench: Bench, tmp_path: Path) -> None:
    suite = write_suite(tmp_path, {"base": 1.0, "good": 1.5}, repetitions=0)
    status, _, err = bench("power", suite, "--margin", "2")
    assert status == 2
    assert "no finished cell of its baseline 'base'" in err
    assert "Traceback" not in err
