"""Ranks over datasets against scipy, statsmodels and published tables of critical values."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from omnibench.stats.ranks import (
    critical_difference,
    friedman,
    groups_by_nemenyi,
    groups_by_pairs,
    ranks,
    wilcoxon_pairs,
)
from omnibench.stats.result import RefusedError


def table(seed: int, datasets: int, models: int, digits: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(datasets, models)) + 0.4 * np.arange(models)
    return pd.DataFrame(
        values.round(digits),
        index=[f"d{k}" for k in range(datasets)],
        columns=[f"m{k}" for k in range(models)],
    )


def test_ranks_are_scipys_with_ties_in_both_directions() -> None:
    scores = table(0, 6, 5, digits=0)
    assert ranks(scores, lower_is_better=True).to_numpy() == pytest.approx(
        stats.rankdata(scores, axis=1)
    )
    assert ranks(scores).to_numpy() == pytest.approx(stats.rankdata(-scores, axis=1))
    noisy = pd.DataFrame([[0.3, 0.1 + 0.2, 0.1], [0.3, 0.2, 0.1]])
    assert ranks(noisy).iloc[0].tolist() == [1.5, 1.5, 3]


@pytest.mark.parametrize("digits", [0, 2])
@pytest.mark.parametrize(("datasets", "models"), [(8, 8), (5, 3), (13, 4)])
def test_friedman_is_scipys_and_iman_davenport_a_two_way_anova_of_ranks(
    datasets: int, models: int, digits: int
) -> None:
    scores = table(1, datasets, models, digits)
    actual = friedman(scores)
    theirs = stats.friedmanchisquare(*scores.to_numpy().T)
    assert (actual.chi_square, actual.p_chi_square) == pytest.approx(
        (theirs.statistic, theirs.pvalue)
    )
    r = stats.rankdata(scores, axis=1)
    between = datasets * ((r.mean(axis=0) - r.mean()) ** 2).sum()
    rest = ((r - r.mean()) ** 2).sum() - between
    f = (between / (models - 1)) / (rest / ((models - 1) * (datasets - 1)))
    assert actual.f == pytest.approx(f)
    assert actual.p == pytest.approx(stats.f.sf(f, models - 1, (models - 1) * (datasets - 1)))


def test_demsars_worked_example() -> None:
    """Demsar 2006, section 3.2.2: ranks 3.143, 2.000, 2.893, 1.964 over 14 datasets."""
    k, n, mean_ranks = 4, 14, np.array([3.143, 2.000, 2.893, 1.964])
    assert critical_difference(5, 30) == pytest.approx(
        2.728 * math.sqrt(5 * 6 / (6 * 30)), abs=2e-3
    )
    series = pd.Series(mean_ranks, index=list("abcd"))
    assert critical_difference(k, n) == pytest.approx(1.25, abs=0.01)
    assert groups_by_nemenyi(series, n) == [["d", "b", "c", "a"]]


@pytest.mark.parametrize(
    ("models", "q"),
    [
        (2, 1.960),
        (3, 2.343),
        (4, 2.569),
        (5, 2.728),
        (6, 2.850),
        (7, 2.949),
        (8, 3.031),
        (10, 3.164),
    ],
)
def test_critical_values_are_the_published_ones(models: int, q: float) -> None:
    """Demsar 2006, table 5a."""
    actual = critical_difference(models, 10) / math.sqrt(models * (models + 1) / 60)
    assert actual == pytest.approx(q, abs=1e-3)


def test_eight_models_on_eight_datasets_have_a_critical_difference_of_3_71() -> None:
    assert round(critical_difference(8, 8), 2) == 3.71


def test_total_agreement_has_the_exact_p() -> None:
    scores = pd.DataFrame([[1.0, 2, 3]] * 4)
    actual = friedman(scores)
    assert actual.f == math.inf
    assert actual.p == pytest.approx(6.0**-3)


def test_pairs_are_scipys_with_statsmodels_holm() -> None:
    scores = table(2, 9, 4, digits=4)
    pairs = wilcoxon_pairs(scores)
    theirs = [
        stats.wilcoxon(scores[row.a], scores[row.b], method="exact").pvalue
        for row in pairs.itertuples()
    ]
    assert pairs["p"].to_numpy() == pytest.approx(theirs)
    assert pairs["p_corrected"].to_numpy() == pytest.approx(multipletests(theirs, method="holm")[1])
    bh = wilcoxon_pairs(scores, "benjamini-hochberg")
    assert bh["p_corrected"].to_numpy() == pytest.approx(multipletests(theirs, method="fdr_bh")[1])


def test_five_datasets_say_the_floor_instead_of_a_p() -> None:
    pairs = wilcoxon_pairs(table(3, 5, 3))
    assert pairs["p"].isna().all()
    assert pairs["note"].str.contains("smallest p possible is 0.0625").all()


def test_groups_are_maximal_runs_of_the_order() -> None:
    mean_ranks = pd.Series({"c": 3.0, "a": 1.0, "b": 2.0, "e": 6.0, "d": 4.5})
    reach = critical_difference(5, 12)
    assert 1.7 < reach < 2.0
    assert groups_by_nemenyi(mean_ranks, 12) == [["a", "b"], ["b", "c"], ["c", "d"], ["d", "e"]]
    pairs = pd.DataFrame(
        {"a": ["a", "a", "b"], "b": ["d", "e", "e"], "p_corrected": [0.01, 0.02, np.nan]}
    )
    assert groups_by_pairs(mean_ranks, pairs) == [["a", "b", "c"], ["b", "c", "d", "e"]]
    everyone = pairs.assign(p_corrected=0.5)
    assert groups_by_pairs(mean_ranks, everyone) == [["a", "b", "c", "d", "e"]]


@pytest.mark.parametrize("models", [3, 8])
def test_under_the_null_about_five_percent_are_rejected(models: int) -> None:
    draws = np.random.default_rng(4).normal(size=(1500, 8, models))
    rejected = [friedman(pd.DataFrame(values)).p < 0.05 for values in draws]
    assert 0.035 <= np.mean(rejected) <= 0.065


@pytest.mark.parametrize(
    ("scores", "reason"),
    [
        (pd.DataFrame(np.ones((4, 2))), "needs three models"),
        (pd.DataFrame(np.ones((4, 3))), "tied on every dataset"),
        (pd.DataFrame(np.ones((1, 3))), "there are 3 and 1"),
        (
            pd.DataFrame([[1, np.nan, 2], [1, 2, 3]], index=["x", "y"], columns=["a", "b", "c"]),
            "missing: b on x",
        ),
    ],
)
def test_refusals_name_what_is_wrong(scores: pd.DataFrame, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        friedman(scores)
