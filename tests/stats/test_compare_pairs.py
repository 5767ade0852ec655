"""Pairs of backbones, place by place: answers, families, verdicts and refusals."""

import re
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omnibench.errors import RequestError, StoreError
from omnibench.scoring import by_decoding
from omnibench.stats.across import overall
from omnibench.stats.best import Standing
from omnibench.stats.cases import Stored
from omnibench.stats.compare import Rules, as_frame, compare_all, compare_pairs
from omnibench.stats.deciding import NEW_IMAGES, NEW_RUNS
from omnibench.stats.pair import Comparison
from omnibench.stats.units import COLUMNS
from tests.stats.conftest import Records

AUC = {("omnirad-classification", "auc")}
RULES = Rules(primary={"classification": "omnirad-classification/macro-f1"})
DESIGN = {
    *("task", "dataset", "adaptation", "metric", "n_a", "n_b", "mean_a", "mean_b", "difference"),
    *("low", "high", "test", "p", "p_corrected", "verdict", "p_runs", "effect"),
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


def pairs(
    records: Records,
    pairs: list[tuple[str, str]],
    scores: set[tuple[str, str]] | None = None,
    rules: Rules | None = None,
) -> list[Comparison]:
    return compare_pairs(records.values, records.predictions, pairs, rules or RULES, scores)


@pytest.mark.parametrize("varies", ["head seed", "training seed"])
def test_every_metric_has_its_answer_and_the_primary_one_its_verdict(
    records: Records, make_logits: Callable[..., Any], varies: str
) -> None:
    labels = np.arange(156) % 2
    for seed, name in enumerate(("good", "poor", "base")):
        logits = make_logits(seed, labels, signal=[3, 0.2, 1][seed])
        records.add(name, logits, labels, varies=varies)
    actual = as_frame(pairs(records, [("good", "base"), ("poor", "base")]))
    assert set(actual.columns) >= DESIGN
    assert set(actual["test"]) == {NEW_RUNS}
    assert (
        (actual["low"] <= actual["difference"]) & (actual["difference"] <= actual["high"])
    ).all()
    f1 = actual[actual["metric"] == "macro-f1"]
    assert f1["p_corrected"].to_numpy() == pytest.approx(multipletests(f1["p"], method="holm")[1])
    assert (f1["family"] == 2).all()
    assert list(f1["verdict"]) == ["better", "worse"]
    others = actual[actual["metric"] != "macro-f1"]
    assert set(others["verdict"]) == {"described"}
    assert others["p_corrected"].isna().all()
    scores = records.values.query("metric == 'auc'").set_index(["backbone", "repetition"])["value"]
    auc = single(actual, metric="auc", backbone_a="good")
    assert auc["p_runs"] == pytest.approx(stats.ttest_rel(scores["good"], scores["base"]).pvalue)
    label = " (head seed only)" if varies == "head seed" else ""
    assert auc["test_runs"] == f"paired t{label}"
    assert len(records.reads) == len(set(records.reads)) == 9  # each file once


def test_a_deterministic_probe_is_tested_on_new_images_alone(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(100) % 3
    for seed, name in enumerate("ab"):
        logits = make_logits(seed, labels, repetitions=1, classes=3)
        records.add(name, logits, labels, varies="nothing")
    row = single(pairs(records, [("a", "b")], AUC))
    assert row["test"] == NEW_IMAGES
    assert np.isfinite(row["p"])
    assert (row["test_runs"], np.isnan(row["p_runs"])) == ("none", True)


def test_one_run_of_a_trained_model_tells_nothing_of_others(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(100) % 2
    for seed, name in enumerate("ab"):
        records.add(name, make_logits(seed, labels, repetitions=1), labels, varies="training seed")
    row = single(pairs(records, [("a", "b")], AUC))
    assert row["verdict"] == "untested"
    assert "one run of each does not tell how others would do" in row["note"]


def test_identical_predictions_are_identical(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(80) % 2
    for name in ("a", "b"):
        records.add(name, make_logits(7, labels), labels)
    margins = dict.fromkeys(RULES.primary.values(), 0.01)
    rows = pairs(records, [("a", "b")], rules=Rules(RULES.primary, margins=margins))
    assert {row.verdict for row in rows} == {"identical"}
    assert {row.equivalent for row in rows} == {None}  # of few cases that would be a bold claim
    assert {(row.difference, row.low, row.high, row.p) for row in rows} == {(0, 0, 0, 1)}
    whole = single(overall(rows, RULES), metric="macro-f1")
    assert whole["datasets"] == 1


def test_equivalence_is_on_the_interval_that_decides(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(4000) % 2
    base = make_logits(0, labels)
    records.add("base", base, labels)
    rng = np.random.default_rng(1)
    records.add("near", base + 0.02 * rng.normal(size=base.shape).astype(np.float32), labels)
    for margin, expected in ((0.02, True), (0.0001, False)):
        rules = Rules(RULES.primary, margins={"omnirad-classification/macro-f1": margin})
        row = single(pairs(records, [("near", "base")], rules=rules), metric="macro-f1")
        assert row["equivalent"] is expected
        assert row["verdict"] == ("equivalent" if expected else "undecided")
        sides = [(margin - d) / row["error"] for d in (row["difference"], -row["difference"])]
        assert bool(stats.t.sf(min(sides), row["df"]) < 0.05) is expected
    assert single(pairs(records, [("near", "base")]), metric="auc")["equivalent"] is None


@pytest.mark.parametrize("kept", [3, 2])
def test_over_runs_unpaired_trained_models_are_compared_by_welch(
    records: Records, kept: int
) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.85, 0.83, 0.9][:kept]}
    for name, scores in values.items():
        for k, score in enumerate(scores):
            records.row(name, k, "auc", score, pairing=f"{name}{k}" if kept == 3 else None)
    row = single(pairs(records, [("a", "b")]))
    assert row["test_runs"] == "Welch t (unpaired)"
    expected = stats.ttest_ind(values["a"], values["b"], equal_var=False).pvalue
    assert row["p_runs"] == pytest.approx(expected)
    assert (row["test"], row["verdict"]) == ("none", "untested")  # there are no predictions
    assert "no test predictions of record" in row["note"]


def test_over_runs_one_against_several_is_the_prediction_form(records: Records) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.83]}
    for name, scores in values.items():
        for k, score in enumerate(scores):
            records.row(name, k, "auc", score)
    row = single(pairs(records, [("a", "b")]))
    assert row["test_runs"] == "prediction t (one run against 3)"
    assert row["p_runs"] == pytest.approx(stats.ttest_ind(values["a"], values["b"]).pvalue)


def test_repetitions_pair_by_number_not_by_order(records: Records) -> None:
    values = {"a": [0.9, 0.91, 0.95], "b": [0.85, 0.83, 0.9]}
    for name, order in (("a", (0, 1, 2)), ("b", (2, 0, 1))):
        for k in order:
            records.row(name, k, "auc", values[name][k])
    row = single(pairs(records, [("a", "b")]))
    assert row["p_runs"] == pytest.approx(stats.ttest_rel(values["a"], values["b"]).pvalue)


def test_reversed_it_says_the_same(records: Records, make_logits: Callable[..., Any]) -> None:
    labels = np.arange(156) % 2
    for seed, name in enumerate(("good", "base")):
        records.add(name, make_logits(seed, labels, signal=3 - 2 * seed), labels)
    there = single(pairs(records, [("good", "base")]), metric="macro-f1")
    (back,) = [row for row in pairs(records, [("base", "good")]) if row.metric == "macro-f1"]
    turned = vars(back.reversed)
    assert turned == pytest.approx(there, nan_ok=True)


def test_reversed_it_counts_repetitions_the_other_way_round(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(60) % 2
    for seed, (name, n) in enumerate({"a": 1, "b": 3}.items()):
        records.add(name, make_logits(seed, labels, n), labels, varies="training seed")
    row = pairs(records, [("a", "b")], AUC)[0]
    assert (row.note, row.reversed.note) == (
        "1 against 3 repetitions",
        "3 against 1 repetitions",
    )


def test_a_family_is_one_place_and_no_filter_changes_its_p(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    """Random suites: whatever metrics and datasets are asked for beside it, p is the same."""
    rng = np.random.default_rng(3)
    names = ["base", "a", "b", "c"]
    for dataset in ("one", "two", "three"):
        labels = np.arange(40 + rng.integers(40)) % 2
        for name in [*rng.permutation(names[1:])[: rng.integers(1, 4)].tolist(), "base"]:
            seed = int(rng.integers(1000))
            records.add(name, make_logits(seed, labels, int(rng.integers(2, 5))), labels, dataset)
    rivals = [(name, "base") for name in names[1:]]
    whole = {key(row): row for row in pairs(records, rivals) if row.primary}
    values = records.values
    for dataset in ("one", "two", "three"):
        part = values[values["dataset"] == dataset]
        for scores in (None, {("omnirad-classification", "macro-f1")}):
            some = compare_pairs(part, records.predictions, rivals, RULES, scores)
            for row in some:
                if row.primary:
                    assert vars(row) == pytest.approx(vars(whole[key(row)]), nan_ok=True)


def key(row: Comparison) -> tuple[object, ...]:
    return (*row.place, *row.score, row.backbone_a)


def test_a_unit_with_fewer_runs_takes_no_part_and_an_unplanned_one_is_no_row(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(60) % 2
    for seed, (name, n) in enumerate({"a": 3, "b": 1, "base": 3}.items()):
        records.add(name, make_logits(seed, labels, n), labels, varies="training seed")
    place = ("classification", "d", "linear")
    expected = {(*place, name): 3 for name in ("a", "b", "base")}
    score = ("omnirad-classification", "macro-f1")
    tests = compare_all(
        records.values, records.predictions, [("a", "base"), ("absent", "base")], RULES, None,
        ranked=[score], expected=expected,
    )  # fmt: skip
    assert {row.backbone_a for row in tests.comparisons} == {"a"}
    stood = {name: tests.standings[*place, name, *score] for name in ("a", "b", "base")}
    assert (stood["b"].place, stood["b"].low) == ("incomplete", None)
    assert stood["a"].models == stood["base"].models == 2


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
    actual = as_frame(pairs(records, [("a", "b")]))
    reasons = {
        (r["dataset"], r["definition"], r["metric"]): re.sub(" [0-9a-f]{8}: .*", "", r["note"])
        for r in actual.to_dict("records")
    }
    never = (
        ", and different definitions are never compared; `bench.py rescore SUITE` computes every "
        "definition from stored predictions"
    )
    assert reasons == {
        ("d", "def", "auc"): "no test predictions of record",
        ("d", "def", "macro-f1"): "macro-f1 of b is undefined in repetitions [1]",
        ("d", "per-image", "miou"): "b has miou as batch16 only, not as per-image" + never,
        ("d", "batch16", "miou"): "a has miou as per-image only, not as batch16" + never,
        ("alone", "def", "auc"): "no auc of b",
        ("once", "def", "accuracy"): "no test predictions of record",
    }
    assert (actual["test"] == "none").all()
    assert actual[["p", "p_corrected", "low", "high"]].isna().all(axis=None)
    assert (actual["family"] == 0).all()
    assert single(actual, dataset="once")["difference"] == pytest.approx(0.1)


def test_predictions_that_do_not_answer_are_refused_by_name(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(60) % 2
    for seed, name in enumerate("ab"):
        records.add(name, make_logits(seed, labels), labels)
    for row in list(records.rows):
        if row["metric"] == "auc":
            records.rows.append(row | {"metric": "ece", "value": 0.1})
        if row["metric"] == "accuracy" and row["backbone"] == "a":
            row["value"] += 0.01  # no longer what the predictions say
    actual = as_frame(pairs(records, [("a", "b")]))
    assert single(actual, metric="ece")["note"] == (
        "ece as omnirad-classification is no mean over test images, and it was not computed again "
        "on parts of them, as `compare --metric` does where the task can"
    )
    assert "the stored predictions of a give" in single(actual, metric="accuracy")["note"]
    assert single(actual, metric="auc")["note"] == ""
    lost = as_frame(
        compare_pairs(records.values, dict[str, Stored]().__getitem__, [("a", "b")], RULES)
    )
    assert lost["note"].str.contains("no test predictions of record").all()


def test_models_of_other_cases_are_refused(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(60) % 2
    records.add("a", make_logits(0, labels), labels)
    records.add("b", make_logits(1, labels), labels, test_case=np.arange(60) + 1)
    row = single(pairs(records, [("a", "b")], AUC))
    assert row["note"] == "the models of this dataset were not tested on the same cases"


def test_one_rival_of_other_cases_leaves_the_other_rivals_their_test(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(60) % 2
    records.add("a", make_logits(1, labels), labels, test_case=np.arange(60) + 1)
    for seed, name in enumerate(("b", "base")):
        records.add(name, make_logits(seed, labels), labels)
    a, b = (row for row in pairs(records, [("a", "base"), ("b", "base")]) if row.primary)
    assert (a.test, b.test, b.family) == ("none", NEW_RUNS, 1)


def test_a_model_with_an_undefined_repetition_puts_no_other_behind(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(60) % 2
    for seed, (name, signal) in enumerate({"a": 9.0, "b": 1.0, "base": 1.0}.items()):
        records.add(name, make_logits(seed, labels, signal=signal), labels)
    score = ("omnirad-classification", "macro-f1")
    for row in records.rows:
        if (row["backbone"], row["repetition"], row["metric"]) == ("a", 1, "macro-f1"):
            row["value"] = np.nan
    tests = compare_all(
        records.values, records.predictions, [], RULES, None, ranked=[score], expected={}
    )
    stood = {key[3]: standing for key, standing in tests.standings.items()}
    assert stood["a"] == Standing("untested")
    assert stood["b"].models == stood["base"].models == 2


def test_large_values_agree_as_far_as_single_precision_tells(records: Records) -> None:
    means = np.random.default_rng(0).normal(15_000, 500, size=(6, 40)).astype(np.float32)
    for k, values in enumerate(means):
        records.row("ab"[k % 2], k // 2, "mean", float(values.mean()), digest=str(k))
    rows = compare_pairs(
        records.values, lambda digest: stored_mean(means[int(digest)]), [("a", "b")], RULES
    )
    assert [row.test for row in rows] == [NEW_RUNS]


def stored_mean(item: NDArray[Any]) -> Stored:
    """Predictions whose metric "mean" says that it is one, and "pooled" does not."""
    return Stored(
        {"test_case": np.arange(len(item))},
        lambda d: {"mean": item},
        lambda d, chosen: {"pooled": float(item[chosen].mean())},
    )


def test_a_metric_that_is_no_mean_may_be_computed_again_on_parts(records: Records) -> None:
    """Against the closed form: here it is a mean, though nothing says so."""
    rng = np.random.default_rng(5)
    values = {name: rng.normal(m, 0.1, size=(2, 20)) for name, m in (("a", 0.8), ("b", 0.7))}
    left = {}
    for name, of_cases in values.items():
        for k, item in enumerate(of_cases):
            digest = f"{name}{k}"
            for metric in ("pooled", "mean"):
                records.row(name, k, metric, item.mean(), varies="head seed", digest=digest)
            left[digest] = stored_mean(item)
    rules = Rules(recomputed={"def/pooled"})
    rows = compare_pairs(records.values, left.__getitem__, [("a", "b")], rules)
    pooled, mean = (single(rows, metric=metric) for metric in ("pooled", "mean"))
    assert (pooled["error"], pooled["df"]) == pytest.approx((mean["error"], mean["df"]))
    without = compare_pairs(records.values, left.__getitem__, [("a", "b")], Rules())
    assert single(without, metric="pooled")["test"] == "none"


def test_mixed_kinds_of_repetition_are_refused(records: Records) -> None:
    for name, varies in (("a", "training seed"), ("b", "head seed")):
        for k in range(3):
            records.row(name, k, "auc", 0.5 + k / 7, varies=varies)
    row = single(pairs(records, [("a", "b")]))
    assert "training seed on one side, in head seed on the other" in row["note"]


def test_duplicate_records_are_named(records: Records) -> None:
    records.row("a", 0, "auc", 0.9, digest="1" * 64)
    records.row("a", 0, "auc", 0.8, digest="2" * 64)
    with pytest.raises(StoreError, match=r"classification/d/a/linear.*11111111 and 22222222"):
        compare_pairs(records.values, nothing, [("a", "b")], RULES)
    records.rows[1] |= {"metric": "accuracy"}  # another metric, yet another record
    with pytest.raises(StoreError, match="repetition 0 stands twice"):
        compare_pairs(records.values, nothing, [("a", "b")], RULES)


def test_unknown_correction_and_empty_values(records: Records) -> None:
    empty = pd.DataFrame(columns=list(COLUMNS))
    with pytest.raises(RequestError, match="unknown correction 'bonferoni'"):
        compare_pairs(empty, nothing, [], Rules(correction="bonferoni"))
    actual = as_frame(compare_pairs(empty, nothing, [("a", "b")], RULES))
    assert actual.empty
    assert set(actual.columns) >= DESIGN
    assert overall([], RULES) == []


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
    rules = Rules(lower_is_better={"def/brier"})
    summary = overall(pairs(records, [("a", "b")], rules=rules), rules)
    auc, brier = single(summary, metric="auc"), single(summary, metric="brier")
    assert (auc["datasets"], auc["missing"], auc["wins"], auc["losses"]) == (3, 1, 1, 1)
    assert (brier["datasets"], brier["wins"], brier["losses"]) == (3, 2, 1)
    assert brier["mean_difference"] == pytest.approx((0.1 - 0.2 - 0.1) / 3)
    rules = Rules(undirected={"def/brier"})
    sums = overall(pairs(records, [("a", "b")], rules=rules), rules)
    assert [(s.datasets, s.wins, s.losses) for s in sums if s.metric == "brier"] == [
        (3, None, None)
    ]


def test_over_datasets_the_mean_difference_has_the_errors_of_all(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(120) % 2
    for k, dataset in enumerate(("one", "two", "three")):
        for seed, (name, signal) in enumerate((("a", 2.5), ("b", 1.0), ("base", 1.0))):
            records.add(name, make_logits(10 * k + seed, labels, signal=signal), labels, dataset)
    rows = pairs(records, [("a", "base"), ("b", "base")])
    sums = [row for row in overall(rows, RULES) if row.metric == "macro-f1"]
    own = [row for row in rows if (row.metric, row.backbone_a) == ("macro-f1", "a")]
    errors = np.array([row.error for row in own])
    df = (errors**2).sum() ** 2 / sum(e**4 / row.df for e, row in zip(errors, own, strict=True))
    error = float(np.sqrt((errors**2).sum())) / 3
    mean = float(np.mean([row.difference for row in own]))
    assert sums[0].p == pytest.approx(2 * stats.t.sf(mean / error, df))
    assert (sums[0].low, sums[0].high) == pytest.approx(stats.t.interval(0.95, df, mean, error))
    corrected = multipletests([row.p for row in sums], method="holm")[1]
    assert [row.p_corrected for row in sums] == pytest.approx(corrected)
    assert [row.verdict for row in sums] == ["better", "undecided"]
    described = [row for row in overall(rows, RULES) if row.metric == "auc"]
    assert {row.verdict for row in described} == {"described"}


def test_over_datasets_looks_are_in_the_corrected_p_alone(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(120) % 2
    for k, dataset in enumerate(("one", "two")):
        for seed, (name, signal) in enumerate((("a", 1.6), ("base", 1.0))):
            item = make_logits(10 * k + seed, labels, signal=signal)
            records.add(name, item, labels, dataset, varies="training seed")
    looks = {("classification", dataset, "linear"): (3, 5, 8) for dataset in ("one", "two")}
    rules = replace(RULES, looks=looks)
    (once,), (often,) = (
        [row for row in overall(pairs(records, [("a", "base")], rules=r), r) if row.family]
        for r in (RULES, rules)
    )
    assert (often.p, often.low, often.high) == (once.p, once.low, once.high)
    assert (once.looks, often.looks) == (0, 3)
    assert often.p_corrected == min(1.0, 3 * once.p)
    assert once.p_corrected == once.p


def test_each_definition_that_is_a_mean_over_cases_is_tested(records: Records) -> None:
    rng = np.random.default_rng(0)
    values = {name: rng.normal(m, 0.1, size=(2, 40)) for name, m in (("a", 0.8), ("b", 0.7))}

    def stored(known: dict[str, dict[str, NDArray[Any]]]) -> Stored:
        return Stored({"test_case": np.arange(40)}, lambda d: known.get(d, {}))

    left = {}
    for name, of_cases in values.items():
        for k, item in enumerate(of_cases):
            digest = f"{name}{k}"
            for definition, value in (("per-image", item.mean()), ("macro", (item / 2).mean())):
                records.row(name, k, "dice", value, varies="head seed", definition=definition,
                            digest=digest)  # fmt: skip
            left[digest] = stored({"per-image": {"dice": item}, "macro": {"dice": item / 2}})
    actual = as_frame(compare_pairs(records.values, left.__getitem__, [("a", "b")], RULES))
    image, macro = (single(actual, definition=d) for d in ("per-image", "macro"))
    assert image["difference"] == pytest.approx(values["a"].mean() - values["b"].mean())
    assert (macro["low"], macro["high"]) == pytest.approx((image["low"] / 2, image["high"] / 2))
    only = compare_pairs(records.values, left.__getitem__, [("a", "b")], RULES, {("macro", "dice")})
    assert single(only)["p"] == macro["p"]


def test_a_view_is_compared_by_its_own_predictions_as_a_test_set_is(
    records: Records, make_logits: Callable[..., Any]
) -> None:
    labels = np.arange(80) % 2
    alone = Records()
    for seed, name in enumerate(("good", "base")):
        noisy = make_logits(seed + 7, labels, signal=0.4)
        records.add(name, make_logits(seed, labels), labels)
        alone.add(name, noisy, labels)
    for row in alone.rows:  # both have the same digests
        records.rows.append({**row, "definition": f"{row['definition']}@noise-3"})
        logits = alone.stored[row["digest"]]["test_logits"]
        records.stored[row["digest"]]["test_logits@noise-3"] = logits

    def predictions(digest: str) -> Stored:
        arrays = records.stored[digest]
        return Stored(arrays, views=lambda view: by_decoding(arrays)[f"@{view}"])

    rows = compare_pairs(records.values, predictions, [("good", "base")], RULES)
    expected = compare_pairs(alone.values, alone.predictions, [("good", "base")], RULES)
    for row in expected:
        viewed = next(r for r in rows if r.score == (f"{row.definition}@noise-3", row.metric))
        assert (viewed.test, viewed.p, viewed.low, viewed.high) == (
            *(row.test, row.p, row.low, row.high),
        )
        assert not viewed.primary  # that is the test set's own
    assert sum(row.primary for row in rows) == 1
