from collections.abc import Callable, Hashable
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omnibench.errors import RequestError, StoreError
from omnibench.stats.across import overall
from omnibench.stats.cases import Stored
from omnibench.stats.compare import as_frame, compare_pairs
from omnibench.stats.units import COLUMNS
from tests.stats.conftest import Records

AUC = {("omnirad-classification", "auc")}
DESIGN = {
    *("task", "dataset", "adaptation", "metric", "n_a", "n_b", "mean_a", "mean_b", "difference"),
    *("low", "high", "test", "p", "p_corrected", "effect"),
}


def nothing(digest: str) -> NoReturn:
    raise AssertionError("no predictions are needed here")


def single(rows: list[Any] | pd.DataFrame, **where: str) -> dict[Hashable, Any]:
    """The one row of a table or of a list of results."""
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(map(vars, rows))
    for name, value in where.items():
        frame = frame[frame[name] == value]
    (row,) = frame.to_dict("records")
    return row


def test_frozen_probes_are_tested_over_cases(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(156) % 2
    for seed, name in enumerate(("good", "poor", "base")):
        records.add(name, make_logits(seed, labels, signal=[3, 0.2, 1][seed]), labels)
    actual = as_frame(
        compare_pairs(records.values, records.predictions, [("good", "base"), ("poor", "base")])
    )
    assert set(actual.columns) >= DESIGN
    auc = single(actual, metric="auc", backbone_a="good")
    assert auc["test"] == "DeLong (mean of 3 repetitions)"
    assert auc["low"] < auc["difference"] < auc["high"]
    assert auc["n_a"] == auc["n_b"] == 3
    assert np.isnan(auc["effect"])
    assert auc["p"] < 0.001
    scores = records.values.query("metric == 'auc'").set_index(["backbone", "repetition"])["value"]
    assert auc["p_seed"] == pytest.approx(stats.ttest_rel(scores["good"], scores["base"]).pvalue)
    for (_, metric), family in actual.groupby(["definition", "metric"]):
        theirs = multipletests(family["p"], method="holm")[1]
        assert family["p_corrected"].to_numpy() == pytest.approx(theirs), metric
        assert (family["family"] == 2).all()
    assert len(records.reads) == len(set(records.reads)) == 9  # each file once


def test_knn_of_one_cell_has_no_seed_level_p(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(100) % 3
    for seed, name in enumerate("ab"):
        logits = make_logits(seed, labels, repetitions=1, classes=3)
        records.add(name, logits, labels, varies="nothing")
    row = single(compare_pairs(records.values, records.predictions, [("a", "b")], AUC))
    assert row["test"] == "DeLong"
    assert np.isnan(row["p_seed"])


def test_trained_models_are_tested_over_paired_repetitions(records: Records) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.85, 0.83, 0.9]}
    for name, scores in values.items():
        for k, score in enumerate(scores):
            records.row(name, k, "auc", score)
    row = single(compare_pairs(records.values, nothing, [("a", "b")]))
    assert row["test"] == "paired t"
    assert row["p"] == pytest.approx(stats.ttest_rel(values["a"], values["b"]).pvalue)
    assert row["p_corrected"] == row["p"]
    assert np.isfinite(row["effect"])
    assert np.isnan(row["p_seed"])


@pytest.mark.parametrize("kept", [3, 2])
def test_unpaired_trained_models_fall_back_to_welch(records: Records, kept: int) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.85, 0.83, 0.9][:kept]}
    for name, scores in values.items():
        for k, score in enumerate(scores):
            records.row(name, k, "auc", score, pairing=f"{name}{k}" if kept == 3 else None)
    row = single(compare_pairs(records.values, nothing, [("a", "b")]))
    assert row["test"] == "Welch t (unpaired)"
    expected = stats.ttest_ind(values["a"], values["b"], equal_var=False).pvalue
    assert row["p"] == pytest.approx(expected)
    assert row["note"] == ("" if kept == 3 else "3 against 2 repetitions")


def test_one_run_against_several_is_the_prediction_form(records: Records) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.83]}
    for name, scores in values.items():
        for k, score in enumerate(scores):
            records.row(name, k, "auc", score)
    row = single(compare_pairs(records.values, nothing, [("a", "b")]))
    assert row["test"] == "prediction t (one run against 3)"
    assert row["p"] == pytest.approx(stats.ttest_ind(values["a"], values["b"]).pvalue)
    assert row["note"] == "3 against 1 repetitions"


def test_repetitions_pair_by_number_not_by_order(records: Records) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.85, 0.83, 0.9]}
    for name, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        for k in order:
            records.row(name, k, "auc", values[name][k])
    row = single(compare_pairs(records.values, nothing, [("a", "b")]))
    assert row["p"] == pytest.approx(stats.ttest_rel(values["a"], values["b"]).pvalue)


def test_refusals_are_rows_with_a_reason(records: Records) -> None:
    for k in range(2):
        records.row("a", k, "auc", 0.9 + k / 100)
        records.row("b", k, "auc", 0.8 + k / 100)  # differs by the same in both
        records.row("a", k, "macro-f1", 0.9)
        records.row("b", k, "macro-f1", np.nan if k else 0.8)
        records.row("a", k, "miou", 0.7, definition="per-image")
        records.row("b", k, "miou", 0.7, definition="batch16")
    records.row("a", 0, "auc", 0.9, dataset="alone")
    records.row("a", 0, "accuracy", 0.9, dataset="once")
    records.row("b", 0, "accuracy", 0.8, dataset="once")
    actual = as_frame(compare_pairs(records.values, nothing, [("a", "b")]))
    reasons = {
        (r["dataset"], r["definition"], r["metric"]): r["note"] for r in actual.to_dict("records")
    }
    never = (
        ", and different definitions are never compared; `bench.py rescore SUITE` computes every "
        "definition from stored predictions"
    )
    assert reasons == {
        ("d", "def", "auc"): "the difference is the same in every repetition, so p is undefined",
        ("d", "def", "macro-f1"): "macro-f1 of b is undefined in repetitions [1]",
        ("d", "per-image", "miou"): "b has miou as batch16 only, not as per-image" + never,
        ("d", "batch16", "miou"): "a has miou as per-image only, not as batch16" + never,
        ("alone", "def", "auc"): "no auc of b",
        ("once", "def", "accuracy"): "a test over repetitions needs two of each; there are 1 and 1",
    }
    assert (actual["test"] == "none").all()
    assert actual[["p", "p_corrected", "low", "high"]].isna().all(axis=None)
    assert (actual["family"] == 0).all()
    assert single(actual, dataset="once")["difference"] == pytest.approx(0.1)


def test_frozen_refusals(records: Records, make_logits: Callable[..., Any]) -> None:
    labels = np.arange(60) % 2
    for seed, name in enumerate("ab"):
        records.add(name, make_logits(seed, labels), labels)
    for row in list(records.rows):
        if row["metric"] == "auc":
            records.rows.append(row | {"metric": "ece", "value": 0.1})
        if row["metric"] == "accuracy" and row["backbone"] == "a":
            row["value"] += 0.01  # no longer what the predictions say
    actual = as_frame(compare_pairs(records.values, records.predictions, [("a", "b")]))
    assert (
        single(actual, metric="ece")["note"]
        == "ece as omnirad-classification has no case-level test"
    )
    assert (
        "the stored predictions give a difference of" in single(actual, metric="accuracy")["note"]
    )
    assert single(actual, metric="auc")["note"] == ""
    lost = as_frame(compare_pairs(records.values, dict[str, Stored]().__getitem__, [("a", "b")]))
    assert lost["note"].str.contains("no test predictions of record|no case-level").all()


def test_mixed_kinds_of_repetition_are_refused(records: Records) -> None:
    for name, varies in (("a", "training seed"), ("b", "head seed")):
        for k in range(3):
            records.row(name, k, "auc", 0.5 + k / 7, varies=varies)
    row = single(compare_pairs(records.values, nothing, [("a", "b")]))
    assert "training seed on one side, in head seed on the other" in row["note"]


def test_duplicate_records_are_named(records: Records) -> None:
    records.row("a", 0, "auc", 0.9, digest="1" * 64)
    records.row("a", 0, "auc", 0.8, digest="2" * 64)
    with pytest.raises(StoreError, match=r"classification/d/a/linear.*11111111 and 22222222"):
        compare_pairs(records.values, nothing, [("a", "b")])
    records.rows[1] |= {"metric": "accuracy"}  # another metric, yet another record
    with pytest.raises(StoreError, match="repetition 0 stands twice"):
        compare_pairs(records.values, nothing, [("a", "b")])


def test_unknown_correction_and_empty_values(records: Records) -> None:
    empty = pd.DataFrame(columns=list(COLUMNS))
    with pytest.raises(RequestError, match="unknown correction 'bonferoni'"):
        compare_pairs(empty, nothing, [], correction="bonferoni")
    actual = as_frame(compare_pairs(empty, nothing, [("a", "b")]))
    assert actual.empty
    assert set(actual.columns) >= DESIGN
    assert overall([], ()) == []


def test_overall_counts_wins_by_the_metrics_direction(records: Records) -> None:
    for dataset, (auc_a, auc_b, brier_a, brier_b) in {
        "one": (0.9, 0.8, 0.2, 0.1),
        "two": (0.7, 0.8, 0.3, 0.5),
        "three": (0.8, 0.8, 0.1, 0.2),
    }.items():
        for k in range(2):
            records.row("a", k, "auc", auc_a, dataset)
            records.row("b", k, "auc", auc_b, dataset)
            records.row("a", k, "brier", brier_a, dataset)
            records.row("b", k, "brier", brier_b, dataset)
    records.row("a", 0, "auc", 0.9, "four")
    summary = overall(compare_pairs(records.values, nothing, [("a", "b")]), {"def/brier"})
    auc, brier = single(summary, metric="auc"), single(summary, metric="brier")
    assert (auc["datasets"], auc["missing"], auc["wins"], auc["losses"]) == (3, 1, 1, 1)
    assert (brier["datasets"], brier["wins"], brier["losses"]) == (3, 2, 1)
    assert brier["mean_difference"] == pytest.approx((0.1 - 0.2 - 0.1) / 3)


def test_a_frozen_probe_is_tested_under_each_definition_that_is_a_mean_over_cases(
    records: Records,
) -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.normal(m, 0.1, size=(2, 40)) for name, m in (("a", 0.8), ("b", 0.7))}

    def stored(known: dict[str, dict[str, NDArray[Any]]]) -> Stored:
        return Stored({"test_case": np.arange(40)}, lambda d: known.get(d, {}))

    left = {}
    for name, of_cases in values.items():
        for k, item in enumerate(of_cases):
            digest = f"{name}{k}"
            for definition, value in (
                ("per-image", item.mean()),
                ("macro", (item / 2).mean()),
                ("pooled", 0.6 + k / 100),
            ):
                records.row(name, k, "dice", value, varies="head seed", definition=definition,
                            digest=digest)  # fmt: skip
            by_definition = {"per-image": {"dice": item}, "macro": {"dice": item / 2}}
            left[digest] = stored(by_definition)
    actual = as_frame(compare_pairs(records.values, left.__getitem__, [("a", "b")]))
    image, macro, pooled = (single(actual, definition=d) for d in ("per-image", "macro", "pooled"))
    assert image["test"] == macro["test"] == "paired bootstrap (mean of 2 repetitions)"
    assert image["difference"] == pytest.approx(values["a"].mean() - values["b"].mean())
    assert (macro["low"], macro["high"]) == pytest.approx((image["low"] / 2, image["high"] / 2))
    assert pooled["note"] == "dice as pooled has no case-level test"
    assert np.isnan(pooled["p"])
    only = as_frame(
        compare_pairs(records.values, left.__getitem__, [("a", "b")], {("macro", "dice")})
    )
    assert single(only)["p"] == macro["p"]
