"""Operating points against torchmetrics, scikit-learn's ROC curve and Bayes' rule by counting."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score, confusion_matrix, roc_curve
from torchmetrics.functional.classification import (
    binary_sensitivity_at_specificity,
    binary_specificity_at_sensitivity,
)

from omnibench.stats.operating import (
    Counts,
    predictive_values,
    threshold_at_sensitivity,
    threshold_at_specificity,
    threshold_at_youden,
)
from omnibench.stats.rates import confusion, quadratic_kappa


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("percent", [50, 90, 95, 100])
def test_rates_at_a_target_are_those_of_torchmetrics(seed: int, percent: int) -> None:
    rng = np.random.default_rng(seed)
    positive = rng.random(80) < 0.4
    scores = np.round(rng.random(80) * 0.6 + 0.3 * positive, 2).astype(np.float32)  # with ties
    arrays = torch.from_numpy(scores), torch.from_numpy(positive.astype(np.int64))
    threshold = threshold_at_specificity(scores, positive, percent)
    assert threshold is not None
    rates = Counts.from_scores(scores, positive, threshold).rates
    sensitivity, _ = binary_sensitivity_at_specificity(*arrays, percent / 100)
    assert rates.sensitivity == pytest.approx(float(sensitivity))
    assert rates.specificity is not None
    assert rates.specificity >= percent / 100
    threshold = threshold_at_sensitivity(scores, positive, percent)
    assert threshold is not None
    rates = Counts.from_scores(scores, positive, threshold).rates
    specificity, _ = binary_specificity_at_sensitivity(*arrays, percent / 100)
    assert rates.specificity == pytest.approx(float(specificity))


def test_thresholds_are_points_of_the_roc_curve() -> None:
    rng = np.random.default_rng(9)
    positive = rng.random(200) < 0.3
    scores = rng.normal(size=200) + positive
    false, true, at = roc_curve(positive, scores, drop_intermediate=False)
    for percent in (80, 90, 95):
        assert (
            threshold_at_specificity(scores, positive, percent)
            == at[np.flatnonzero(1 - false >= percent / 100 - 1e-12)[-1]]
        )
        assert (
            threshold_at_sensitivity(scores, positive, percent)
            == at[np.flatnonzero(true >= percent / 100 - 1e-12)[0]]
        )


@pytest.mark.parametrize("digits", [1, 9])  # with ties, and without
def test_youden_is_the_roc_point_farthest_from_chance(digits: int) -> None:
    rng = np.random.default_rng(5)
    positive = rng.random(150) < 0.4
    scores = np.round(rng.normal(size=150) + positive, digits)
    false, true, at = roc_curve(positive, scores, drop_intermediate=False)
    threshold = threshold_at_youden(scores, positive)
    assert threshold is not None
    assert threshold in at[np.isclose(true - false, (true - false).max())]
    rates = Counts.from_scores(scores, positive, threshold).rates
    (tn, fp), (fn, tp) = confusion_matrix(positive, scores >= threshold)
    expected = (tp / (tp + fn), tn / (tn + fp), tp / (tp + fp), tn / (tn + fn))
    assert rates == pytest.approx(expected)


def test_where_no_score_is_specific_enough_nothing_is_called_positive() -> None:
    scores, positive = np.array([0.9, 0.9, 0.2]), np.array([False, True, True])
    threshold = threshold_at_specificity(scores, positive, 90)
    assert threshold == math.inf
    sensitivity, specificity, ppv, npv = Counts.from_scores(scores, positive, threshold).rates
    assert (sensitivity, specificity, ppv) == (0, 1, None)
    assert npv == pytest.approx(1 / 3)


def test_one_class_alone_has_no_threshold_and_no_rate_of_the_other() -> None:
    scores = np.array([0.1, 0.7])
    for positive in (np.zeros(2, np.bool_), np.ones(2, np.bool_)):
        assert threshold_at_specificity(scores, positive, 90) is None
        assert threshold_at_sensitivity(scores, positive, 90) is None
        assert threshold_at_youden(scores, positive) is None
    assert Counts.from_scores(scores, np.ones(2, np.bool_), 0.5).rates == (0.5, None, 1, 0)


def test_rates_are_counted_as_scikit_learn_does() -> None:
    rng = np.random.default_rng(3)
    positive, scores = rng.random(100) < 0.5, rng.random(100)
    counts = Counts.from_scores(scores, positive, 0.4)
    tn, fp, fn, tp = confusion_matrix(positive, scores >= 0.4).ravel().tolist()
    assert (counts.tp, counts.fp, counts.tn, counts.fn) == (tp, fp, tn, fn)


def test_predictive_values_at_the_own_prevalence_are_those_counted() -> None:
    counts = Counts(tp=40, fp=30, tn=120, fn=10)
    rates = counts.rates
    assert rates.sensitivity is not None
    assert rates.specificity is not None
    values = predictive_values(rates.sensitivity, rates.specificity, 50 / 200)
    assert values == pytest.approx((rates.ppv, rates.npv))
    # One in a hundred: of 10,000 people 100 are ill, 80 found; 1,980 of the others are called too.
    assert predictive_values(0.8, 0.8, 0.01)[0] == pytest.approx(80 / (80 + 1980))
    assert predictive_values(0, 1, 0.01)[0] is None
    assert predictive_values(0, 1, 0.01)[1] == pytest.approx(0.99)


@pytest.mark.parametrize("classes", [2, 5])
def test_quadratic_kappa_is_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(classes)
    labels = rng.integers(0, classes, 300)
    predicted = np.clip(labels + rng.integers(-1, 2, 300), 0, classes - 1)
    kappa = quadratic_kappa(confusion(labels, predicted, classes))
    assert kappa == pytest.approx(cohen_kappa_score(labels, predicted, weights="quadratic"))
    assert quadratic_kappa(confusion(labels, labels, classes)) == 1
    alone = np.zeros(9, np.int64)
    assert quadratic_kappa(confusion(alone, alone, classes)) is None
    assert quadratic_kappa(confusion(labels, 0 * labels, classes)) == pytest.approx(0)
