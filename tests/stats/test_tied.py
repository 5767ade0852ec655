from typing import Any, NoReturn

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omnibench.stats.tied import tied_with_best
from tests.stats.conftest import Records


def nothing(digest: str) -> NoReturn:
    raise AssertionError("no predictions are needed here")


SCORES = {
    "near": [0.90, 0.92, 0.91, 0.89, 0.93],
    "best": [0.91, 0.92, 0.93, 0.90, 0.92],
    "far": [0.70, 0.72, 0.71, 0.69, 0.70],
    "middle": [0.88, 0.90, 0.90, 0.88, 0.89],
}


def add(records: Records, metric: str = "auc", sign: int = 1, dataset: str = "d") -> None:
    for name, values in SCORES.items():
        for k, value in enumerate(values):
            records.row(name, k, metric, sign * value, dataset=dataset)


@pytest.mark.parametrize("correction", ["holm", "benjamini-hochberg"])
def test_a_column_is_scipys_paired_t_against_the_best_corrected(
    records: Records, correction: str
) -> None:
    add(records)
    actual = tied_with_best(records.values, nothing, correction=correction).set_index("backbone")
    others = ["near", "far", "middle"]
    p = [stats.ttest_rel(SCORES[name], SCORES["best"]).pvalue for name in others]
    method = {"holm": "holm", "benjamini-hochberg": "fdr_bh"}[correction]
    expected = multipletests(p, method=method)[1]
    assert actual.loc[others, "p_corrected"].to_numpy() == pytest.approx(expected)
    assert actual["standing"].to_dict() == {
        "near": "tied", "best": "best", "far": "behind", "middle": "behind",
    }  # fmt: skip
    assert (actual["best"] == "best").all()
    assert actual.loc["far", "mean"] == pytest.approx(np.mean(SCORES["far"]))


def test_each_column_has_its_own_best_and_direction(records: Records) -> None:
    add(records)
    add(records, "hd95", dataset="e")
    actual = tied_with_best(records.values, nothing, lower_is_better={"def/hd95"})
    bests = actual.groupby("metric")["best"].first().to_dict()
    assert bests == {"auc": "best", "hd95": "far"}
    only = tied_with_best(records.values, nothing, {("def", "auc")})
    assert set(only["metric"]) == {"auc"}


def test_what_cannot_be_tested_is_neither_tied_nor_behind(records: Records) -> None:
    for name, value in (("a", 0.9), ("same", 0.9), ("b", 0.8)):
        records.row(name, 0, "auc", value)
    actual = tied_with_best(records.values, nothing).set_index("backbone")
    assert actual["standing"].to_dict() == {"a": "best", "same": "tied", "b": "untested"}
    assert "needs two of each" in str(actual.loc["b", "note"])


def test_a_mean_over_fewer_repetitions_is_never_taken_in_silence(records: Records) -> None:
    add(records)
    for k, value in enumerate([0.99, 0.99, np.nan, 0.99, 0.99]):
        records.row("holed", k, "auc", value)
    actual: Any = tied_with_best(records.values, nothing).set_index("backbone")
    assert (actual["best"] == "best").all()
    assert actual is not None
    assert np.isnan(actual.loc["holed", "mean"])
    assert actual.loc["holed", "standing"] == "untested"
    assert "undefined in repetitions [2]" in actual.loc["holed", "note"]


def test_an_empty_table_is_an_empty_answer(records: Records) -> None:
    records.row("a", 0, "auc", np.nan)
    assert tied_with_best(records.values, nothing).empty
