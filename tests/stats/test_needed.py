import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from omnibench.stats.power import power_of_tost, repetitions_needed
from omnibench.stats.result import RefusedError
from tests.stats.conftest import Records

A, B = [0.90, 0.91, 0.95], [0.85, 0.83, 0.91]


def add(
    records: Records,
    a: list[float] = A,
    b: list[float] = B,
    pairing: str | None = None,
    **where: str,
) -> None:
    for name, values in (("a", a), ("base", b)):
        for k, value in enumerate(values):
            records.row(name, k, "auc", value, pairing=pairing and f"{name}{k}", **where)


@pytest.mark.parametrize("paired", [True, False])
def test_the_plan_is_statsmodels_with_the_records_spread(records: Records, paired: bool) -> None:
    add(records, pairing=None if paired else "own")
    (row,) = repetitions_needed(records.values, "base", 0.02).to_dict("records")
    d = np.subtract(A, B)
    sd = d.std(ddof=1) if paired else np.sqrt((np.var(A, ddof=1) + np.var(B, ddof=1)) / 2)
    assert (row["n"], row["paired"]) == (3, paired)
    assert row["sd"] == pytest.approx(sd)
    tool, size = (TTestPower(), "nobs") if paired else (TTestIndPower(), "nobs1")
    exact = tool.solve_power(**{size: None}, effect_size=0.02 / sd, alpha=0.05, power=0.8)
    assert row["to_detect"] == np.ceil(exact)
    now = tool.solve_power(**{size: 3}, effect_size=None, alpha=0.05, power=0.8)
    assert row["detectable"] == pytest.approx(now * sd, rel=1e-3)
    n = int(row["to_match"])
    powers = [power_of_tost(0.02 / sd, k, paired) for k in (n - 1, n)]
    assert powers[0] < 0.8 <= powers[1]
    assert row["needed"] == max(row["to_detect"], row["to_match"])
    df = 2 if paired else 4
    upper = sd * np.sqrt(df / stats.chi2.ppf(0.2, df))
    cautious = tool.solve_power(**{size: None}, effect_size=0.02 / upper, alpha=0.05, power=0.8)
    assert row["cautious"] >= np.ceil(cautious)


def test_what_repetitions_cannot_decide_says_why(records: Records) -> None:
    add(records, dataset="frozen", varies="head seed")
    add(records, a=[0.9], b=[0.8], dataset="once")
    add(records, a=[0.9, np.nan], b=[0.8, 0.7], dataset="nan")
    add(records, a=[0.9, 0.8], b=[0.8, 0.7], dataset="constant")
    records.row("a", 0, "auc", 0.9, dataset="alone")
    actual = repetitions_needed(records.values, "base", 0.01).set_index("dataset")
    assert actual["needed"].isna().all()
    for name, reason in {
        "frozen": "test cases decide",
        "once": "one repetition",
        "nan": "undefined",
        "constant": "do not vary",
        "alone": "base has no auc as def here",
    }.items():
        assert reason in str(actual.loc[name, "note"])


def test_a_margin_far_below_the_spread_is_out_of_reach(records: Records) -> None:
    add(records)
    (row,) = repetitions_needed(records.values, "base", 1e-5).to_dict("records")
    assert np.isnan(row["needed"])
    assert np.isfinite(row["detectable"])


def test_wanted_scores_only(records: Records) -> None:
    add(records)
    assert repetitions_needed(records.values, "base", 0.01, {("def", "f1")}).empty


@pytest.mark.parametrize(("baseline", "margin", "reason"), [("x", 1, "'x'"), ("base", 0, "margin")])
def test_refusals_name_what_is_wrong(
    records: Records, baseline: str, margin: int, reason: str
) -> None:
    add(records)
    with pytest.raises(RefusedError, match=reason):
        repetitions_needed(records.values, baseline, margin)
