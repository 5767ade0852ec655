"""A metric over label budgets: its monotone curve, the area below it, and the labels to a target.

All functions take x = log2(labels) and values that rise where the model gets better.
"""

import numpy as np

from omnibench.stats.result import NO_SPREAD, Floats


def isotonic(values: Floats) -> Floats:
    """Return the closest curves that never fall, by least squares: [..., K] of [..., K].

    In closed form, the largest over starts of the smallest over ends of the means between them:
    what pooling adjacent violators ends with, for any number of curves at once.

    Source:
        Barlow, Bartholomew, Bremner & Brunk 1972; Robertson, Wright & Dykstra 1988, theorem 1.4.4.
    """
    count = values.shape[-1]
    sums = np.concatenate([np.zeros((*values.shape[:-1], 1)), values.cumsum(axis=-1)], axis=-1)
    fitted = np.empty(values.shape)
    for k in range(count):
        starts = []
        for start in range(k + 1):
            ends = np.arange(k + 1, count + 1)
            means = (sums[..., ends] - sums[..., start, None]) / (ends - start)
            starts.append(means.min(axis=-1))
        fitted[..., k] = np.max(starts, axis=0)
    return fitted


def area_weights(x: Floats) -> Floats:
    """Return what each of K points weighs in the area below the curve over its width: [K].

    The area (ALC) is the trapezoids' over x / (x_K - x_1): the mean height of the curve.
    """
    widths = np.diff(x)
    weights: Floats = (np.append(widths, 0.0) + np.append(0.0, widths)) / (2 * (x[-1] - x[0]))
    return weights


def reached_at(x: Floats, curves: Floats, target: Floats) -> Floats:
    """Return the smallest x at which curves reach their targets: [...].

    Curves are linear between their points. -inf where the first point reaches the target already,
    inf where none does: how far beyond the ends is not known.

    Args:
        x: [K], rising.
        curves: [..., K], which never fall.
        target: [...].
    """
    above = curves >= np.asarray(target)[..., None] - NO_SPREAD
    k = np.maximum(above.argmax(axis=-1), 1)[..., None]
    before = np.take_along_axis(curves, k - 1, axis=-1)[..., 0]
    at = np.take_along_axis(curves, k, axis=-1)[..., 0]
    k = k[..., 0]
    share = (target - before) / np.maximum(at - before, NO_SPREAD)
    between = x[k - 1] + np.clip(share, 0.0, 1.0) * (x[k] - x[k - 1])
    reached: Floats = np.where(
        above[..., 0], -np.inf, np.where(above.any(axis=-1), between, np.inf)
    )
    return reached


def weights_at(x: Floats, place: float) -> Floats:
    """Return what each of K points weighs in the curve's height at a place: [K].

    Beyond the ends it is the height of the end.
    """
    inside = min(max(place, x[0]), x[-1])
    k = int(np.clip(np.searchsorted(x, inside), 1, len(x) - 1))
    share = (inside - x[k - 1]) / (x[k] - x[k - 1])
    weights = np.zeros(len(x))
    weights[k - 1 : k + 1] = 1 - share, share
    return weights
