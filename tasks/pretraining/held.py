"""The images of a pool at one size, kept in memory from their first reading on where they fit."""

import numpy as np
from numpy.typing import NDArray

from omnibench.data.pool import Pool
from omnibench.memory import memory_bytes

SHARE = 0.25  # of the machine's memory


class HeldImages:
    """The chosen images of a pool.

    Args:
        rows: the images of the pool that take part.
        size: side of the square they are brought to, in pixels.
    """

    def __init__(self, pool: Pool, rows: NDArray[np.int64], size: int) -> None:
        self.pool, self.rows, self.size = pool, rows, size
        fits = len(rows) * size * size < SHARE * memory_bytes()
        self.held = np.empty((len(rows) if fits else 0, size, size), np.uint8)
        self.known = np.zeros(len(self.held), np.bool_)

    def read(self, places: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images at these places among the chosen ones, uint8 [n, size, size].

        Threads may read at once: an image that two of them meet first is read twice alike.
        """
        if not len(self.held):
            return self.pool.read(self.rows[places], self.size)
        fresh = np.unique(places[~self.known[places]])
        if len(fresh):
            self.held[fresh] = self.pool.read(self.rows[fresh], self.size)
            self.known[fresh] = True
        return self.held[places]
