"""Series of slices: put in order by their positions, checked, and turned as volumes are shown.

Positions and orientations are DICOM's, to the patient's left, back and head (LPS); axes here are
to the right, front and head (RAS), as of volumes in NIfTI files.
"""

import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnibench.data.declaration import PLANES
from omnibench.data.dicom.headers import Frame, Header
from omnibench.data.dicom.pixels import Turn, read_values
from omnibench.data.study_dataset import PlacedSeries
from omnibench.errors import DataError
from omnibench.window import Percentiles, Window

TO_RAS = np.array([-1.0, -1.0, 1.0])
SAME_DIRECTION = 0.01  # of a cosine: half a degree
SAME_PLACE = 1e-3  # mm
EVEN = 0.1  # of the usual gap: so much more or less is even still
MISSING = 1.5  # usual gaps, from which on a slice is missing
MOST_WHOLE = 2**24  # up to which float32 has every whole number
DEFAULT_WINDOW = Percentiles(percentiles=(1, 99))


class Slice(NamedTuple):
    """Where a slice is read, and what makes of a stored value v slope * v + intercept."""

    file: str
    frame: int
    syntax: str
    slope: float
    intercept: float


@dataclass(frozen=True)
class DicomSeries:
    """A series in its files, in the order of its places.

    Attributes:
        root: the folder that files are named from.
        slices: of it, from left to right, back to front, or feet to head.
        turn: what makes of stored rows and columns those that are shown.
        shape: (slices, H, W), as shown.
        window: the one that the middle slice's file names, else percentiles of the series.
        is_inverted: whether its lowest values are white.
    """

    root: Path
    slices: tuple[Slice, ...]
    turn: Turn
    shape: tuple[int, int, int]
    window: Window
    is_inverted: bool

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return slices start..stop-1 as values [n, H, W].

        Raises:
            DataError: a file is damaged, or of a compression that nothing here reads.
        """
        parts = self.slices[start:stop]
        dtype = np.int32 if self._is_whole else np.float32
        values = np.empty((len(parts), *self.shape[1:]), dtype)
        for part, image in zip(parts, values, strict=True):
            stored = self.turn.shown(read_values(self.root, part.file, part.frame, part.syntax))
            if stored.shape != image.shape:
                raise DataError(f"{part.file} changed meanwhile; start again")
            np.multiply(stored, part.slope, out=image, dtype=dtype, casting="unsafe")
            np.add(image, part.intercept, out=image, dtype=dtype, casting="unsafe")
        return values

    @functools.cached_property
    def _is_whole(self) -> bool:
        """Return whether all values are whole numbers, of 16 bits and little more."""
        return all(
            part.slope == 1 and part.intercept.is_integer() and abs(part.intercept) < MOST_WHOLE
            for part in self.slices
        )


def plane_of(frame: Frame) -> str:
    """Return the name of the plane that a slice lies in, or is nearest to."""
    return PLANES[int(np.abs(_normal(frame)).argmax())]


def series_of(root: Path, headers: Sequence[Header]) -> PlacedSeries:
    """Return the series of some files.

    Raises:
        DataError: sizes, spacings or orientations differ, two slices are at one place, or the gaps
            between them are uneven.
    """
    slices = [
        (Slice(header.file, index, header.syntax, frame.slope, frame.intercept), header, frame)
        for header in headers
        for index, frame in enumerate(header.frames)
    ]
    _, first, frame = slices[0]
    for part, header, other in slices:
        _check_same(part.file, header, other, first, frame)
    normal = _normal(frame)
    axis = int(np.abs(normal).argmax())
    normal *= np.sign(normal[axis])
    positions = np.array([other.position for _, _, other in slices]) * TO_RAS
    places = positions @ normal
    order = np.argsort(places, kind="stable").tolist()
    ordered = [slices[place][0] for place in order]
    _check_gaps(ordered, places[order])
    turn = Turn.from_directions(*_directions(frame), axis)
    middle = slices[order[len(order) // 2]][2].window
    series = DicomSeries(
        root,
        tuple(ordered),
        turn,
        (len(slices), *turn.sides(first.shape)),
        (middle[0], middle[1]) if middle else DEFAULT_WINDOW,
        first.is_inverted,
    )
    return PlacedSeries(series, tuple(places[order].tolist()))


def _directions(frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions of growing rows and of growing columns, in RAS."""
    right, down = np.array(frame.orientation).reshape(2, 3) * TO_RAS
    return down, right


def _normal(frame: Frame) -> NDArray[np.float64]:
    down, right = _directions(frame)
    normal: NDArray[np.float64] = np.cross(right, down)
    return normal


def _check_same(file: str, header: Header, frame: Frame, first: Header, other: Frame) -> None:
    """Hold a slice to the first one of its series."""
    what = ""
    if header.shape != first.shape:
        sizes = [" x ".join(map(str, size)) for size in (header.shape, first.shape)]
        what = f"has {sizes[0]} pixels where {first.file} has {sizes[1]}"
    elif not np.allclose(frame.orientation, other.orientation, atol=SAME_DIRECTION):
        what = f"has another orientation than {first.file}"
    elif len(frame.spacing) != len(other.spacing) or not np.allclose(
        frame.spacing, other.spacing, rtol=SAME_DIRECTION
    ):
        what = f"has pixels of another size in mm than {first.file}"
    elif header.is_inverted != first.is_inverted:
        what = f"shows low values white where {first.file} shows them black, or the reverse"
    if what:
        raise DataError(f"{file} {what}, in one series; separate them into two")


def _check_gaps(slices: Sequence[Slice], places: NDArray[np.float64]) -> None:
    """Refuse places that are twice there, or not even."""
    gaps = np.diff(places)
    names = [(_named(a), _named(b)) for a, b in itertools.pairwise(slices)]
    if (twice := gaps < SAME_PLACE).any():
        first, second = names[int(twice.argmax())]
        raise DataError(
            f"{first} and {second} are at one place in one series; remove one, or separate the "
            "series that were joined"
        )
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    if (uneven := np.abs(gaps - usual) > EVEN * usual).any():
        at = int(uneven.argmax())
        reason = (
            "a slice is missing; put it there"
            if gaps[at] > MISSING * usual
            else "spacings are mixed; separate them into series"
        )
        first, second = names[at]
        raise DataError(
            f"{first} and {second} are {gaps[at]:.4g} mm apart where slices of their series are "
            f"{usual:.4g} mm apart: {reason}"
        )


def _named(part: Slice) -> str:
    return f"{part.file} (frame {part.frame})" if part.frame else part.file
