"""Measure how many dimensions features fill, whether they have collapsed, and shared neighbours.

A number that is undefined is None: of features that do not vary, or of too few different ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import NO_SPREAD

Floats = NDArray[np.floating[Any]]

DISCARDED = 0.1  # of the ratios, the largest, as the paper fits the rest
FEWEST = 10  # different features that an intrinsic dimension is taken of
ONE_DIRECTION, CONSTANT = 0.95, 1e-4  # at and below which features have collapsed


def intrinsic_dimension(features: Floats) -> float | None:
    """Return the dimension of the manifold that features lie on near each point, by TwoNN.

    The ratio of the distances to the second and the first neighbour has the distribution
    1 - mu^-d where density is even as far as these reach; d is the slope through the origin of
    -log(1 - F) over log mu, of the smallest 90 % of ratios. High dimensions are underestimated
    where points are few.

    Args:
        features: [N, D]; equal ones count once.

    Returns:
        None of fewer than 10 different features, or of neighbours that are all equally far.

    Source:
        Facco, d'Errico, Rodriguez & Laio 2017, Estimating the intrinsic dimension of datasets by a
        minimal neighborhood information, with the fit of their section "Two-NN".
    """
    points = np.unique(features.astype(np.float64), axis=0)
    if len(points) < FEWEST:
        return None
    first, second = _two_distances(points)
    ratios = np.sort(np.log(second / first))
    shares = np.arange(1, len(points) + 1) / len(points)
    rest = slice(0, int(len(points) * (1 - DISCARDED)))
    x, y = ratios[rest], -np.log1p(-shares[rest])
    if x[-1] <= NO_SPREAD:
        return None
    return float((x * y).sum() / (x**2).sum())


def effective_rank(features: Floats) -> float | None:
    """Return RankMe: the exponential of the entropy of the singular values' shares, 1..min(N, D).

    Args:
        features: [N, D], not centred, as in the paper, whose guard against log 0 is not needed.

    Returns:
        None where all are zero.

    Source:
        Garrido, Balestriero, Najman & LeCun 2023, RankMe, eq. 1.
    """
    values = np.sqrt(_spectrum(features.astype(np.float64)))
    total = values.sum()
    if not total:
        return None
    shares = values / total
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


@dataclass(frozen=True)
class Spread:
    """How features vary about their mean.

    Attributes:
        relative: their variance, as a share of their mean squared length.
        first: the share of that variance along the first principal direction; None without any.
    """

    relative: float
    first: float | None

    @property
    def collapse(self) -> str:
        """Return how they have collapsed, in a word or two; "" where they have not.

        The rule is a convention: images change a vector by no more than a hundredth of its length
        (`CONSTANT` of its square), or along one direction alone (`ONE_DIRECTION` of the variance).
        """
        if self.first is None or self.relative <= CONSTANT:
            return "constant"
        return "one direction" if self.first >= ONE_DIRECTION else ""


def spread(features: Floats) -> Spread:
    """Return how features [N, D] vary about their mean."""
    wide = features.astype(np.float64)
    centred = wide - wide.mean(axis=0)
    length = float((wide**2).sum())
    variance = float((centred**2).sum())
    if np.abs(centred).max() <= NO_SPREAD * np.abs(wide).max():
        return Spread(0.0, None)
    return Spread(variance / length, float(_spectrum(centred)[-1]) / variance)


def shared_neighbours(near: Sequence[NDArray[np.intp]]) -> NDArray[np.float64]:
    """Return the mean share of a point's k neighbours that two feature spaces have in common.

    Args:
        near: M arrays [N, k] of the same N points' nearest others, each in a space of its own.

    Returns:
        [M, M], ones on the diagonal.

    Source:
        Huh, Cheung, Wang & Isola 2024, The Platonic representation hypothesis: mutual k nearest
        neighbours.
    """
    count, k = near[0].shape
    inside = np.zeros((len(near), count, count), np.bool_)
    for space, rows in zip(inside, near, strict=True):
        np.put_along_axis(space, rows, True, axis=1)
    values = np.ones((len(near), len(near)))
    for i, space in enumerate(inside):
        for j in range(i):
            values[i, j] = values[j, i] = (space & inside[j]).sum() / (count * k)
    return values


def chance_shared(points: int, k: int) -> float:
    """Return the share expected of k neighbours drawn at random from the other points."""
    return k / (points - 1)


def _two_distances(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the distances [N] to the nearest and the second nearest other point."""
    centred = points - points.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    rough = squares[:, None] + squares - 2 * centred @ centred.T
    np.fill_diagonal(rough, np.inf)
    near = np.argpartition(rough, 3, axis=1)[:, :4]
    # Near ones cancel in the product; of a few candidates the distances are taken one by one.
    exact = np.sort(
        np.stack([np.linalg.norm(points - points[near[:, c]], axis=1) for c in range(4)], axis=1),
        axis=1,
    )
    return exact[:, 0], exact[:, 1]


def _spectrum(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the squared singular values of [N, D], ascending, min(N, D) of them."""
    scale = np.abs(features).max() or 1.0
    small = features / scale
    product = small.T @ small if small.shape[1] <= len(small) else small @ small.T
    return np.linalg.eigvalsh(product).clip(0) * scale**2
