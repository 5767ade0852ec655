"""What a model of maps must beat: three answers that need none, fitted on training pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset, Maps

from .metrics import BASELINES

BLOCK = 64  # images that are read together
Floats = NDArray[np.floating[Any]]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """What the training pixels tell.

    Attributes:
        mean, std: of their numbers.
        mean_image: float64 [H, W], the mean where a pixel is valid in some image, else `mean`.
        slope, offset: of the least-squares line from grey level to number; a constant input has
            slope 0.
        cutoff: the median of the images' means.
    """

    mean: float
    std: float
    mean_image: Floats
    slope: float
    offset: float
    cutoff: float

    @classmethod
    def from_training(cls, dataset: Dataset, span: tuple[float, float]) -> "Fitted":
        """Fit to the training images of a dataset whose maps have a range."""
        shape = dataset.splits["train"].images.shape[1:3]
        total, counts = np.zeros(shape), np.zeros(shape)
        sums, means = np.zeros(6), []
        for rows in _blocks(len(dataset.splits["train"])):
            maps, valid = dataset.target("train", "maps", Maps).read_rows(rows)
            x = as_maps(dataset, "train", rows, span)[valid]
            y = maps[valid].astype(np.float64)
            total += np.where(valid, maps, 0).sum(axis=0, dtype=np.float64)
            counts += valid.sum(axis=0)
            sums += np.array([y.size, x.sum(), y.sum(), x @ x, x @ y, y @ y])
            means += [m[v].mean(dtype=np.float64) for m, v in zip(maps, valid, strict=True)]
        x_mean, y_mean, xx, xy, yy = sums[1:] / sums[0]
        spread = xx - x_mean**2
        slope = (xy - x_mean * y_mean) / spread if spread > 1e-12 * (span[1] - span[0]) ** 2 else 0
        mean_image = np.divide(total, counts, out=np.full(shape, y_mean), where=counts > 0)
        std = np.sqrt(max(0.0, yy - y_mean**2))
        return cls(
            float(y_mean),
            float(std) or 1.0,  # a label budget may leave one number
            mean_image,
            float(slope),
            float(y_mean - slope * x_mean),
            float(np.median(means)),
        )

    def answers(self, inputs: Floats) -> dict[str, Floats]:
        """Return each baseline's maps [n, H, W] of images as `as_maps` gives them."""
        same = np.broadcast_to(self.mean_image, inputs.shape)
        return dict(zip(BASELINES, (same, inputs, self.slope * inputs + self.offset), strict=True))


def as_maps(dataset: Dataset, split: str, rows: Rows, span: tuple[float, float]) -> Floats:
    """Return grey levels of images as float64 [n, H, W], black the range's least number."""
    images = dataset.splits[split].images.read_rows(rows).astype(np.float64) / 255
    grey = images.mean(axis=3) if images.ndim == 4 else images
    low, high = span
    return low + (high - low) * grey


def _blocks(count: int) -> Iterator[Rows]:
    rows = np.arange(count)
    return (rows[start : start + BLOCK] for start in range(0, count, BLOCK))
