"""Against scikit-learn, brute force, permutations and closed forms."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness as sklearn_trustworthiness
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_distances as sklearn_distances

from omnibench.stats.latent import (
    chance_purity,
    chance_purity_within,
    chance_trustworthiness,
    cosine_distances,
    linear_cka,
    purity,
    silhouette,
    trustworthiness,
)

K = 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def clusters(rng: np.random.Generator) -> tuple[NDArray[Any], NDArray[Any]]:
    """Three classes of unequal size that overlap a little: features [90, 8], labels [90]."""
    labels = np.repeat([0, 1, 2], [50, 30, 10])
    return rng.normal(size=(90, 8)) + 1.5 * rng.normal(size=(3, 8))[labels], labels


def test_distances_are_scikit_learns(clusters: tuple[NDArray[Any], NDArray[Any]]) -> None:
    features, _ = clusters
    actual: Any = cosine_distances(features)
    np.testing.assert_allclose(actual, sklearn_distances(features), atol=1e-6)
    assert actual is not None
    assert not actual.diagonal().any()


def test_near_directions_keep_their_distance(rng: np.random.Generator) -> None:
    """In float32 alone 1 - cosine of such rows would be rounding noise."""
    features = (np.ones(32) + 1e-4 * rng.normal(size=(20, 32))).astype(np.float32)
    wide = features.astype(np.float64)
    expected = ((wide[:, None] - wide) ** 2).sum(-1) / (2 * 32)
    off = ~np.eye(20, dtype=bool)
    distances = cosine_distances(features)
    assert distances is not None
    np.testing.assert_allclose(distances[off], expected[off], rtol=0.3)


@pytest.mark.parametrize("spoil", ["zero", "constant", "parallel"])
def test_rows_without_a_direction_have_no_distances(
    clusters: tuple[NDArray[Any], NDArray[Any]], spoil: str
) -> None:
    features, _ = clusters
    if spoil == "zero":
        features[3] = 0
    elif spoil == "constant":
        features[:] = 0.7
    else:
        features = np.outer(np.arange(1, 91), features[0])
    assert cosine_distances(features) is None


def test_purity_is_that_of_a_brute_force(clusters: tuple[NDArray[Any], NDArray[Any]]) -> None:
    features, labels = clusters
    shares = []
    for i, item in enumerate(features):
        cosines = [
            (item @ other / np.linalg.norm(item) / np.linalg.norm(other), j)
            for j, other in enumerate(features)
            if j != i
        ]
        near = [j for _, j in sorted(cosines, reverse=True)[:K]]
        shares.append(np.mean([labels[j] == labels[i] for j in near]))
    distances = cosine_distances(features)
    assert distances is not None
    assert purity(distances, labels, K) == pytest.approx(np.mean(shares))


def test_purity_of_clusters_far_apart_is_one(rng: np.random.Generator) -> None:
    labels = np.repeat([0, 1], 20)
    features = np.eye(2)[labels] + 0.01 * rng.normal(size=(40, 2))
    distances = cosine_distances(features)
    assert distances is not None
    assert purity(distances, labels, K) == 1
    actual = silhouette(distances, labels)
    assert actual is not None
    assert actual > 0.99


def test_chance_is_the_mean_purity_of_shuffled_labels(
    clusters: tuple[NDArray[Any], NDArray[Any]], rng: np.random.Generator
) -> None:
    features, labels = clusters
    distances = cosine_distances(features)
    assert distances is not None
    actual: Any = [purity(distances, rng.permutation(labels), K) for _ in range(400)]
    assert chance_purity(labels) == pytest.approx(np.mean(actual), abs=0.005)
    shares = np.bincount(labels) / len(labels)
    assert chance_purity(labels) == pytest.approx((shares**2).sum(), abs=1 / len(labels))
    assert chance_purity(np.array([0, 0, 1, 1])) == pytest.approx(1 / 3)


def test_chance_within_groups_is_the_mean_purity_of_labels_shuffled_in_them(
    rng: np.random.Generator,
) -> None:
    groups = np.repeat([0, 1], [60, 20])
    labels = np.where(groups == 0, rng.integers(0, 2, 80), rng.integers(2, 5, 80))
    features = 5 * np.eye(8)[groups] + 0.1 * rng.normal(size=(80, 8))
    distances, actual = cosine_distances(features), list[float]()
    for _ in range(400):
        for group in (0, 1):
            labels[groups == group] = rng.permutation(labels[groups == group])
        assert distances is not None
        item = purity(distances, labels, K)
        assert item is not None
        actual.append(item)
    assert chance_purity_within(labels, groups) == pytest.approx(np.mean(actual), abs=0.005)
    assert chance_purity_within(groups, groups) == 1
    assert chance_purity_within(labels, np.zeros(80)) is None
    assert chance_purity_within(labels, np.arange(80)) is None


def test_silhouette_is_scikit_learns(clusters: tuple[NDArray[Any], NDArray[Any]]) -> None:
    features, labels = clusters
    labels[-1] = 3  # alone in its class
    expected = silhouette_score(features, labels, metric="cosine")
    distances = cosine_distances(features)
    assert distances is not None
    assert silhouette(distances, labels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 44])
def test_trustworthiness_is_scikit_learns(
    clusters: tuple[NDArray[Any], NDArray[Any]], k: int, rng: np.random.Generator
) -> None:
    features, _ = clusters
    for embedding in (features[:, :2], rng.normal(size=(90, 2)).astype(np.float32)):
        expected = sklearn_trustworthiness(features, embedding, n_neighbors=k, metric="cosine")
        distances = cosine_distances(features)
        assert distances is not None
        actual = trustworthiness(distances, embedding, k)
        assert actual == pytest.approx(expected, abs=1e-12)


def test_a_faithful_picture_is_trusted_and_a_random_one_is_not(rng: np.random.Generator) -> None:
    angles = rng.uniform(0, np.pi / 2, 120)
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    distances = cosine_distances(features)
    assert distances is not None
    assert trustworthiness(distances, features, K) == 1
    assert distances is not None
    random: Any = [trustworthiness(distances, rng.normal(size=(120, 2)), K) for _ in range(200)]
    assert chance_trustworthiness(120, K) == pytest.approx(np.mean(random), abs=0.005)


def hsic_cka(a: NDArray[Any], b: NDArray[Any]) -> float:
    """By centring matrix and N x N Gram matrices."""
    n = len(a)
    h = np.eye(n) - 1 / n
    k, m = h @ a @ a.T @ h, h @ b @ b.T @ h
    result: float = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    return result


@pytest.mark.parametrize(("d", "e"), [(8, 8), (8, 200), (200, 150)])
def test_cka_is_the_hsic_form(rng: np.random.Generator, d: int, e: int) -> None:
    a = rng.normal(size=(40, d)) + 3
    b = np.concatenate([a[:, :5] ** 2, rng.normal(size=(40, e - 5))], axis=1)
    values, _ = linear_cka([a, b])
    assert values[0, 1] == values[1, 0] == pytest.approx(hsic_cka(a, b), rel=1e-9)
    np.testing.assert_allclose(values.diagonal(), 1)


def test_cka_ignores_rotation_scale_and_shift_but_not_every_linear_map(
    rng: np.random.Generator,
) -> None:
    a = rng.normal(size=(50, 6))
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    stretched = a * np.array([20, 1, 1, 1, 1, 1])
    values, _ = linear_cka([a, 1e-8 * (a @ rotation) + 5e-8, 1e6 * a - 3, stretched])
    np.testing.assert_allclose(values[0, :3], 1, rtol=1e-9)
    assert values[0, 3] < 0.6


def test_chance_is_the_mean_cka_of_shuffled_images(rng: np.random.Generator) -> None:
    a, b = rng.normal(size=(30, 40)), rng.normal(size=(30, 4)) * np.arange(1, 5)
    _, chance = linear_cka([a, b])
    actual = [hsic_cka(a, b[rng.permutation(30)]) for _ in range(600)]
    assert chance[0, 1] == pytest.approx(np.mean(actual), abs=0.005)
    assert chance[0, 1] > 0.2


def test_cka_of_what_does_not_vary_is_undefined(rng: np.random.Generator) -> None:
    a = rng.normal(size=(20, 4))
    for constant in (np.full((20, 3), 0.1), np.zeros((20, 3))):
        values, chance = linear_cka([a, constant])
        assert values[0, 0] == pytest.approx(1)
        assert np.isnan(values[1]).all() and np.isnan(values[:, 1]).all()
        assert np.isnan(chance[1]).all()


def test_what_is_undefined_is_none(clusters: tuple[NDArray[Any], NDArray[Any]]) -> None:
    features, labels = clusters
    distances = cosine_distances(features)
    item = np.zeros(90, int)
    assert distances is not None
    assert purity(distances, item, K) is None
    assert chance_purity(item) is None
    assert distances is not None
    assert silhouette(distances, item) is None
    assert distances is not None
    assert silhouette(distances, np.arange(90)) is None
    assert distances is not None
    few = distances[:K, :K]
    assert purity(few, labels[:K], K) is None
    assert purity(few, np.array([0, 1, 0, 1, 0]), K) is None
    assert distances is not None
    assert purity(distances[: K + 1, : K + 1], np.array([0, 1, 0, 1, 0, 1]), K) == 0.4
    assert distances is not None
    assert trustworthiness(distances, features[:, :2], 45) is None
    assert chance_trustworthiness(90, 45) is None
