"""Against closed forms on manifolds of known dimension, brute force, and what chance gives."""

import numpy as np
import pytest

from omnibench.stats.dimension import (
    CONSTANT,
    Floats,
    chance_shared,
    effective_rank,
    intrinsic_dimension,
    shared_neighbours,
    spread,
)
from omnibench.stats.latent import cosine_distances, nearest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def turned(points: Floats, width: int, rng: np.random.Generator) -> Floats:
    """Put points [N, d] into `width` dimensions, turned and shifted."""
    basis = np.linalg.qr(rng.normal(size=(width, points.shape[1])))[0]
    moved: Floats = points @ basis.T + 100
    return moved


@pytest.mark.parametrize("dimension", [1, 2, 5, 10])
def test_a_gaussian_has_its_own_dimension(dimension: int, rng: np.random.Generator) -> None:
    points = turned(rng.normal(size=(2000, dimension)), 40, rng)
    assert intrinsic_dimension(points) == pytest.approx(dimension, rel=0.12)


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_a_sphere_has_one_dimension_less_than_its_space(
    dimension: int, rng: np.random.Generator
) -> None:
    points = rng.normal(size=(2000, dimension + 1))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    features = turned(points, 30, rng).astype(np.float32)
    assert intrinsic_dimension(features) == pytest.approx(dimension, rel=0.08)


def test_an_intrinsic_dimension_is_that_of_a_fit_written_out(rng: np.random.Generator) -> None:
    points = rng.normal(size=(60, 3))
    distances = np.sort(np.linalg.norm(points[:, None] - points, axis=-1), axis=1)
    ratios = np.sort(distances[:, 2] / distances[:, 1])[:54]
    y = [-np.log(1 - (rank + 1) / 60) for rank in range(54)]
    (expected,), *_ = np.linalg.lstsq(np.log(ratios)[:, None], np.array(y), rcond=None)
    assert intrinsic_dimension(points) == pytest.approx(expected)


def test_equal_features_count_once_and_too_few_have_no_dimension(
    rng: np.random.Generator,
) -> None:
    points = rng.normal(size=(50, 3))
    repeated = np.concatenate([points, points[:20]])
    assert intrinsic_dimension(repeated) == pytest.approx(intrinsic_dimension(points))
    assert intrinsic_dimension(points[:9]) is None
    assert intrinsic_dimension(np.zeros((30, 4))) is None
    assert intrinsic_dimension(np.eye(30)) is None  # all neighbours are equally far


def test_points_that_all_but_coincide_have_a_finite_dimension(rng: np.random.Generator) -> None:
    points = np.column_stack([rng.normal(size=(30, 2)) + 1, np.zeros(30)])
    points[1] = [*points[0, :2], 1e-30]  # lost beside the mean where features are centred
    value = intrinsic_dimension(points)
    assert value is not None and 0 < value < 3


def test_an_intrinsic_dimension_does_not_depend_on_scale(rng: np.random.Generator) -> None:
    points = rng.normal(size=(100, 4))
    assert intrinsic_dimension(1e-6 * points) == pytest.approx(intrinsic_dimension(points))


@pytest.mark.parametrize("shape", [(50, 8), (8, 50)])
def test_an_effective_rank_is_the_entropy_of_singular_values(
    shape: tuple[int, int], rng: np.random.Generator
) -> None:
    features = rng.normal(size=shape)
    values = np.linalg.svd(features, compute_uv=False)
    shares = values / values.sum()
    expected = np.exp(-(shares * np.log(shares)).sum())
    assert effective_rank(features) == pytest.approx(expected)


def test_equal_singular_values_have_their_number_as_rank_and_one_has_one(
    rng: np.random.Generator,
) -> None:
    basis = np.linalg.qr(rng.normal(size=(40, 7)))[0]
    assert effective_rank(3 * basis) == pytest.approx(7)
    line = np.outer(np.arange(1, 30), rng.normal(size=12))
    assert effective_rank(line) == pytest.approx(1, abs=1e-4)
    assert effective_rank(np.zeros((5, 3))) is None


def test_a_spread_is_that_of_the_covariance(rng: np.random.Generator) -> None:
    features = rng.normal(size=(80, 5)) * [3, 1, 1, 1, 1] + 2
    measured = spread(features)
    values = np.linalg.eigvalsh(np.cov(features.T))
    assert measured.first == pytest.approx(values[-1] / values.sum())
    assert measured.relative == pytest.approx(
        features.var(axis=0).sum() / (features**2).sum(axis=1).mean()
    )
    assert measured.collapse == ""


def test_features_that_hardly_vary_or_vary_one_way_have_collapsed(
    rng: np.random.Generator,
) -> None:
    features = rng.normal(size=(80, 5))
    limit = np.sqrt(CONSTANT / 5)  # of unit variances against a mean of length 1 a dimension
    assert spread(np.ones(5) + limit * 2.5 * features).collapse == ""
    assert spread(np.ones(5) + limit * features).collapse == "constant"
    assert spread(np.ones((10, 3))).collapse == "constant"
    assert spread(features * [10, 0.5, 0.5, 0.5, 0.5]).collapse == "one direction"


def test_shared_neighbours_are_counted_one_by_one(rng: np.random.Generator) -> None:
    first = rng.normal(size=(40, 6))
    spaces = [first, first + rng.normal(size=(40, 6)) / 2, rng.normal(size=(40, 9))]
    near = []
    for space in spaces:
        distances = cosine_distances(space)
        assert distances is not None
        near.append(nearest(distances, 5))
    values = shared_neighbours(near)
    for i in range(3):
        for j in range(3):
            common = [len(set(a) & set(b)) / 5 for a, b in zip(near[i], near[j], strict=True)]
            assert values[i, j] == pytest.approx(np.mean(common))
    assert values[0, 1] > values[0, 2]


def test_random_neighbours_are_shared_as_chance_says(rng: np.random.Generator) -> None:
    count, k = 300, 15
    near = [
        np.stack(
            [rng.choice(np.delete(np.arange(count), i), k, replace=False) for i in range(count)]
        )
        for _ in range(2)
    ]
    actual = shared_neighbours(near)[0, 1]
    assert actual == pytest.approx(chance_shared(count, k), abs=0.01)
