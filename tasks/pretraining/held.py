"""The images of a pool at one size, kept in memory from their first reading on where they fit."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from omnibench.memory import memory_bytes

SHARE = 0.25  # of the machine's memory


class HeldImages:
    """The chosen images, or volumes, of a pool.

    Args:
        read: gives the images at rows of the pool, uint8 [n, *shape].
        rows: the images of the pool that take part.
        shape: of each as it is read.
    """

    def __init__(
        self,
        read: Callable[[NDArray[np.int64]], NDArray[np.uint8]],
        rows: NDArray[np.int64],
        shape: tuple[int, ...],
    ) -> None:
        self.from_pool, self.rows = read, rows
        fits = len(rows) * math.prod(shape) < SHARE * memory_bytes()
        self.held = np.empty((len(rows) if fits else 0, *shape), np.uint8)
        self.known = np.zeros(len(self.held), np.bool_)

    def read(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images at these places among the chosen ones, uint8 [n, *shape].

        Threads may read at once: an image that two of them meet first is read twice alike.
        """
        if not len(self.held):
            return self.from_pool(self.rows[places])
        fresh = np.unique(places[~self.known[places]])
        if len(fresh):
            self.held[fresh] = self.from_pool(self.rows[fresh])
            self.known[fresh] = True
        return self.held[places]
