"""Rates of an operating point: their intervals against a jackknife and over simulated studies."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.stats.influence import Patients
from omnibench.stats.operating import Counts, predictive_values
from omnibench.stats.over_patients import Estimate
from omnibench.stats.predictive import RATES, rates_at
from omnibench.stats.result import RefusedError


def study(seed: int, cases: int) -> tuple[NDArray[Any], NDArray[np.bool_], Patients]:
    """Return scores of two repetitions, positives, and patients with one case each."""
    rng = np.random.default_rng(seed)
    positive = rng.random(cases) < 0.3
    scores = rng.normal(size=(1, cases)) + 1.5 * positive + 0.2 * rng.normal(size=(2, cases))
    return scores, positive, Patients.of_cases(np.arange(cases), np.ones(cases, np.bool_))


def values(scores: NDArray[Any], positive: NDArray[np.bool_], prevalence: float) -> list[Any]:
    """Return sensitivity, specificity, PPV and NPV of each repetition at 1.0, by counting."""
    each = []
    for own in scores:
        rates = Counts.from_scores(own, positive, 1.0).rates
        assert rates.sensitivity is not None
        assert rates.specificity is not None
        predictive = predictive_values(rates.sensitivity, rates.specificity, prevalence)
        each.append((rates.sensitivity, rates.specificity, *predictive))
    return each


def test_intervals_are_those_of_leaving_out_each_patient() -> None:
    scores, positive, patients = study(0, 150)
    measures = rates_at(np.ones(2), scores, positive, patients, 0.1)
    means = np.mean(values(scores, positive, 0.1), axis=0)
    keep = ~np.eye(150, dtype=np.bool_)
    without = np.array([np.mean(values(scores[:, k], positive[k], 0.1), axis=0) for k in keep])
    errors = np.sqrt(without.var(axis=0) * 149)
    for name, mean, error in zip(RATES, means, errors, strict=True):
        measure = measures[name]
        assert isinstance(measure, Estimate)
        assert measure.value == pytest.approx(mean)
        assert (measure.high - measure.low) / 2 == pytest.approx(1.976 * error, rel=0.03), name


def test_intervals_cover_the_rates_of_the_population() -> None:
    scores, positive, _ = study(99, 400_000)
    truth = np.mean(values(scores, positive, 0.1), axis=0)
    covered = np.zeros(4)
    for seed in range(300):
        scores, positive, patients = study(seed, 200)
        measures = rates_at(np.ones(2), scores, positive, patients, 0.1)
        for k, name in enumerate(RATES):
            measure = measures[name]
            assert isinstance(measure, Estimate)
            covered[k] += int(measure.low <= truth[k] <= measure.high)
    # .95 with three Monte-Carlo errors; a share near 1 of few cases has intervals a little short.
    assert ((covered / 300 > 0.90) & (covered / 300 < 0.99)).all(), covered / 300


def test_what_the_cases_do_not_tell_is_refused_by_its_reason() -> None:
    scores, positive, patients = study(1, 40)
    none = rates_at(np.ones(2), scores, np.zeros(40, np.bool_), patients, 0.1)
    for name in ("sensitivity", "PPV", "NPV"):
        assert "no positive test case" in str(none[name])
    assert isinstance(none["specificity"], Estimate)
    never = rates_at(np.full(2, np.inf), scores, positive, patients, 0.1)
    assert isinstance(never["PPV"], RefusedError)
    assert "called positive" in str(never["PPV"])
    assert isinstance(never["NPV"], Estimate)
    assert never["NPV"].value == pytest.approx(0.9)
