"""Tests over repetitions by name, from records, against scipy."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omnibench.errors import RequestError
from omnibench.stats.compare import LABEL, PAIRED, UNPAIRED, as_frame, compare_repetitions
from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import one_sample_t, prediction_t
from tests.stats.conftest import Records

A = [0.90, 0.92, 0.91, 0.95, 0.93, 0.94, 0.89]
B = [0.88, 0.93, 0.89, 0.90, 0.90, 0.915, 0.85]


def add(
    records: Records, a: list[float] = A, b: NDArray[Any] | list[float] = B, **where: str
) -> None:
    for name, values in (("a", a), ("b", b)):
        for k, value in enumerate(values):
            records.row(name, k, "auc", value, **where)


def compare(records: Records, test: str, **options: Any) -> pd.DataFrame:
    return as_frame(compare_repetitions(records.values, [("a", "b")], test, **options))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("paired-t", stats.ttest_rel(A, B).pvalue),
        ("wilcoxon", stats.wilcoxon(A, B, method="exact").pvalue),
        ("sign-flips", stats.permutation_test(
            (np.subtract(A, B), np.zeros(7)), lambda x, y: np.mean(x - y),
            permutation_type="samples", n_resamples=np.inf).pvalue),
        ("welch", stats.ttest_ind(A, B, equal_var=False).pvalue),
        ("permutation", stats.permutation_test(
            (A, B), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf).pvalue),
    ],
)  # fmt: skip
def test_each_is_scipys(records: Records, test: str, expected: float) -> None:
    add(records)
    (row,) = compare(records, test).to_dict("records")
    assert row["p"] == pytest.approx(expected)
    assert row["low"] < row["difference"] < row["high"]
    assert row["note"] == ""


@pytest.mark.parametrize("swapped", [False, True])
def test_one_run_against_several_has_two_names_and_two_answers(
    records: Records, swapped: bool
) -> None:
    add(records, *((B[:1], A) if swapped else (A, B[:1])))
    sign = -1 if swapped else 1
    for test, theirs in (
        ("prediction", stats.ttest_ind(A, B[:1])),
        ("one-sample", stats.ttest_1samp(np.subtract(A, B[0]), 0)),
    ):
        (row,) = compare(records, test).to_dict("records")
        assert row["p"] == pytest.approx(theirs.pvalue)
        assert row["test"] == f"{test} t (one run against 7)"
        assert row["difference"] == pytest.approx(sign * (np.mean(A) - B[0]))
        low, high = sorted(sign * bound for bound in theirs.confidence_interval())
        assert (row["low"], row["high"]) == pytest.approx((low, high))
        assert np.sign(row["effect"]) == sign


@pytest.mark.parametrize("test", [*PAIRED, *UNPAIRED])
def test_a_frozen_probe_is_refused_without_its_label(records: Records, test: str) -> None:
    add(records, varies="head seed")
    (row,) = compare(records, test).to_dict("records")
    assert np.isnan(row["p"])
    assert "under the label 'head seed only'" in row["note"]


def test_a_frozen_probe_with_its_label_bears_it(records: Records) -> None:
    add(records, varies="head seed")
    (row,) = compare(records, "paired-t", label=LABEL).to_dict("records")
    assert row["test"] == "paired t (head seed only)"
    assert row["p"] == pytest.approx(stats.ttest_rel(A, B).pvalue)
    add(records, dataset="e")
    tests = compare(records, "paired-t", label=LABEL)["test"].tolist()
    assert tests == ["paired t (head seed only)", "paired t"]  # only what is frozen


def test_datasets_are_one_family(records: Records) -> None:
    for shift, dataset in enumerate("defg"):
        add(records, b=np.add(B, 0.01 * shift), dataset=dataset)
    actual = compare(records, "welch", correction="benjamini-hochberg")
    assert actual["p_corrected"].to_numpy() == pytest.approx(
        multipletests(actual["p"], method="fdr_bh")[1]
    )
    assert (actual["family"] == 4).all()


@pytest.mark.parametrize(
    ("test", "change", "reason"),
    [
        ("wilcoxon", {"a": A[:5], "b": B[:5]}, r"5 pairs .* p possible is 0\.0625"),
        ("permutation", {"a": A[:3], "b": B[:3]}, r"3 against 3 .* 0\.1$"),
        ("paired-t", {"b": B[:5]}, "do not share their seeds"),
        ("paired-t", {"a": A[:2], "b": A[:2]}, "same in every repetition"),
        ("welch", {"a": [0.5] * 3, "b": [0.4] * 3}, "neither model varies"),
        ("welch", {"a": [0.5, np.nan]}, r"undefined in repetitions \[1\]"),
        ("prediction", {}, "several repetitions against one; there are 7 and 7"),
        ("one-sample", {"a": A[:1], "b": B[:1]}, "there are 1 and 1"),
    ],
)
def test_refusals_are_rows_with_a_reason(
    records: Records, test: str, change: Any, reason: str
) -> None:
    add(records, **change)
    actual = compare(records, test)
    assert actual["p"].isna().all()
    assert actual["note"].str.contains(reason).all()


def test_other_definitions_and_names_are_refused(records: Records) -> None:
    for k in range(3):
        records.row("a", k, "dice", A[k], definition="x")
        records.row("b", k, "dice", B[k], definition="y")
    assert compare(records, "welch")["note"].str.contains("never compared").all()
    for options, reason in (
        ({"test": "t"}, "unknown test over repetitions 't'; known: paired-t"),
        ({"test": "welch", "label": "seeds"}, "unknown label"),
        ({"test": "welch", "correction": "x"}, "unknown correction"),
    ):
        with pytest.raises(RequestError, match=reason):
            compare(records, **options)
    for test in (prediction_t, one_sample_t):
        with pytest.raises(RefusedError, match="undefined"):
            test(np.array([1.0, np.nan]), np.ones(1))
        with pytest.raises(RefusedError, match="0 and 1"):
            test(np.array([]), np.ones(1))
