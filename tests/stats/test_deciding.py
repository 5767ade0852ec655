"""The deciding test against scipy, closed forms, and how often it errs on equal models."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from benchmarks.simulations.worlds import Classifiers, influence
from omnibench.stats.cases import Cases
from omnibench.stats.deciding import decide, equivalence_p, estimate, identical
from omnibench.stats.influence import Influence, influences
from omnibench.stats.result import RefusedError

Floats = NDArray[np.float64]
SCORE = ("any", "dice")


def model(values: Floats, groups: NDArray[np.int64] | None = None) -> Influence:
    """Return the influences of a mean over cases of [R, N]."""
    cases = Cases(len(values), np.arange(values.shape[1]), groups, {SCORE: values}, None)
    outcome = influences(cases, [SCORE])[SCORE]
    assert isinstance(outcome, Influence), outcome
    return outcome


def test_without_repetitions_it_is_the_paired_t_test_over_cases() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.uniform(-1, 1, size=(2, 1, 400))  # flat, so that df is N - 1
    answer = decide(model(a), model(b))
    expected = stats.ttest_rel(a[0], b[0])
    assert answer.df == 399
    assert answer.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (answer.low, answer.high) == pytest.approx((interval.low, interval.high))


def test_where_cases_do_not_matter_it_is_welchs_test_over_repetitions() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(4, 1)) + np.zeros(50), 2 * rng.normal(size=(6, 1)) + np.zeros(50)
    answer = decide(model(a), model(b))
    expected = stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False)
    assert (answer.p, answer.df) == pytest.approx((expected.pvalue, expected.df))


def test_crossed_variances_add_up_to_those_of_the_analysis_of_variance() -> None:
    """Against MS of cases and of repetitions, one residual taken out once."""
    rng = np.random.default_rng(2)
    n, cases = 5, 40
    a = rng.normal(size=(n, 1)) + rng.normal(size=cases) + 0.5 * rng.normal(size=(n, cases))
    b = np.zeros((n, cases))
    over_runs, over_cases = a.mean(axis=1), a.mean(axis=0)
    rest = a - over_runs[:, None] - over_cases + a.mean()
    variance = (
        over_cases.var(ddof=1) / cases
        + over_runs.var(ddof=1) / n
        - (rest**2).sum() / ((n - 1) * (cases - 1)) / (n * cases)
    )
    assert decide(model(a), model(b)).error == pytest.approx(math.sqrt(variance))


def test_a_single_run_is_taken_to_vary_as_the_others_do() -> None:
    a, b = np.full((1, 30), 0.8), np.array([[0.7], [0.72], [0.74]]) + np.zeros(30)
    answer = decide(model(a), model(b))
    assert answer.error == pytest.approx(0.02 * math.sqrt(1 + 1 / 3))
    assert answer.df == pytest.approx((1 + 1 / 3) ** 2 / (1 / 2 + (1 / 9) / 2))


@pytest.mark.parametrize(("apart", "exact"), [(4, 0.125), (5, 0.0625), (6, 0.03125), (8, 0.0078)])
def test_few_deciding_cases_are_as_much_as_mcnemars_test_takes_them_for(
    apart: int, exact: float
) -> None:
    a, b = np.ones((1, 300)), np.ones((1, 300))
    b[0, :apart] = 0
    assert exact / 2 < decide(model(a), model(b)).p < exact * 2


def test_identical_models_differ_by_nothing() -> None:
    values = np.random.default_rng(3).normal(size=(3, 20))
    answer = decide(model(values), model(values.copy()))
    assert (answer.difference, answer.low, answer.high, answer.p) == (0, 0, 0, 1)
    assert identical(model(values), model(values.copy()))
    assert not identical(model(values), model(values + 1e-9))


def test_what_no_patient_tells_of_is_refused() -> None:
    with pytest.raises(RefusedError, match="the same on every patient"):
        decide(model(np.ones((1, 9))), model(np.zeros((1, 9))))
    with pytest.raises(RefusedError, match="undefined in repetitions"):
        decide(Influence(np.array([math.nan]), np.zeros((1, 2)), 2), model(np.zeros((1, 2))))
    with pytest.raises(RefusedError, match="margin is above 0"):
        equivalence_p(0.1, 0.1, 5, 0)


def test_equivalence_is_two_one_sided_t_tests() -> None:
    rng = np.random.default_rng(4)
    d = rng.uniform(-1, 1, size=(1, 200))
    answer = decide(model(d), model(np.zeros_like(d)))
    sides = [
        stats.ttest_1samp(d[0], popmean, alternative=alternative).pvalue
        for popmean, alternative in ((-0.2, "greater"), (0.2, "less"))
    ]
    p = equivalence_p(answer.difference, answer.error, answer.df, 0.2)
    assert p == pytest.approx(max(sides))


def test_a_metric_has_the_interval_of_its_mean() -> None:
    values = np.random.default_rng(5).uniform(size=(1, 100))
    answer = estimate(model(values))
    expected = stats.t.interval(0.95, 99, values.mean(), stats.sem(values[0]))
    assert (answer.low, answer.high) == pytest.approx(expected)


@pytest.mark.parametrize(("patients", "each"), [(156, 1), (8, 20)])
@pytest.mark.parametrize("n", [3, 10])
def test_equal_models_are_seldom_told_apart(patients: int, each: int, n: int) -> None:
    """600 studies: .05 has a Monte-Carlo error of .009. The t test over runs errs in over .15."""
    rng = np.random.default_rng(n)
    groups = np.repeat(np.arange(patients), each)
    apart, over_runs, studies = 0, 0, 600
    for _ in range(studies):
        models = []
        for _ in range(2):
            own = rng.normal(size=patients)[groups] + rng.normal(size=len(groups))
            runs = 0.05 * rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, len(groups)))
            models.append(own + runs)
        apart += decide(model(models[0], groups), model(models[1], groups)).p < 0.05
        means = [values.mean(axis=1) for values in models]
        over_runs += stats.ttest_ind(*means, equal_var=False).pvalue < 0.05
    assert apart / studies < 0.06 + 0.018
    assert over_runs / studies > 0.15


@pytest.mark.parametrize(
    "world",
    [
        Classifiers(80, patients=8, labels="of the image"),
        Classifiers(156, own=0.2, run=0.05, both=0.2),  # few cases tell such models apart
    ],
)
def test_equal_classifiers_are_seldom_told_apart_in_any_metric(world: Classifiers) -> None:
    """300 studies: .05 has a Monte-Carlo error of .013."""
    rng = np.random.default_rng(7)
    apart = dict.fromkeys(("accuracy", "macro-f1", "auc"), 0)
    for _ in range(300):
        a, b = world.draw(rng, 5, (0.0, 0.0))
        for metric in apart:
            apart[metric] += decide(influence(a, metric), influence(b, metric)).p < 0.05
    assert max(apart.values()) / 300 < 0.06 + 0.025


@pytest.mark.parametrize("metric", ["accuracy", "auc"])
def test_intervals_hold_the_difference_of_unequal_classifiers(metric: str) -> None:
    """500 studies, the truth their mean difference: .95 has a Monte-Carlo error of .01."""
    rng, world = np.random.default_rng(8), Classifiers(150, patients=30)
    answers = []
    for _ in range(500):
        a, b = world.draw(rng, 3, (0.4, 0.0))
        answers.append(decide(influence(a, metric), influence(b, metric)))
    truth = np.mean([answer.difference for answer in answers])
    assert truth > 0.01
    assert np.mean([answer.low <= truth <= answer.high for answer in answers]) > 0.93
