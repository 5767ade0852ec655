"""What a model of maps must beat: three answers that need none, fitted on training pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import MapFacts
from omnibench.data import Dataset, Maps
from omnibench.data.maps import over_channels

from .metrics import BASELINES

BLOCK = 64  # images that are read together
Floats = NDArray[np.floating[Any]]
Numbers = Any  # a float, or float64 [C]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """What the training pixels tell; where a pixel has C numbers, each is an array [C].

    Attributes:
        mean, std: of their numbers.
        mean_image: float64 [H, W] or [H, W, C], the mean where a pixel is valid in some image, else
            `mean`.
        slope, offset: of the least-squares line from grey level to number; a constant input has
            slope 0.
        rest_mean, rest_std: of the numbers less what the image says as it is (see `answers`).
        cutoff: the median of the images' means.
    """

    mean: Numbers
    std: Numbers
    mean_image: Floats
    slope: Numbers
    offset: Numbers
    rest_mean: Numbers
    rest_std: Numbers
    cutoff: float

    @classmethod
    def from_training(cls, dataset: Dataset, facts: MapFacts) -> "Fitted":
        """Fit to the training images of a dataset."""
        count = len(dataset.splits["train"])
        target = dataset.target("train", "maps", Maps)
        shape = target.images.shape[1:]
        total, counts = np.zeros(shape), np.zeros(shape)
        channels = max(1, len(facts.channels))
        sums, means = np.zeros((channels, 6)), []
        for rows in _blocks(count):
            maps, valid = target.read_rows(rows)
            known = over_channels(valid, maps)
            x = as_maps(dataset, "train", rows, facts.range)[valid]
            numbers = maps[valid].astype(np.float64).reshape(len(x), channels)
            total += np.where(known, maps, 0).sum(axis=0, dtype=np.float64)
            counts += known.sum(axis=0)
            for own, y in zip(sums, np.ascontiguousarray(numbers.T), strict=True):
                own += np.array([y.size, x.sum(), y.sum(), x @ x, x @ y, y @ y])
            means += [m[v].mean(dtype=np.float64) for m, v in zip(maps, valid, strict=True)]
        lines = np.array([_line(own, facts) for own in sums])
        columns: list[Any] = lines[0].tolist() if not facts.channels else list(lines.T)
        mean, std, slope, offset, rest_mean, rest_std = columns
        filled = np.broadcast_to(mean, shape).copy()
        mean_image = np.divide(total, counts, out=filled, where=counts > 0)
        cutoff = float(np.median(means))
        return cls(mean, std, mean_image, slope, offset, rest_mean, rest_std, cutoff)

    def answers(self, inputs: Floats, facts: MapFacts) -> dict[str, Floats]:
        """Return each baseline's maps of images as `as_maps` gives them.

        What an image says of its maps as it is, `input`, are its grey levels; of displacements,
        that it was not moved.
        """
        grey = inputs[..., None] if facts.channels else inputs
        size = (*inputs.shape, len(facts.channels)) if facts.channels else inputs.shape
        same = np.broadcast_to(self.mean_image, size)
        line = np.broadcast_to(self.slope * grey + self.offset, size)
        return dict(zip(BASELINES, (same, as_is(inputs, facts), line), strict=True))


def as_is(inputs: Floats, facts: MapFacts) -> Floats:
    """Return what images say of their maps as they are: see `answers`."""
    if not facts.channels:
        return inputs
    shown = np.zeros(()) if facts.displacement is not None else inputs[..., None]
    return np.broadcast_to(shown, (*inputs.shape, len(facts.channels)))


def _line(sums: Floats, facts: MapFacts) -> tuple[float, ...]:
    """Return (mean, std, slope, offset, rest_mean, rest_std) from a channel's sums."""
    x_mean, y_mean, xx, xy, yy = sums[1:] / sums[0]
    spread = xx - x_mean**2
    low, high = facts.range
    slope = (xy - x_mean * y_mean) / spread if spread > 1e-12 * (high - low) ** 2 else 0
    std = np.sqrt(max(0.0, yy - y_mean**2))
    if facts.displacement is not None:
        x_mean = xx = xy = 0.0
    rest = y_mean - x_mean
    rest_std = np.sqrt(max(0.0, yy - 2 * xy + xx - rest**2))
    return (  # a label budget may leave one number, of no spread
        float(y_mean),
        float(std) or 1.0,
        float(slope),
        float(y_mean - slope * (sums[1] / sums[0])),
        float(rest),
        float(rest_std) or 1.0,
    )


def as_maps(dataset: Dataset, split: str, rows: Rows, span: tuple[float, float]) -> Floats:
    """Return grey levels of images as float64 [n, H, W], black the range's least number."""
    images = dataset.splits[split].images.read_rows(rows).astype(np.float64) / 255
    grey = images.mean(axis=3) if images.ndim == 4 else images
    low, high = span
    return low + (high - low) * grey


def _blocks(count: int) -> Iterator[Rows]:
    rows = np.arange(count)
    return (rows[start : start + BLOCK] for start in range(0, count, BLOCK))
