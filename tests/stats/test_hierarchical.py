"""The hierarchical bootstrap against closed forms of a crossed design, and by simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import f1_score

from omnibench.stats.bootstrap import bootstrap_means
from omnibench.stats.hierarchical import hierarchical_counts, hierarchical_means
from omnibench.stats.rates import SINGLE_LABEL
from omnibench.stats.result import RefusedError


def crossed(rng, repetitions, cases, seed_sd, case_sd, noise_sd=0.0):
    """Differences [R, N]: a part of the repetition, one of the case, noise."""
    return (
        seed_sd * rng.normal(size=(repetitions, 1))
        + case_sd * rng.normal(size=(1, cases))
        + noise_sd * rng.normal(size=(repetitions, cases))
    )


@pytest.mark.parametrize("paired", [True, False])
def test_the_error_is_the_closed_form_of_a_crossed_design(paired):
    """Var = s_cases^2 / N + s_runs^2 / R, the runs' of both models where they are unpaired."""
    rng = np.random.default_rng(0)
    a, b = crossed(rng, 5, 200, 0.1, 0.5), crossed(rng, 5, 200, 0.1, 0.5)
    found = hierarchical_means(a, b, np.arange(200), paired)
    case = (a.mean(axis=0) - b.mean(axis=0)).var() / 200
    means = [(a - b).mean(axis=1)] if paired else [a.mean(axis=1), b.mean(axis=1)]
    run = [m.var(ddof=1) / 5 for m in means]
    total = case + sum(run)
    df = total**2 / (case**2 / 199 + sum(v**2 / 4 for v in run))
    assert found.high - found.low == pytest.approx(
        2 * stats.t.ppf(0.975, df) * math.sqrt(total), rel=0.04
    )
    assert found.difference == pytest.approx(a.mean() - b.mean())
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, df)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.difference) / error, df), abs=0.01)


def test_without_variation_of_cases_it_is_the_paired_t():
    rng = np.random.default_rng(1)
    d = np.tile(rng.normal(0.2, 0.1, size=(4, 1)), (1, 50))
    found = hierarchical_means(d, np.zeros((4, 50)), np.arange(50), True)
    theirs = stats.ttest_1samp(d[:, 0], 0)
    assert found.p == pytest.approx(theirs.pvalue, rel=0.02)


def test_without_variation_of_repetitions_it_is_the_case_bootstrap():
    rng = np.random.default_rng(2)
    d = np.tile(rng.normal(0.1, 1, size=(1, 300)), (3, 1))
    found = hierarchical_means(d, np.zeros((3, 300)), np.arange(300) // 3, True)
    (cases,) = bootstrap_means(d[0][:, None], np.arange(300) // 3)
    assert found.low == pytest.approx(cases.low, abs=0.02)
    assert found.high == pytest.approx(cases.high, abs=0.02)


def test_counts_are_scikit_learns_and_wider_than_cases_alone():
    rng = np.random.default_rng(3)
    labels = rng.integers(3, size=150)
    wrong = [rng.random((3, 150)) < share for share in (0.2, 0.4)]
    a, b = (np.where(w, rng.integers(3, size=w.shape), labels) for w in wrong)
    hot = np.eye(3, dtype=bool)
    found = hierarchical_counts(
        hot[labels], hot[a], hot[b], np.arange(150), SINGLE_LABEL, True, 2000
    )
    f1 = [np.mean([f1_score(labels, p, average="macro") for p in model]) for model in (a, b)]
    assert found["macro-f1"].difference == pytest.approx(f1[0] - f1[1])
    assert found["macro-f1"].low < f1[0] - f1[1] < found["macro-f1"].high
    assert "cases and repetitions, seeds shared" in found["accuracy"].test


@pytest.mark.parametrize(("seed_sd", "repetitions"), [(0.02, 3), (0.1, 3), (0.1, 5)])
def test_under_the_null_about_five_percent_are_rejected(seed_sd, repetitions):
    """Where seeds, cases or both decide: cases have a standard error of 0.05."""
    rng = np.random.default_rng(4)
    zero = np.zeros((repetitions, 100))
    rejected = [
        hierarchical_means(
            crossed(rng, repetitions, 100, seed_sd, 0.5, 0.2), zero, np.arange(100), True, 400
        ).p
        < 0.05
        for _ in range(1000)
    ]
    assert 0.02 <= np.mean(rejected) <= 0.07


@pytest.mark.parametrize(
    ("a", "b", "cluster", "reason"),
    [
        (np.ones((1, 9)), np.ones((2, 9)), np.arange(9), "from 1 and 2 repetitions"),
        (np.ones((3, 9)), np.ones((2, 9)), np.arange(9), "3 and 2 repetitions are not paired"),
        (np.ones((3, 9)), np.ones((3, 9)), np.zeros(9, int), "one patient"),
        (np.full((3, 9), np.nan), np.ones((3, 9)), np.arange(9), "undefined"),
    ],
)
def test_refusals_name_what_is_wrong(a, b, cluster, reason):
    with pytest.raises(RefusedError, match=reason):
        hierarchical_means(a, b, cluster, True)


def test_no_variation_at_all_is_refused():
    found = hierarchical_means(np.ones((3, 9)), np.zeros((3, 9)), np.arange(9), True)
    assert isinstance(found, RefusedError)
