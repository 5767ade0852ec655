"""Where a simulated user clicks next: each rule looks at the errors of a mask alone."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .options import Simulated

Bits = NDArray[np.bool_]
EIGHT = np.ones((3, 3), np.bool_)  # pixels that touch at a corner are of one component


class Click(NamedTuple):
    """A click on a pixel.

    Attributes:
        sign: 1 where the user says that the object is there, -1 where they say that it is not.
    """

    row: int
    column: int
    sign: int


Simulator = Callable[[Bits, Bits, Bits], Click | None]


def edt(missed: Bits, extra: Bits, clicked: Bits) -> Click | None:
    """Click the error pixel that lies farthest from where its kind of error ends.

    The rule of RITM (Sofiiuk et al., arXiv:2102.06583): exact Euclidean distances within the missed
    and within the extra pixels, beyond the image there is no error, and clicked pixels have the
    distance 0. The click is positive where the largest distance among the missed pixels is the
    larger one; it is the first such pixel in raster order.

    Args:
        missed: [H, W], the pixels of the object that the mask lacks; extra: those beyond it.
        clicked: [H, W], where clicks are already.

    Returns:
        None where every error is clicked already.
    """
    return _deeper(_deepest(missed, clicked), _deepest(extra, clicked))


def component_centre(missed: Bits, extra: Bits, clicked: Bits) -> Click | None:
    """Click the pixel of the largest error region that lies farthest from the region's edge.

    Regions are 8-connected; of each, the pixels that are not clicked count. The click is positive
    where the largest region of missed pixels is larger than any of extra ones. Of equally large
    regions of one kind the first in raster order is taken; within it the rule is that of `edt`.
    """
    (most_missed, missing), (most_extra, beyond) = (
        _largest(errors, clicked) for errors in (missed, extra)
    )
    if most_missed > most_extra:
        return _deeper(_deepest(missing, clicked), None)
    return _deeper(None, _deepest(beyond, clicked))


SIMULATORS: Mapping[Simulated, Simulator] = {"edt": edt, "component-centre": component_centre}


class _Deepest(NamedTuple):
    squared: int  # distance in pixels to the end of the errors
    row: int
    column: int


def _deepest(errors: Bits, clicked: Bits) -> _Deepest | None:
    """Return the error pixel, of those not clicked, that lies farthest from any other pixel."""
    box = _box(errors)
    if box is None:
        return None
    inside = np.pad(errors[box], 1)
    ends = ndimage.distance_transform_edt(inside, return_distances=False, return_indices=True)
    rows, columns = np.ogrid[: inside.shape[0], : inside.shape[1]]
    # Whole numbers: equal distances are equal, whatever a root makes of them.
    squared = ((ends[0] - rows) ** 2 + (ends[1] - columns) ** 2)[1:-1, 1:-1]
    squared[clicked[box]] = 0
    place = int(squared.argmax())
    if squared.flat[place] == 0:
        return None
    row, column = divmod(place, squared.shape[1])
    return _Deepest(int(squared.flat[place]), box[0].start + row, box[1].start + column)


def _deeper(missed: _Deepest | None, extra: _Deepest | None) -> Click | None:
    """Return the click on the deeper of the two, which is the negative one where they are equal."""
    if missed is not None and (extra is None or missed.squared > extra.squared):
        return Click(missed.row, missed.column, 1)
    return None if extra is None else Click(extra.row, extra.column, -1)


def _largest(errors: Bits, clicked: Bits) -> tuple[int, Bits]:
    """Return how many pixels of the largest region are not clicked, and the region."""
    labels, count = ndimage.label(errors, EIGHT)
    if not count:
        return 0, errors
    sizes = np.bincount(labels[~clicked], minlength=count + 1)[1:]
    largest = int(sizes.argmax())
    return int(sizes[largest]), labels == largest + 1


def _box(mask: Bits) -> tuple[slice, slice] | None:
    """Return the bounding box of a mask; None of an empty one."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
