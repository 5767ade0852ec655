import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from omnibench.stats.result import RefusedError
from omnibench.stats.summaries import (
    Summary,
    one_sample,
    pooled_std,
    prediction,
    student,
    tost,
    welch,
)

A, B = Summary(89.42, 0.18, 5), Summary(88.98, 1.0, 4)


@pytest.mark.parametrize(("test", "equal"), [(welch, False), (student, True)])
def test_two_samples_are_scipys(test, equal):
    reference = stats.ttest_ind_from_stats(A.mean, A.std, A.n, B.mean, B.std, B.n, equal_var=equal)
    assert test(A, B).p == pytest.approx(reference.pvalue, rel=1e-9)
    assert test(A, B).difference == pytest.approx(0.44)


@pytest.mark.parametrize(("test", "equal"), [(welch, False), (student, True)])
def test_intervals_and_effect_are_those_of_the_values_themselves(test, equal):
    rng = np.random.default_rng(3)
    x, y = rng.normal(1, 1, 6), rng.normal(0, 3, 4)
    answer = test(*(Summary(v.mean(), v.std(ddof=1), len(v)) for v in (x, y)))
    reference = stats.ttest_ind(x, y, equal_var=equal)
    low, high = reference.confidence_interval()
    assert (answer.p, answer.low, answer.high) == pytest.approx((reference.pvalue, low, high))
    pooled = math.sqrt((5 * x.var(ddof=1) + 3 * y.var(ddof=1)) / 8)
    j = math.gamma(4) / (2 * math.gamma(3.5))
    assert answer.effect == pytest.approx(j * (x.mean() - y.mean()) / pooled)


def test_against_a_single_number():
    x = np.array([0.81, 0.84, 0.80, 0.86])
    a, single = Summary(x.mean(), x.std(ddof=1), 4), Summary(0.9, None, 1)
    assert one_sample(a, single).p == pytest.approx(stats.ttest_1samp(x, 0.9).pvalue)
    # The prediction t is the pooled t-test with a sample of one, which has no spread of its own.
    assert prediction(a, single).p == pytest.approx(stats.ttest_ind(x, [0.9]).pvalue)


def test_one_sample_errs_three_times_as_often_as_it_says_and_prediction_does_not():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 4))
    found = {one_sample: 0, prediction: 0}
    for draw in draws:
        a = Summary(draw[:3].mean(), draw[:3].std(ddof=1), 3)
        for test in found:
            found[test] += test(a, Summary(draw[3], None, 1)).p < 0.05
    assert found[one_sample] / 4000 == pytest.approx(0.16, abs=0.02)
    assert found[prediction] / 4000 == pytest.approx(0.05, abs=0.015)


def test_equivalence_is_statsmodels():
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 1, 8), rng.normal(0.1, 2, 6)
    a, b = (Summary(v.mean(), v.std(ddof=1), len(v)) for v in (x, y))
    for margin in (0.5, 3.0):
        answer = tost(a, b, margin)
        assert answer.p == pytest.approx(ttost_ind(x, y, -margin, margin, usevar="unequal")[0])
        assert (answer.p < 0.05) == (-margin < answer.low and answer.high < margin)
    with pytest.raises(RefusedError, match="margin"):
        tost(a, b, 0.0)


def test_pooled_deviation_of_equal_n_is_the_root_of_the_mean_variance():
    assert pooled_std(Summary(0, 3, 5), Summary(0, 4, 5)) == pytest.approx(math.sqrt(12.5))


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (Summary(1, 0.0, 5), Summary(2, 0.0, 5), "neither model varies"),
        (Summary(1, 0.1, 1), Summary(2, 0.1, 5), "n = 1"),
        (Summary(1, 0.1, 5), Summary(2, None, 5), "without a standard deviation"),
        (Summary(1, 0.1, None), Summary(2, 0.1, 5), "without its number"),
        (Summary(1, 0.1, 5, "omnirad-batch16"), Summary(2, 0.1, 5, "macro"), "omnirad-batch16"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(a, b, reason):
    for test in (welch, student, lambda a, b: tost(a, b, 1.0)):
        with pytest.raises(RefusedError, match=reason):
            test(a, b)


def test_single_numbers_are_refused_across_definitions_and_without_spread():
    for test in (one_sample, prediction):
        with pytest.raises(RefusedError, match="different definitions"):
            test(Summary(1, 0.1, 5, "x"), Summary(2, None, 1, "y"))
        with pytest.raises(RefusedError, match="does not vary"):
            test(Summary(1, 0.0, 5), Summary(2, None, 1))
