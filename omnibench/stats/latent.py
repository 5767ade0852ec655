"""Measure latent spaces: neighbours, separation, and likeness of two backbones.

Neighbours are taken in the feature space by cosine; only `trustworthiness` looks at a picture.
A number that is undefined is None: of fewer points than it needs, of one class, of no variance.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import NO_SPREAD

Floats = NDArray[np.floating[Any]]


def cosine_distances(features: Floats) -> NDArray[np.float32] | None:
    """Return 1 - cosine of every two rows, [N, N] in 0..2, zero on the diagonal.

    Args:
        features: [N, D].

    Returns:
        None where a row is zero and so has no direction, or where all have the same.
    """
    units = features.astype(np.float64)
    lengths = np.linalg.norm(units, axis=1, keepdims=True)
    if not lengths.all():
        return None
    units /= lengths
    distances = (1 - units @ units.T).clip(0, 2).astype(np.float32)  # near ones cancel in float64
    np.fill_diagonal(distances, 0)
    return distances if distances.max() > NO_SPREAD else None


def nearest(distances: Floats, k: int) -> NDArray[np.intp]:
    """Return the k nearest other points of each, [N, k], in no order.

    Args:
        distances: [N, N], N > k.
    """
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    return np.argpartition(others, k - 1, axis=1)[:, :k]


def purity(distances: Floats, labels: NDArray[Any], k: int) -> float | None:
    """Return the mean share of a point's k nearest neighbours that have its label.

    Args:
        distances: [N, N] in the feature space.
        labels: [N].

    Returns:
        None with fewer than k + 1 points or fewer than two labels.
    """
    if len(labels) <= k or len(np.unique(labels)) < 2:
        return None
    return float((labels[nearest(distances, k)] == labels[:, None]).mean())


def chance_purity(labels: NDArray[Any]) -> float | None:
    """Return the purity expected of neighbours drawn at random from the other points.

    It is the sum of the classes' squared shares, less the pairs of a point with itself.
    """
    _, counts = np.unique(labels, return_counts=True)
    if len(counts) < 2:
        return None
    return float((counts * (counts - 1)).sum() / (len(labels) * (len(labels) - 1)))


def chance_purity_within(labels: NDArray[Any], groups: NDArray[Any]) -> float | None:
    """Return the purity expected of neighbours drawn at random from the others of a point's group.

    What purity is worth beyond telling the groups apart.

    Args:
        labels, groups: [N].

    Returns:
        None with fewer than two groups, or where one is a single point.
    """
    _, members, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.min() < 2:
        return None
    parts = [labels[members == group] for group in range(len(counts))]
    pairs = [np.unique(part, return_counts=True)[1] for part in parts]
    shares = [(c * (c - 1)).sum() / (len(part) - 1) for c, part in zip(pairs, parts, strict=True)]
    return float(sum(shares) / len(labels))


def silhouette(distances: Floats, labels: NDArray[Any]) -> float | None:
    """Return the mean silhouette width, -1..1; 0 where classes are not apart.

    Args:
        distances: [N, N].
        labels: [N]; a point alone in its class counts as 0.

    Returns:
        None with fewer than two classes, or where every point is a class of its own.

    Source:
        Rousseeuw 1987; the conventions of scikit-learn's `silhouette_score`.
    """
    names, own, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not 2 <= len(names) < len(labels):
        return None
    totals = np.stack(
        [distances[:, own == c].sum(axis=1, dtype=np.float64) for c in range(len(names))], axis=1
    )
    points = np.arange(len(labels))
    within = totals[points, own] / np.maximum(counts[own] - 1, 1)
    means = totals / counts
    means[points, own] = np.inf
    between = means.min(axis=1)
    larger = np.maximum(within, between)
    widths = np.divide(between - within, larger, out=np.zeros_like(larger), where=larger > 0)
    return float(np.where(counts[own] > 1, widths, 0).mean())


def trustworthiness(distances: Floats, embedding: Floats, k: int) -> float | None:
    """Return how far neighbours in a picture are neighbours in the feature space, 0..1.

    Args:
        distances: [N, N] in the feature space.
        embedding: [N, 2], compared by Euclidean distance.

    Returns:
        None with 2k points or fewer, where it has no scale.

    Source:
        Venna & Kaski 2001; as scikit-learn's `trustworthiness`, equal distances ranked alike.
    """
    n = len(distances)
    if n <= 2 * k:
        return None
    points = embedding.astype(np.float64)
    squares = (points**2).sum(axis=1)
    near = nearest(squares[:, None] + squares - 2 * points @ points.T, k)
    excess = 0
    for row, reached in zip(distances, near, strict=True):
        ranks = (row < row[reached][:, None]).sum(axis=1)  # the point itself is first: rank >= 1
        excess += int(np.maximum(ranks - k, 0).sum())
    return 1 - 2 * excess / (n * k * (2 * n - 3 * k - 1))


def chance_trustworthiness(n: int, k: int) -> float | None:
    """Return the trustworthiness expected of n > 2k points placed at random."""
    if n <= 2 * k:
        return None
    return 1 - (n - 1 - k) * (n - k) / ((n - 1) * (2 * n - 3 * k - 1))


def linear_cka(features: Sequence[Floats]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the linear centred kernel alignment of every two backbones, and what chance gives.

    |B'A|^2 / (|A'A| |B'B|) of centred columns, 0..1; no N x N matrix while widths are below N.
    Chance is its mean over all ways to pair the images of one with those of the other, which is
    tr(AA') tr(BB') / (N - 1) over the same norms: far from 0 where widths are not small against N.

    Args:
        features: M arrays [N, D] of the same N images, each with its own D.

    Returns:
        Two arrays [M, M], NaN where one of the two does not vary.

    Source:
        Kornblith et al. 2019, Similarity of Neural Network Representations Revisited, section 3.
    """
    spaces = [_normed(space) for space in features]
    values = np.full((len(spaces), len(spaces)), np.nan)
    chance = values.copy()
    for i, a in enumerate(spaces):
        for j, b in enumerate(spaces[: i + 1]):
            if a is not None and b is not None:
                values[i, j] = values[j, i] = min(1.0, _overlap(a, b))
                traces = float((a**2).sum() * (b**2).sum())
                chance[i, j] = chance[j, i] = traces / (len(a) - 1)
    return values, chance


def _normed(features: Floats) -> NDArray[np.float64] | None:
    """Centre the columns and scale to |A'A| = 1; None where only rounding noise varies."""
    wide = features.astype(np.float64)
    centred: NDArray[np.float64] = wide - wide.mean(axis=0)
    scale = np.abs(centred).max()
    if scale <= NO_SPREAD * np.abs(wide).max():
        return None
    centred /= scale
    centred /= _overlap(centred, centred) ** 0.25
    return centred


def _overlap(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return |B'A|^2, from whichever matrices are smaller: [E, D], or two of [N, N]."""
    if max(a.shape[1], b.shape[1]) <= len(a):
        return float(((b.T @ a) ** 2).sum())
    return float(((a @ a.T) * (b @ b.T)).sum())
