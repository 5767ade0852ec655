"""How much patients move a metric, against leaving each out and scikit-learn's metrics."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics

from omnibench.stats.cases import Cases, Logits
from omnibench.stats.influence import Influence, influences
from omnibench.stats.result import RefusedError

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]


def cases_of(
    labels: Array, repetitions: int, groups: Array | None = None, seed: int = 0, classes: int = 3
) -> Cases:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(repetitions, len(labels), classes))
    logits += 1.2 * (np.eye(classes)[labels] if labels.ndim == 1 else labels)
    return Cases(repetitions, np.arange(len(labels)), groups, {}, Logits(logits, labels))


def influence(cases: Cases, name: str, chosen: Array | None = None) -> Influence:
    outcome = influences(cases, [("any", name)], chosen)["any", name]
    assert isinstance(outcome, Influence), outcome
    return outcome


def auc(labels: Array, logits: Array) -> float:
    if logits.shape[1] == 2:
        return float(metrics.roc_auc_score(labels, logits[:, 1] - logits[:, 0]))
    powers = np.exp(logits)
    shares = powers / powers.sum(axis=1, keepdims=True)
    return float(metrics.roc_auc_score(labels, shares, multi_class="ovr"))


def brier(labels: Array, logits: Array) -> float:
    powers = np.exp(logits)
    shares = powers / powers.sum(axis=1, keepdims=True)
    return float(((shares - np.eye(logits.shape[1])[labels]) ** 2).sum(axis=1).mean())


METRICS: dict[str, Metric] = {
    "accuracy": lambda y, z: float(metrics.accuracy_score(y, z.argmax(axis=1))),
    "balanced-accuracy": lambda y, z: float(metrics.balanced_accuracy_score(y, z.argmax(axis=1))),
    "macro-f1": lambda y, z: float(metrics.f1_score(y, z.argmax(axis=1), average="macro")),
    "brier": brier,
    "auc": auc,
}
LABELS = np.tile([0, 1, 2, 0, 1], 12)
GROUPS = np.arange(60) // 4


@pytest.mark.parametrize("name", METRICS)
def test_values_are_the_metrics_of_each_repetition(name: str) -> None:
    cases = cases_of(LABELS, 3)
    assert cases.logits is not None
    expected = [METRICS[name](LABELS, logits) for logits in cases.logits.values]
    np.testing.assert_allclose(influence(cases, name).values, expected, atol=1e-12)


@pytest.mark.parametrize("name", [name for name in METRICS if name != "auc"])
@pytest.mark.parametrize("groups", [None, GROUPS])
def test_rows_are_the_jackknife_by_patient(name: str, groups: Array | None) -> None:
    cases = cases_of(LABELS, 2, groups)
    assert cases.logits is not None
    cluster = np.arange(60) if groups is None else groups
    left_out = np.array(
        [
            [METRICS[name](LABELS[cluster != g], z[cluster != g]) for g in np.unique(cluster)]
            for z in cases.logits.values
        ]
    )
    count = left_out.shape[1]
    changes = left_out.mean(axis=1, keepdims=True) - left_out
    rows = influence(cases, name).rows
    np.testing.assert_allclose(rows, changes * (count - 1) / count, atol=1e-12)
    variance = (count - 1) / count * (changes**2).sum(axis=1)
    np.testing.assert_allclose((rows**2).sum(axis=1) * count / (count - 1), variance)


def test_the_variance_of_an_area_is_delongs() -> None:
    """Against DeLong's formula: S10 / m + S01 / n of the placements."""
    labels = np.repeat([0, 1], [25, 15])
    cases = cases_of(labels, 1, classes=2)
    assert cases.logits is not None
    scores = np.diff(cases.logits.values[0], axis=1)[:, 0]
    wins = (scores[labels == 1][:, None] > scores[labels == 0]).astype(float)
    expected = wins.mean(axis=1).var(ddof=1) / 15 + wins.mean(axis=0).var(ddof=1) / 25
    rows = influence(cases, "auc").rows
    assert (rows**2).sum() * 40 / 39 == pytest.approx(expected)


def test_labels_of_several_a_case_are_scored_as_scikit_learn_does() -> None:
    labels = np.random.default_rng(1).integers(2, size=(50, 4))
    cases = cases_of(labels, 1, classes=4)
    assert cases.logits is not None
    decided = cases.logits.values[0] > 0
    expected = {
        "accuracy": float((decided == labels).mean()),
        "macro-f1": metrics.f1_score(labels, decided, average="macro"),
        "auc": metrics.roc_auc_score(labels, cases.logits.values[0], average="macro"),
    }
    for name, value in expected.items():
        assert influence(cases, name).values[0] == pytest.approx(value)


def test_chosen_cases_leave_the_others_rows_at_zero() -> None:
    cases = cases_of(LABELS, 2, GROUPS)
    chosen = np.arange(60) >= 30
    part = influence(cases, "accuracy", chosen)
    assert part.patients == 8
    assert not part.rows[:, :7].any()
    assert part.rows[:, 7:].any(axis=0).all()
    assert cases.logits is not None
    right = cases.logits.values[0].argmax(axis=1) == LABELS
    assert part.values[0] == pytest.approx(right[chosen].mean())


def test_a_mean_over_cases_has_the_deviations_as_rows() -> None:
    values = np.random.default_rng(2).normal(size=(3, 20))
    cases = Cases(3, np.arange(20), None, {("any", "dice"): values}, None)
    outcome = influence(cases, "dice")
    deviations = values - values.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(outcome.rows, deviations / 20, atol=1e-15)
    assert outcome.summary.of_runs == pytest.approx(values.mean(axis=1).var(ddof=1) / 3)


def test_what_nothing_tells_of_is_left_out_or_refused() -> None:
    cases = cases_of(LABELS, 1)
    assert influences(cases, [("any", "bleu")]) == {}
    alone = cases_of(LABELS, 1, np.zeros(60))
    assert isinstance(influences(alone, [("any", "auc")])["any", "auc"], RefusedError)
    lacking = cases_of(np.zeros(9, dtype=np.int64), 1)
    refused = influences(lacking, [("any", "auc")])["any", "auc"]
    assert "no test case is of class [1, 2]" in str(refused)
    undefined = Cases(1, np.arange(3), None, {("any", "dice"): np.array([[0.5, np.nan, 1]])}, None)
    assert "undefined in 1 test case" in str(
        influences(undefined, [("any", "dice")])["any", "dice"]
    )
