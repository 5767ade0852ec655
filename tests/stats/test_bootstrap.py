"""The bootstraps against scikit-learn case by case, closed forms and simulation."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from omnibench.stats import bootstrap
from omnibench.stats.bootstrap import (
    bootstrap_means,
    compare_resampled,
    hierarchical_counts,
    hierarchical_means,
    resampled_scores,
)
from omnibench.stats.rates import MULTI_LABEL, SINGLE_LABEL, Counts
from omnibench.stats.result import RefusedError
from tests.stats.conftest import answered


def bootstrap_counts(
    truth: Any,
    a: NDArray[Any],
    b: NDArray[Any],
    cluster: NDArray[Any],
    metrics: Any,
    resamples: Any = bootstrap.RESAMPLES,
) -> Any:
    scores = (resampled_scores(truth, of, cluster, metrics, resamples) for of in (a, b))
    return compare_resampled(*scores)


def one_hot(classes: NDArray[Any], count: int) -> NDArray[Any]:
    result: NDArray[Any] = np.eye(count, dtype=bool)[classes]
    return result


def predictions(
    rng: np.random.Generator, labels: NDArray[Any], classes: int, error: float, repetitions: int
) -> NDArray[Any]:
    """[R, N] classes: the same mistakes in every repetition, and a few of its own."""
    wrong = np.where(
        rng.random(len(labels)) < error, rng.integers(classes, size=len(labels)), labels
    )
    own = rng.random((repetitions, len(labels))) < 0.02
    return np.where(own, rng.integers(classes, size=own.shape), wrong)


def scikit_learn(name: str, labels: NDArray[Any], predicted: NDArray[Any]) -> float:
    result: float
    if name == "accuracy":
        result = accuracy_score(labels, predicted)
    elif name == "balanced-accuracy":
        result = balanced_accuracy_score(labels, predicted)
    else:
        result = f1_score(labels, predicted, average="macro")
    return result


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(2, 6))
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_metrics_of_counts_are_scikit_learns(seed: int, n: int, classes: int) -> None:
    """Small samples: classes absent from truth, predictions, or both."""
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(classes, size=(2, n))
    truth, guess = one_hot(labels, classes), one_hot(predicted, classes)
    counts = Counts(
        np.array([float(n)]),
        truth.sum(axis=0, dtype=float)[:, None],
        guess.sum(axis=0, dtype=float)[None, :, None],
        (truth & guess).sum(axis=0, dtype=float)[None, :, None],
    )
    for name, metric in SINGLE_LABEL.items():
        assert metric(counts).item() == pytest.approx(scikit_learn(name, labels, predicted))


def test_multi_label_metrics_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth, guess = rng.random((2, 50, 4)) < 0.3
    truth[:, 3] = guess[:, 3] = False  # a label neither shown nor predicted
    actual = bootstrap_counts(truth, guess[None], truth[None], np.arange(50), MULTI_LABEL, 50)
    f1 = f1_score(truth, guess, average="macro", zero_division=0)
    perfect = f1_score(truth, truth, average="macro", zero_division=0)
    assert actual["macro-f1"].difference == pytest.approx(f1 - perfect)
    assert actual["accuracy"].difference == pytest.approx(np.mean(truth == guess) - 1)


def resampled_differences(
    name: str, labels: NDArray[Any], a: NDArray[Any], b: NDArray[Any], draws: list[NDArray[Any]]
) -> list[float]:
    """Differences by scikit-learn on explicitly resampled cases, one resample at a time."""
    return [
        float(np.mean([scikit_learn(name, labels[cases], p[cases]) for p in a]))
        - float(np.mean([scikit_learn(name, labels[cases], p[cases]) for p in b]))
        for cases in draws
    ]


@pytest.mark.parametrize("by_patient", [False, True])
def test_is_the_bootstrap_done_case_by_case(by_patient: bool) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(3, size=60)
    a, b = predictions(rng, labels, 3, 0.2, 2), predictions(rng, labels, 3, 0.4, 3)
    cluster = np.sort(rng.integers(25, size=60)) if by_patient else np.arange(60)
    cluster = np.unique(cluster, return_inverse=True)[1]
    members = [np.flatnonzero(cluster == g) for g in range(cluster.max() + 1)]
    draws = []
    for weights in np.concatenate(list(bootstrap._draw_resamples(len(members), 120))):
        patients = np.repeat(np.arange(len(members)), weights)
        draws.append(np.concatenate([members[g] for g in patients]))
    actual = bootstrap_counts(
        one_hot(labels, 3), one_hot(a, 3), one_hot(b, 3), cluster, SINGLE_LABEL, 120
    )
    for name, result in actual.items():
        differences = np.array(resampled_differences(name, labels, a, b, draws))
        (observed,) = resampled_differences(name, labels, a, b, [np.arange(60)])
        assert result.difference == pytest.approx(observed)
        assert (result.low, result.high) == pytest.approx(
            tuple(np.quantile(differences, [0.025, 0.975])), abs=1e-9
        )
        below, above = np.sum(differences <= 1e-12), np.sum(differences >= -1e-12)
        assert result.p == pytest.approx(min(1, 2 * (min(below, above) + 1) / 121))


@pytest.mark.parametrize("by_patient", [False, True])
def test_means_are_the_bootstrap_done_case_by_case(by_patient: bool) -> None:
    rng = np.random.default_rng(4)
    d = rng.normal(0.05, 0.1, size=(60, 2))
    cluster = rng.integers(25, size=60) if by_patient else np.arange(60)
    cluster = np.unique(cluster, return_inverse=True)[1]
    members = [np.flatnonzero(cluster == g) for g in range(cluster.max() + 1)]
    means = []
    for weights in np.concatenate(list(bootstrap._draw_resamples(len(members), 120))):
        drawn = np.concatenate([np.tile(members[g], w) for g, w in enumerate(weights)])
        means.append(d[drawn.astype(int)].mean(axis=0))
    for item, column, values in zip(
        map(answered, bootstrap_means(d, cluster, 120)), np.transpose(means), d.T, strict=True
    ):
        assert item.difference == pytest.approx(values.mean())
        low, high = np.quantile(column, [0.025, 0.975])
        assert (item.low, item.high) == pytest.approx((low, high))
        p = 2 * (min(np.sum(column <= 0), np.sum(column >= 0)) + 1) / 121
        assert item.p == pytest.approx(min(1, p))


def test_means_agree_with_scipy_and_with_the_normal_law() -> None:
    d = np.random.default_rng(5).exponential(0.1, size=400) - 0.09
    (actual,) = map(answered, bootstrap_means(d[:, None], np.arange(400)))
    theirs = stats.bootstrap(
        (d,), np.mean, method="percentile", n_resamples=10_000, rng=np.random.default_rng(6)
    )
    error = d.std() / 20
    assert tuple(theirs.confidence_interval) == pytest.approx(
        (actual.low, actual.high), abs=0.06 * error
    )
    z = stats.norm.ppf(0.975)
    assert (actual.low, actual.high) == pytest.approx(
        (d.mean() - z * error, d.mean() + z * error), abs=0.15 * error
    )
    assert actual.p == pytest.approx(2 * stats.norm.sf(abs(d.mean()) / error), abs=0.02)
    (again,) = map(answered, bootstrap_means(d[:, None], np.arange(400)))
    assert (again.low, again.high, again.p) == (actual.low, actual.high, actual.p)


def test_patients_who_agree_within_themselves_widen_the_interval() -> None:
    d = np.repeat(np.random.default_rng(7).normal(size=40), 5)[:, None]
    ((alone,), (by_patient,)) = (
        map(answered, bootstrap_means(d, cluster))
        for cluster in (np.arange(200), np.arange(200) // 5)
    )
    widths = [item.high - item.low for item in (alone, by_patient)]
    assert widths[1] / widths[0] == pytest.approx(np.sqrt(5), rel=0.05)


def test_draws_are_those_of_cases_with_replacement() -> None:
    weights = np.concatenate(list(bootstrap._draw_resamples(40, 20_000)))
    assert (weights.sum(axis=1) == 40).all()
    assert np.allclose(weights.mean(axis=0), 1, atol=0.04)
    covariance = np.cov(weights.T)  # multinomial: 1 - 1/n and -1/n
    assert np.allclose(np.diag(covariance), 1 - 1 / 40, atol=0.06)
    assert covariance[~np.eye(40, dtype=bool)].mean() == pytest.approx(-1 / 40, abs=2e-3)


def test_kept_and_streamed_resamples_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(2, size=40)
    a, b = (one_hot(predictions(rng, labels, 2, e, 1), 2) for e in (0.1, 0.3))
    args = (one_hot(labels, 2), a, b, np.arange(40), SINGLE_LABEL)
    kept = bootstrap_counts(*args)
    monkeypatch.setattr(bootstrap, "_KEPT", 0)
    monkeypatch.setattr(bootstrap, "_CHUNK", 999)
    assert [vars(value) | {"effect": 0} for value in bootstrap_counts(*args).values()] == [
        vars(value) | {"effect": 0} for value in kept.values()
    ]


def test_the_smallest_p_is_that_of_the_resamples() -> None:
    labels = np.arange(200) % 2
    right, often_wrong = labels[None], np.where(np.arange(200) % 3, 1 - labels, labels)[None]
    actual = bootstrap_counts(
        one_hot(labels, 2), one_hot(right, 2), one_hot(often_wrong, 2), np.arange(200), SINGLE_LABEL
    )
    assert actual["accuracy"].p == pytest.approx(2 / 10_001)


def test_equal_predictions_are_refused_not_tested() -> None:
    labels = np.arange(20) % 2
    same = one_hot(labels[None], 2)
    actual = bootstrap_counts(same[0], same, same, np.arange(20), SINGLE_LABEL)
    assert all(isinstance(value, RefusedError) for value in actual.values())
    assert "same in every resample" in str(actual["accuracy"])


def test_under_the_null_five_percent_are_rejected() -> None:
    rng = np.random.default_rng(3)
    rejected: dict[str, list[bool]] = {name: [] for name in SINGLE_LABEL}
    for _ in range(500):
        labels = rng.integers(2, size=150)
        a, b = (one_hot(predictions(rng, labels, 2, 0.4, 2), 2) for _ in range(2))
        actual = bootstrap_counts(one_hot(labels, 2), a, b, np.arange(150), SINGLE_LABEL, 1000)
        for name, result in actual.items():
            rejected[name].append(result.p < 0.05)
    for name, decisions in rejected.items():
        assert 0.025 <= np.mean(decisions) <= 0.075, name


def crossed(
    rng: np.random.Generator,
    repetitions: int,
    cases: int,
    seed_sd: float,
    case_sd: float,
    noise_sd: float = 0.0,
) -> NDArray[Any]:
    """Differences [R, N]: a part of the repetition, one of the case, noise."""
    return (
        seed_sd * rng.normal(size=(repetitions, 1))
        + case_sd * rng.normal(size=(1, cases))
        + noise_sd * rng.normal(size=(repetitions, cases))
    )


@pytest.mark.parametrize("paired", [True, False])
def test_the_error_is_the_closed_form_of_a_crossed_design(paired: bool) -> None:
    """Var = s_cases^2 / N + s_runs^2 / R, the runs' of both models where they are unpaired."""
    rng = np.random.default_rng(0)
    a, b = crossed(rng, 5, 200, 0.1, 0.5), crossed(rng, 5, 200, 0.1, 0.5)
    actual: Any = hierarchical_means(a, b, np.arange(200), paired)
    case = (a.mean(axis=0) - b.mean(axis=0)).var() / 200
    means = [(a - b).mean(axis=1)] if paired else [a.mean(axis=1), b.mean(axis=1)]
    run = [m.var(ddof=1) / 5 for m in means]
    total = case + sum(run)
    df = total**2 / (case**2 / 199 + sum(v**2 / 4 for v in run))
    assert actual.high - actual.low == pytest.approx(
        2 * stats.t.ppf(0.975, df) * math.sqrt(total), rel=0.04
    )
    assert actual.difference == pytest.approx(a.mean() - b.mean())
    error = (actual.high - actual.low) / 2 / stats.t.ppf(0.975, df)
    assert actual.p == pytest.approx(2 * stats.t.sf(abs(actual.difference) / error, df), abs=0.01)


def test_without_variation_of_cases_it_is_the_paired_t() -> None:
    rng = np.random.default_rng(1)
    d = np.tile(rng.normal(0.2, 0.1, size=(4, 1)), (1, 50))
    actual: Any = hierarchical_means(d, np.zeros((4, 50)), np.arange(50), True)
    theirs = stats.ttest_1samp(d[:, 0], 0)
    assert actual.p == pytest.approx(theirs.pvalue, rel=0.02)


def test_without_variation_of_repetitions_it_is_the_case_bootstrap() -> None:
    rng = np.random.default_rng(2)
    d = np.tile(rng.normal(0.1, 1, size=(1, 300)), (3, 1))
    actual: Any = hierarchical_means(d, np.zeros((3, 300)), np.arange(300) // 3, True)
    (cases,) = map(answered, bootstrap_means(d[0][:, None], np.arange(300) // 3))
    assert actual.low == pytest.approx(cases.low, abs=0.02)
    assert actual.high == pytest.approx(cases.high, abs=0.02)


def test_counts_are_scikit_learns_and_wider_than_cases_alone() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(3, size=150)
    wrong = [rng.random((3, 150)) < share for share in (0.2, 0.4)]
    a, b = (np.where(w, rng.integers(3, size=w.shape), labels) for w in wrong)
    hot = np.eye(3, dtype=bool)
    actual: Any = hierarchical_counts(
        hot[labels], hot[a], hot[b], np.arange(150), SINGLE_LABEL, True, 2000
    )
    f1 = [np.mean([f1_score(labels, p, average="macro") for p in model]) for model in (a, b)]
    assert actual["macro-f1"].difference == pytest.approx(f1[0] - f1[1])
    assert actual["macro-f1"].low < f1[0] - f1[1] < actual["macro-f1"].high
    assert "cases and repetitions, seeds shared" in actual["accuracy"].test


@pytest.mark.parametrize(("seed_sd", "repetitions"), [(0.02, 3), (0.1, 3), (0.1, 5)])
def test_under_the_null_about_five_percent_are_rejected(seed_sd: float, repetitions: int) -> None:
    """Where seeds, cases or both decide: cases have a standard error of 0.05."""
    rng = np.random.default_rng(4)
    zero = np.zeros((repetitions, 100))
    rejected = [
        answered(
            hierarchical_means(
                crossed(rng, repetitions, 100, seed_sd, 0.5, 0.2), zero, np.arange(100), True, 400
            )
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
def test_refusals_name_what_is_wrong(
    a: NDArray[Any], b: NDArray[Any], cluster: NDArray[Any], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        hierarchical_means(a, b, cluster, True)


def test_no_variation_at_all_is_refused() -> None:
    actual = hierarchical_means(np.ones((3, 9)), np.zeros((3, 9)), np.arange(9), True)
    assert isinstance(actual, RefusedError)
