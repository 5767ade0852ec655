"""Risk-coverage curves of units: their areas, intervals, labels and ensembles."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from omnibench.stats.cases import Cases, Logits
from omnibench.stats.influence import Patients
from omnibench.stats.result import RefusedError
from omnibench.stats.risk_coverage import COVERAGES, Decisions, ensemble_augrc
from omnibench.stats.selective import augrc, in_order
from omnibench.stats.uncertainty import mutual_information, of_two


def unit(seed: int, cases: int = 100, patients: int = 50, repetitions: int = 3) -> Cases:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, cases)
    logits = rng.normal(size=(repetitions, cases, 3)) + 1.2 * np.eye(3)[labels]
    return Cases(repetitions, np.arange(cases), np.arange(cases) % patients, {},
                 Logits(logits, labels))  # fmt: skip


def decisions(cases: Cases) -> Decisions:
    assert cases.logits is not None
    return Decisions.from_logits(cases.logits)


def test_a_curve_is_the_mean_risk_of_the_most_certain_cases() -> None:
    cases = unit(0)
    assert cases.logits is not None
    curve = decisions(cases).curve(cases)
    shares = softmax(cases.logits.values, axis=2)
    each = []
    for own in shares:
        wrong = (own.argmax(axis=1) != cases.logits.labels)[np.argsort(-own.max(axis=1))]
        each.append([wrong[: int(np.ceil(c))].mean() for c in COVERAGES])
    assert np.allclose(curve.risk, np.mean(each, axis=0))
    assert curve.risk[-1] == pytest.approx(curve.random) == curve.oracle[-1]
    assert (curve.oracle <= curve.risk + 1e-12).all()
    assert decisions(cases).accuracy_at(80) == pytest.approx(1 - np.mean(each, axis=0)[15])


def test_the_interval_of_all_cases_is_that_of_the_error_rate() -> None:
    cases = unit(1, cases=400, patients=400)
    curve = decisions(cases).curve(cases)
    errors = decisions(cases).errors[:, :, 0].mean(axis=0)
    # 20 blocks of 20: a t with 19 degrees of freedom.
    expected = 2.093 * errors.std(ddof=1) / 20
    assert curve.margin[-1] == pytest.approx(expected, rel=0.35)


def test_intervals_of_a_difference_cover_it_at_each_coverage() -> None:
    """Two models that see the same noise; the truth is that of many cases."""
    rng = np.random.default_rng(3)

    def studies(cases: int) -> list[Cases]:
        labels = rng.integers(0, 2, cases)
        shared = rng.normal(size=(1, cases, 2))
        return [
            Cases(1, np.arange(cases), None, {}, Logits(shared + own + signal, labels))
            for own, signal in (
                (0.3 * rng.normal(size=shared.shape), 2.0 * np.eye(2)[labels]),
                (0.8 * rng.normal(size=shared.shape), 1.5 * np.eye(2)[labels]),
            )
        ]

    def less(cases: int) -> tuple[NDArray[Any], NDArray[Any]]:
        a, b = (decisions(study).curve(study) for study in studies(cases))
        return a.less(b)

    truth, _ = less(100_000)
    at, covered = [COVERAGES.index(c) for c in (50, 80, 100)], np.zeros(3)
    for _ in range(200):
        difference, margin = less(300)
        covered += np.abs(difference - truth)[at] <= margin[at]
    # .96 to .97 of 1,000 such studies; here with three Monte-Carlo errors.
    assert ((covered / 200 >= 0.92) & (covered / 200 <= 0.995)).all(), covered / 200


def test_equal_models_differ_by_nothing() -> None:
    cases = unit(4)
    difference, margin = decisions(cases).curve(cases).less(decisions(cases).curve(cases))
    assert not difference.any()
    assert not margin.any()


def test_labels_are_ranked_each_by_itself() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, (60, 3))
    logits = rng.normal(size=(2, 60, 3)) + labels
    cases = Cases(2, np.arange(60), None, {}, Logits(logits, labels))
    each = []
    for k in range(3):
        alone = Logits(of_two(logits[:, :, k]), labels[:, k])
        one = Cases(2, np.arange(60), None, {}, alone)
        each.append((decisions(one).curve(one).risk, decisions(one).augrc_by_case))
    assert np.allclose(decisions(cases).curve(cases).risk, np.mean([r for r, _ in each], axis=0))
    assert np.allclose(decisions(cases).augrc_by_case, np.mean([v for _, v in each], axis=0))


def test_an_ensemble_decides_by_its_mean_probability() -> None:
    cases = unit(6)
    logits = cases.logits
    assert logits is not None
    mean = softmax(logits.values, axis=2).mean(axis=0)
    wrong = mean.argmax(axis=1) != logits.labels
    areas = ensemble_augrc(logits)
    assert areas is not None
    assert areas["msp"] == pytest.approx(augrc(in_order(-mean.max(axis=1), wrong)))
    disagreement = mutual_information(logits.values)
    assert areas["mutual information"] == pytest.approx(augrc(in_order(disagreement, wrong)))
    assert ensemble_augrc(Logits(logits.values[:1], logits.labels)) is None
    several = Logits(of_two(logits.values[:, :, 0])[..., 1][:, :, None], wrong[:, None].astype(int))
    assert ensemble_augrc(several) is not None


def test_one_patient_has_no_curve() -> None:
    cases = unit(7, patients=1)
    with pytest.raises(RefusedError, match="one patient"):
        decisions(cases).curve(cases)
    everyone = Patients.of_cases(unit(7).cluster, np.ones(100, np.bool_))
    influence = everyone.mean(decisions(unit(7)).augrc_by_case)
    areas = [
        augrc(in_order(u[:, 0], e[:, 0]))
        for u, e in zip(decisions(unit(7)).uncertainty, decisions(unit(7)).errors, strict=True)
    ]
    assert np.allclose(influence.values, areas)
