"""Slices of volumes: windowed and brought to one size when they are read, from series on disk."""

import functools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from omnibench.data.packing import PackedImages, Stream, outlined, pack
from omnibench.window import Range, Window, apply, channels_of, ranges_of

BLOCK = 8  # slices that are read and windowed at a time
SAMPLE = 1 << 22  # values of a series, about, that tell its percentiles


class Series(Hashable, Protocol):
    """The slices of one view of one study, in their order; hashable."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (slices, H, W)."""
        ...

    @property
    def window(self) -> Window | None:
        """Return what it is seen through, in grey, where nothing else is; None of 8-bit levels."""
        ...

    @property
    def is_inverted(self) -> bool:
        """Return whether low values are white (DICOM's MONOCHROME1)."""
        ...

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return slices start..stop-1 as numbers [n, H, W] of any type, none of them NaN.

        Raises:
            DataError: they cannot be read.
        """
        ...


@dataclass(frozen=True)
class PackedSeries:
    """A series in a plain file, its values as they were stored.

    Attributes:
        pack: the bytes of each slice, uint8 [slices, H, W * bytes of a value].
        dtype: of the stored values, such as "<i2".
        slope, intercept: what makes of a stored value v the value slope * v + intercept.
    """

    pack: PackedImages
    dtype: str
    slope: float = 1.0
    intercept: float = 0.0
    window: Window | None = None
    is_inverted: bool = False

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, height, width = self.pack.shape
        return slices, height, width // np.dtype(self.dtype).itemsize

    def read(self, start: int, stop: int) -> NDArray[Any]:
        values = self.pack.read(start, stop).view(self.dtype)
        if (self.slope, self.intercept) == (1.0, 0.0):
            return values
        return values.astype(np.float32) * np.float32(self.slope) + np.float32(self.intercept)


def pack_values(
    folder: Path,
    shape: tuple[int, int, int],
    dtype: str,
    load: Callable[[], NDArray[Any]] | None,
    source: str,
) -> PackedImages:
    """Return the stored values of a series as a pack, which `PackedSeries` reads.

    Args:
        folder, source: as of `packing.pack`, whose log names the source.
        shape: (slices, H, W).
        dtype: of the values in the pack, as of `PackedSeries`.
        load: returns the values; called where there is no pack yet. Without it nothing is written,
            and what is returned is as of `packing.outlined`.

    Raises:
        DataError: there is no room or no right to write; or what `load` raises.
    """
    slices, height, width = shape

    def chunks() -> Iterator[NDArray[np.uint8]]:
        assert load is not None
        values = load()
        for start in range(0, slices, BLOCK):
            block = np.ascontiguousarray(values[start : start + BLOCK], dtype)
            yield block.view(np.uint8)

    stream = Stream((slices, height, width * np.dtype(dtype).itemsize), chunks)
    streams = {"values": stream}
    packed = outlined(folder, streams) if load is None else pack(folder, streams, source)
    return packed["values"]


@dataclass(frozen=True)
class VolumeImages:
    """The slices of several series, one series after the other.

    Attributes:
        sides: (H, W) that all are brought to, bilinear and antialiased, as images of a folder are.
        window: what all are seen through; None for each series' own.
    """

    series: tuple[Series, ...]
    sides: tuple[int, int]
    window: Window | None = None

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Return (N, H, W), or (N, H, W, 3) where a window has three ranges."""
        return (int(self._ends[-1]), *self.sides, *channels_of(self.window))

    def at(self, size: int) -> Self:
        """Return the slices as they are read for an input of this size: no side is larger."""
        height, width = self.sides
        return replace(self, sides=(min(height, size), min(width, size)))

    def windowed(self, window: Window) -> Self:
        """Return the slices as seen through another window."""
        return replace(self, window=window)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return slices start..stop-1; like a Python slice, at most those there are.

        Raises:
            DataError: they cannot be read.
        """
        return self.read_rows(np.arange(*slice(start, stop).indices(self.shape[0])))

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the slices at `indices`, in that order.

        Raises:
            DataError: they cannot be read.
        """
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        owner = np.searchsorted(self._ends, indices, side="right")
        steps = (np.diff(indices) != 1) | (np.diff(owner) != 0)
        for run in np.split(np.arange(len(indices)), np.flatnonzero(steps) + 1):
            for rows in np.split(run, range(BLOCK, len(run), BLOCK)):
                if len(rows):
                    images[rows] = self._resized(self._levels(indices[rows], int(owner[rows[0]])))
        return images

    def read_native(self, index: int) -> NDArray[np.uint8]:
        """Return one slice at its series' own size.

        Raises:
            DataError: it cannot be read.
        """
        owner = int(np.searchsorted(self._ends, index, side="right"))
        return self._levels(np.array([index]), owner).squeeze(0)

    @functools.cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum([series.shape[0] for series in self.series])

    def _levels(self, indices: NDArray[np.int64], owner: int) -> NDArray[np.uint8]:
        """Return slices that follow each other in one series as grey levels or colours."""
        series = self.series[owner]
        start = int(indices[0] - self._ends[owner] + series.shape[0])
        values = series.read(start, start + len(indices))
        window = self.window or series.window
        levels = values if window is None else apply(values, _ranges(series, window))
        return 255 - levels if series.is_inverted else levels

    def _resized(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if levels.shape[1:3] == self.sides:
            return levels
        size = self.sides[::-1]
        images = [Image.fromarray(image) for image in levels]
        resized = [image.resize(size, Image.Resampling.BILINEAR) for image in images]
        return np.stack([np.asarray(image) for image in resized])


@functools.lru_cache(maxsize=4096)
def _ranges(series: Series, window: Window) -> tuple[Range, ...]:
    return ranges_of(window, lambda: _sample(series))


def _sample(series: Series) -> NDArray[Any]:
    """Return about SAMPLE values of a series, on a grid; all of one that has no more."""
    slices, height, width = series.shape
    step = math.ceil((slices * height * width / SAMPLE) ** 0.5)
    starts = range(0, slices, BLOCK)
    blocks = [series.read(start, start + BLOCK)[:, ::step, ::step] for start in starts]
    return np.concatenate(blocks)


def sides_of(series: Iterable[Series]) -> tuple[int, int]:
    """Return the largest height and the largest width of series."""
    heights, widths = zip(*(each.shape[1:] for each in series), strict=True)
    return max(heights), max(widths)
