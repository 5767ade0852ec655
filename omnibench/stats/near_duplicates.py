"""Near-duplicates among images of two sets, by the cosine of their features."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
# Third quartile plus three distances of the quartiles, in halves of that distance from the middle.
FENCE = 7
BLOCK = 1024  # rows whose cosines with all of the other set are held at once


@dataclass(frozen=True)
class Nearest:
    """Of each of N rows the nearest one of another set: its index [N], and the cosine [N]."""

    index: NDArray[np.int64]
    cosine: Floats


def nearest(rows: Floats, others: Floats) -> Nearest:
    """Return the nearest of `others` [M, D] for each of `rows` [N, D].

    Both are centred on the mean of `others` and divided by its standard deviations, column by
    column: features of one network point in much the same direction.
    """
    centre, scale = others.mean(axis=0), others.std(axis=0)
    # A column that is the same for all of the others tells nothing apart.
    scale = np.where(scale > 1e-6 * np.abs(centre) + 1e-12, scale, np.inf)
    unit_rows, unit_others = (_unit((part - centre) / scale) for part in (rows, others))
    index = np.empty(len(rows), np.int64)
    cosine = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), BLOCK):
        part = slice(start, start + BLOCK)
        cosines = unit_rows[part] @ unit_others.T
        index[part] = cosines.argmax(axis=1)
        cosine[part] = cosines.max(axis=1)
    return Nearest(index, cosine)


def far_out(cosines: Floats) -> NDArray[np.bool_]:
    """Return which of the cosines [N] with the nearest lie far above the rest.

    On Fisher's z = artanh(cosine), it is further above the median than 7 times what the first
    quartile is below it: Tukey's outer fence (of a normal sample, 4.7 standard deviations above its
    middle) with the upper half mirrored from the lower, so that it holds as long as fewer than half
    of the images have a near-duplicate.

    Source:
        Tukey 1977, Exploratory Data Analysis, 2D and 2E.
    """
    z = np.arctanh(np.clip(cosines.astype(np.float64), -1, 1 - 1e-12))
    low, middle = np.quantile(z, [0.25, 0.5])
    above: NDArray[np.bool_] = z > middle + FENCE * (middle - low)
    return above


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
