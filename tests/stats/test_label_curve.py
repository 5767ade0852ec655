"""Curves over label budgets: monotone fit, area and the labels to a target."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import auc

from omnibench.stats.label_curve import area_weights, isotonic, reached_at, weights_at

X = np.log2([5.0, 10.0, 40.0, 100.0, 160.0])


def test_the_monotone_curve_equals_sklearns_isotonic_regression() -> None:
    curves = np.random.default_rng(0).normal(size=(50, 7)).round(1)  # with ties
    for fitted, values in zip(isotonic(curves), curves, strict=True):
        expected = IsotonicRegression().fit_transform(np.arange(7), values)
        np.testing.assert_allclose(fitted, expected, atol=1e-12)


def test_the_area_equals_sklearns_over_the_width() -> None:
    values = np.random.default_rng(1).random(5)
    expected = auc(X, values) / (X[-1] - X[0])
    assert area_weights(X) @ values == pytest.approx(expected)
    assert area_weights(X).sum() == pytest.approx(1)


def test_labels_to_a_target_of_a_line_are_the_closed_form() -> None:
    first, slope, target = 0.3, 0.06, 0.55
    at = reached_at(X, first + slope * X, np.array(target))
    assert at == pytest.approx((target - first) / slope)


def test_beyond_the_budgets_only_the_side_is_known() -> None:
    curves = np.array([[0.6, 0.7, 0.7, 0.8, 0.9], [0.1, 0.2, 0.2, 0.3, 0.4], [0.5] * 5])
    at = reached_at(X, curves, np.array([0.55, 0.55, 0.5]))
    assert at.tolist() == [-np.inf, np.inf, -np.inf]


def test_a_height_between_two_budgets_is_linear_in_the_logarithm() -> None:
    values = np.random.default_rng(2).random(5)
    for place in (X[0], X[2], 4.0, 6.9, X[-1], X[-1] + 3):
        expected = np.interp(place, X, values)
        assert weights_at(X, float(place)) @ values == pytest.approx(expected)
