"""Selective metrics against brute force, closed forms, torch-uncertainty's numbers and chance."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from omnibench.stats import selective
from omnibench.stats.cases import Cases
from omnibench.stats.influence import Patients
from omnibench.stats.over_patients import over_patients
from omnibench.stats.rates import softmax
from omnibench.stats.selective import (
    augrc,
    augrc_by_case,
    aurc_geifman,
    aurc_trapezoid,
    coverage_at,
    excess_aurc,
    failure_auroc,
    failure_auroc_by_case,
    in_order,
    risk_at,
    risks,
)
from omnibench.stats.uncertainty import msp

Array = NDArray[Any]


def drawn(seed: int, cases: int = 60, values: int = 12) -> tuple[Array, Array]:
    """Return uncertainties with ties and errors that are likelier at high ones."""
    rng = np.random.default_rng(seed)
    uncertainty = rng.integers(0, values, cases) / values
    return uncertainty, rng.random(cases) < 0.1 + 0.6 * uncertainty


def test_three_cases_have_the_numbers_of_their_definitions() -> None:
    """The three areas that are all called AURC differ, and a perfect order has no excess."""
    errors = np.array([0, 0, 1])
    ordered = in_order(-np.array([0.8, 0.7, 0.6]), errors)
    assert aurc_geifman(ordered) == pytest.approx(1 / 9)
    assert aurc_trapezoid(ordered) == pytest.approx(1 / 12)
    assert augrc(ordered) == pytest.approx(1 / 18)
    assert excess_aurc(ordered, errors) == pytest.approx(0)
    asymptote = 1 / 3 + 2 / 3 * math.log(2 / 3)
    assert aurc_geifman(ordered) - asymptote == pytest.approx(0.0481, abs=5e-5)


# Those of torch-uncertainty 0.13.0, of the same draws: AURC, CovAtxRisk at .05 and .1, RiskAtxCov
# at .8 and .5. (Its AUGRC is over coverages from 1/N on, and so another number.)
TORCH_UNCERTAINTY = (
    (60, 3, (0.240148, 0.1333333, 0.1333333, 0.3333333, 0.2666667)),
    (157, 2, (0.1161105, 0.1719745, 0.4522293, 0.1825397, 0.1139241)),
    (40, 5, (0.3162979, 0.15, 0.15, 0.4375, 0.35)),
)


def test_areas_risks_and_coverages_are_those_of_torch_uncertainty() -> None:
    rng = np.random.default_rng(5)
    for cases, classes, expected in TORCH_UNCERTAINTY:
        labels = rng.integers(0, classes, cases)
        logits = 1.5 * rng.normal(size=(cases, classes)) + 1.5 * np.eye(classes)[labels]
        ordered = in_order(1 - softmax(logits).max(axis=1), logits.argmax(axis=1) != labels)
        actual = (
            aurc_trapezoid(ordered),
            *(coverage_at(ordered, 5), coverage_at(ordered, 10)),
            *(risk_at(ordered, 80), risk_at(ordered, 50)),
        )
        assert actual == pytest.approx(expected, abs=1e-6)
        assert np.array_equal(in_order(msp(logits), logits.argmax(axis=1) != labels), ordered)


@pytest.mark.parametrize("seed", range(5))
def test_areas_equal_brute_force_over_pairs_and_prefixes(seed: int) -> None:
    uncertainty, errors = drawn(seed)
    count, ordered = len(errors), in_order(uncertainty, errors)
    before = uncertainty[:, None] < uncertainty[None, :]
    pairs = before + 0.5 * (uncertainty[:, None] == uncertainty[None, :])
    assert augrc(ordered) == pytest.approx((errors[:, None] * pairs).sum() / count**2)
    # Each case of a block of ties stands for the whole block.
    means = {u: errors[uncertainty == u].mean() for u in uncertainty.tolist()}
    prefixes = [np.mean([means[u] for u in sorted(uncertainty)[:k]]) for k in range(1, count + 1)]
    assert risks(ordered) == pytest.approx(prefixes)
    assert aurc_geifman(ordered) == pytest.approx(np.mean(prefixes))
    x = np.arange(1, count + 1) / count
    area = np.trapezoid(prefixes, x) / (1 - 1 / count)
    assert aurc_trapezoid(ordered) == pytest.approx(area)


def test_ties_have_the_mean_of_all_their_orders() -> None:
    uncertainty, errors = np.array([0.1, 0.5, 0.5, 0.5, 0.9]), np.array([0, 1, 0, 0, 1])
    for area in (augrc, aurc_geifman, aurc_trapezoid):
        each = [
            area(np.array([0, *middle, 1], np.float64))
            for middle in itertools.permutations(errors[1:4])
        ]
        assert area(in_order(uncertainty, errors)) == pytest.approx(np.mean(np.array(each, float)))


@pytest.mark.parametrize("seed", range(5))
def test_augrc_has_the_closed_form_of_accuracy_and_failure_auroc(seed: int) -> None:
    uncertainty, errors = drawn(seed)
    wrong, area = errors.mean(), roc_auc_score(errors, uncertainty)
    expected = (1 - area) * wrong * (1 - wrong) + wrong**2 / 2
    assert augrc(in_order(uncertainty, errors)) == pytest.approx(expected)
    assert failure_auroc(uncertainty, errors) == pytest.approx(area)


@pytest.mark.parametrize(("cases", "wrong"), [(1, 0), (1, 1), (10, 0), (10, 3), (10, 10)])
def test_the_best_order_has_the_exact_optimum_and_no_excess(cases: int, wrong: int) -> None:
    errors = np.arange(cases) >= cases - wrong
    ordered = in_order(np.arange(cases), errors)
    optimum = sum((i - (cases - wrong)) / i for i in range(cases - wrong + 1, cases + 1)) / cases
    assert aurc_geifman(ordered) == pytest.approx(optimum)
    assert excess_aurc(ordered, errors) == pytest.approx(0)


def test_a_random_order_has_the_error_rate_as_aurc_and_half_of_it_as_augrc() -> None:
    rng = np.random.default_rng(0)
    errors = np.arange(50) < 12
    orders = [in_order(rng.random(50), errors) for _ in range(4000)]
    for area, expected in ((aurc_geifman, 0.24), (augrc, 0.12)):
        areas = [area(ordered) for ordered in orders]
        assert np.mean(areas) == pytest.approx(expected, abs=4 * np.std(areas) / np.sqrt(4000))
    assert aurc_geifman(in_order(np.zeros(50), errors)) == pytest.approx(0.24)
    assert augrc(in_order(np.zeros(50), errors)) == pytest.approx(0.12)


def test_coverage_at_a_risk_is_the_largest_though_smaller_ones_are_above_it() -> None:
    ordered = np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1.0])
    assert risks(ordered)[0] == 1
    assert coverage_at(ordered, 10) == pytest.approx(10 / 12)
    assert coverage_at(ordered, 5) == 0
    assert coverage_at(np.zeros(7), 1) == 1


def test_a_coverage_accepts_whole_cases_and_no_rounding_error_more() -> None:
    assert [selective.accepted(95, n) for n in (1, 10, 20, 40, 1000)] == [1, 10, 19, 38, 950]
    assert selective.threshold(np.array([3.0, 1.0, 2.0, 4.0]), 75) == 3.0


def test_no_error_is_a_number_where_there_is_one_and_none_where_not() -> None:
    uncertainty, none = np.arange(4.0), np.zeros(4, np.bool_)
    ordered = in_order(uncertainty, none)
    assert (augrc(ordered), aurc_geifman(ordered), coverage_at(ordered, 1)) == (0, 0, 1)
    assert failure_auroc(uncertainty, none) is None
    assert failure_auroc(uncertainty, ~none) is None
    assert np.isnan(failure_auroc_by_case(uncertainty, none)).all()
    assert aurc_trapezoid(np.zeros(1)) is None


@pytest.mark.parametrize("seed", range(3))
def test_values_by_case_have_the_metric_as_mean_and_its_jackknife_as_spread(seed: int) -> None:
    uncertainty, errors = drawn(seed, 200, 40)
    alone = np.arange(200)
    for by_case, whole in (
        (augrc_by_case, lambda u, e: augrc(in_order(u, e))),
        (failure_auroc_by_case, failure_auroc),
    ):
        values = by_case(uncertainty, errors)
        assert values.mean() == pytest.approx(whole(uncertainty, errors))
        without = [whole(uncertainty[alone != k], errors[alone != k]) for k in alone]
        jackknife = np.sqrt(np.var(np.array(without, float)) * 199)
        assert values.std(ddof=1) / np.sqrt(200) == pytest.approx(jackknife, rel=0.02)


def test_intervals_of_augrc_cover_its_value_over_patients() -> None:
    """Sets of 40 patients with 5 images; the truth is the mean of many others."""
    rng = np.random.default_rng(1)

    def study(patients: int) -> tuple[Array, Array]:
        shared = np.repeat(rng.normal(0, 1, patients), 5)
        uncertainty = shared + rng.normal(0, 1, 5 * patients)
        return uncertainty, rng.random(5 * patients) < 1 / (1 + np.exp(1.5 - uncertainty))

    truth = np.mean([augrc(in_order(*study(20_000))) for _ in range(3)])
    covered = 0
    for _ in range(400):
        uncertainty, errors = study(40)
        cases = Cases(1, np.arange(200), np.repeat(np.arange(40), 5), {}, None)
        patients = Patients.of_cases(cases.cluster, np.ones(200, np.bool_))
        estimate = over_patients(patients.mean(augrc_by_case(uncertainty, errors)[None]))
        covered += int(estimate.low <= truth <= estimate.high)
    assert 0.915 <= covered / 400 <= 0.985  # .95 with three Monte-Carlo errors


def test_known_ambiguity_gives_the_bayes_curve() -> None:
    """With P(y = 1) = eta uniform on 0..1 the best classifier errs by min(eta, 1 - eta).

    Of the most certain share c of cases these are uniform on 0..c/2: the risk is c/4, the area
    below it 1/8, and that below the errors accepted 1/12.
    """
    rng = np.random.default_rng(2)
    eta = rng.random(200_000)
    labels = rng.random(200_000) < eta
    logits = np.stack([np.log1p(-eta), np.log(eta)], axis=1)
    ordered = in_order(msp(logits), logits.argmax(axis=1) != labels)
    for coverage in (25, 50, 75, 100):
        assert risk_at(ordered, coverage) == pytest.approx(coverage / 400, abs=0.005)
    assert aurc_geifman(ordered) == pytest.approx(1 / 8, abs=0.004)
    assert augrc(ordered) == pytest.approx(1 / 12, abs=0.002)
