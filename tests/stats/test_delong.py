from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import roc_auc_score

from omnibench.stats.delong import auc_influence
from omnibench.stats.result import RefusedError


def delong(a: Any, b: Any, truth: NDArray[Any], cluster: NDArray[Any]) -> tuple[float, float]:
    """Return the difference of two areas and its standard error."""
    of_a, of_b = (auc_influence(scores, truth, cluster) for scores in (a, b))
    moved = np.bincount(cluster, of_a[1] - of_b[1])
    return of_a[0] - of_b[0], float(np.sqrt(np.sum(moved**2)))


def brute_force_covariance(
    scores: NDArray[Any], truth: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """DeLong 1988, eq. 4-6, by their definition: O(m n) for each of [M, N] scores."""
    positive, negative = scores[:, truth], scores[:, ~truth]
    psi = (positive[:, :, None] > negative[:, None]) + (
        positive[:, :, None] == negative[:, None]
    ) / 2
    s10, s01 = np.cov(psi.mean(axis=2)), np.cov(psi.mean(axis=1))
    return psi.mean(axis=(1, 2)), s10 / truth.sum() + s01 / (~truth).sum()


def apart(n: int) -> NDArray[Any]:
    return np.arange(n)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(6, 40), st.integers(2, 50))
def test_binary_is_the_classical_delong(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.arange(n) % 3 == 0)
    scores = rng.integers(levels, size=(2, n)) / 7  # many ties
    aucs, covariance = brute_force_covariance(scores, truth)
    parts = [auc_influence(score[None, :, None], truth[:, None], apart(n)) for score in scores]
    influence = np.array([part[1] for part in parts])
    assert np.allclose([part[0] for part in parts], aucs, atol=1e-12)
    assert np.allclose(influence @ influence.T, covariance, rtol=0, atol=1e-10)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance < 1e-9:
        return
    result = delong(scores[:1, :, None], scores[1:, :, None], truth[:, None], apart(n))
    assert result == pytest.approx((aucs[0] - aucs[1], np.sqrt(variance)), rel=1e-6)


def test_mean_over_repetitions_is_the_contrast_of_the_full_covariance() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(80) < 0.4
    scores = rng.normal(size=(5, 80)) + truth  # three repetitions of a, two of b
    aucs, covariance = brute_force_covariance(scores, truth)
    contrast = np.array([1 / 3, 1 / 3, 1 / 3, -1 / 2, -1 / 2])
    result = delong(scores[:3, :, None], scores[3:, :, None], truth[:, None], apart(80))
    expected = contrast @ aucs, np.sqrt(contrast @ covariance @ contrast)
    assert result == pytest.approx(expected, rel=1e-10)


def test_one_versus_rest_is_scikit_learns_and_its_error_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(4, size=400)
    logits = rng.normal(size=(400, 4)) + 1.2 * np.eye(4)[labels]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    auc, influence = auc_influence(shares[None], np.eye(4, dtype=bool)[labels], apart(400))
    assert auc == pytest.approx(roc_auc_score(labels, shares, multi_class="ovr"), abs=1e-12)
    drawn = []
    for _ in range(400):
        sample = rng.integers(400, size=400)
        drawn.append(roc_auc_score(labels[sample], shares[sample], multi_class="ovr"))
    assert np.sqrt(np.sum(influence**2)) == pytest.approx(np.std(drawn), rel=0.1)


def test_multi_label_is_the_mean_over_labels() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random((60, 3)) < 0.4
    logits = rng.normal(size=(1, 60, 3)) + truth
    auc, _ = auc_influence(logits, truth, apart(60))
    assert auc == pytest.approx(roc_auc_score(truth, logits[0], average="macro"), abs=1e-12)


def obuchowski(scores: NDArray[Any], truth: NDArray[Any], cluster: NDArray[Any]) -> float:
    """Obuchowski 1997, eq. 5-7, of one AUC."""
    positive, negative = scores[truth], scores[~truth]
    psi = (positive[:, None] > negative) + (positive[:, None] == negative) / 2
    auc, m, n = psi.mean(), truth.sum(), (~truth).sum()
    clusters = np.unique(cluster)
    x = np.array([np.sum(psi.mean(axis=1)[cluster[truth] == c] - auc) for c in clusters])
    y = np.array([np.sum(psi.mean(axis=0)[cluster[~truth] == c] - auc) for c in clusters])
    count = len(clusters)
    i10, i01 = len(np.unique(cluster[truth])), len(np.unique(cluster[~truth]))
    s10, s01 = i10 / (i10 - 1) / m * np.sum(x**2), i01 / (i01 - 1) / n * np.sum(y**2)
    s11 = count / (count - 1) * np.sum(x * y)
    result: float = s10 / m + s01 / n + 2 * s11 / (m * n)
    return result


def test_by_patient_is_obuchowskis() -> None:
    rng = np.random.default_rng(4)
    cluster = np.repeat(np.arange(20), 4)
    truth = np.tile([True, True, False, False], 20)  # every patient has both kinds
    scores = rng.normal(size=80) + truth + np.repeat(rng.normal(size=20), 4)
    _, influence = auc_influence(scores[None, :, None], truth[:, None], cluster)
    variance = np.sum(np.bincount(cluster, influence) ** 2)
    assert variance == pytest.approx(obuchowski(scores, truth, cluster), rel=1e-12)
    mixed = rng.random(80) < 0.5  # patients of one kind: the factors differ by a little
    _, influence = auc_influence(scores[None, :, None], mixed[:, None], cluster)
    variance = np.sum(np.bincount(cluster, influence) ** 2)
    assert variance == pytest.approx(obuchowski(scores, mixed, cluster), rel=0.02)


def test_repeated_images_of_a_patient_count_once() -> None:
    """Each case four times under one patient is as good as each case once."""
    rng = np.random.default_rng(5)
    truth = rng.random(50) < 0.5
    a, b = rng.normal(size=(2, 1, 50, 1)) + truth[:, None]
    once = delong(a, b, truth[:, None], apart(50))
    copies = np.repeat(np.arange(50), 4)
    repeated = delong(a[:, copies], b[:, copies], truth[copies, None], copies)
    assert repeated == pytest.approx(once, rel=1e-9)


@pytest.mark.parametrize(
    ("scores", "truth", "reason"),
    [
        ([3, 2, 1, 0], [0, 0, 0, 0], "no positive cases"),
        ([3, 2, 1, 0], [1, 1, 1, 1], "no negative cases"),
        ([3, 2, 1, 0], [1, 0, 0, 0], "one case or patient"),
    ],
)
def test_refuses_by_name(scores: list[int], truth: list[int], reason: str) -> None:
    values = np.array(scores, dtype=float)[None, :, None]
    with pytest.raises(RefusedError, match=reason):
        delong(values, values, np.array(truth, dtype=bool)[:, None], apart(4))


def test_under_the_null_five_percent_are_rejected() -> None:
    rng = np.random.default_rng(7)
    rejected = []
    for _ in range(1500):
        truth = rng.random(150) < 0.4
        shared = rng.normal(size=150) + truth  # the two models agree in part, as real ones do
        a, b = shared + rng.normal(size=(2, 2, 150))
        result = delong(a[:, :, None], b[:, :, None], truth[:, None], apart(150))
        rejected.append(abs(result[0] / result[1]) > stats.norm.isf(0.025))
    assert 0.035 <= np.mean(rejected) <= 0.065
