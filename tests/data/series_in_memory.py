"""A series of slices in memory, for the tests of what reads series."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.window import Range, Window

SOFT: Range = (40.0, 400.0)


@dataclass(frozen=True, eq=False)
class Slices:
    """A series that is an array."""

    values: NDArray[Any]
    window: Window | None = SOFT
    is_inverted: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, height, width = self.values.shape
        return slices, height, width

    def read(self, start: int, stop: int) -> NDArray[Any]:
        return self.values[start:stop]


def volume(slices: int, height: int, width: int, seed: int = 0) -> NDArray[np.int16]:
    """Return values like those of CT."""
    rng = np.random.default_rng(seed)
    return rng.integers(-1000, 2000, (slices, height, width), np.int16)
