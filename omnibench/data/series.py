"""A split's series: the slices of one study in one view, in the order of their places."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data.images import Images
from omnibench.data.split import Split


@dataclass(frozen=True)
class Series(Images):
    """The K series of a split, each of which is read as one volume.

    Attributes:
        base: the split's images.
        slices: of each series, where its images are in `base`.
        study: int64 [K], ascending, the study that each is of.
    """

    base: Images
    slices: tuple[NDArray[np.int64], ...]
    study: NDArray[np.int64]

    @classmethod
    def from_split(cls, split: Split) -> "Series":
        """Return the series of a split; images without a place stand as they were read.

        Raises:
            DataError: the split knows no studies.
        """
        study = split.study_of_image
        view: NDArray[Any] = np.zeros(len(split)) if split.view is None else split.view
        place = np.arange(len(split)) if split.place is None else split.place
        order = np.lexsort((place, view, study))
        ends = (np.diff(study[order]) != 0) | (view[order][1:] != view[order][:-1])
        slices = tuple(np.split(order, np.flatnonzero(ends) + 1))
        return cls(split.images, slices, np.array([study[rows[0]] for rows in slices]))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.slices), *self.base.shape[1:])

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return volumes [stop - start, Z, H, W] or [..., 3] of series with Z slices each."""
        return self.read_rows(np.arange(start, stop))

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.stack([self.base.read_rows(self.slices[index]) for index in indices])
