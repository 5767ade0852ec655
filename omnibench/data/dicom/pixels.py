"""Pixels of DICOM files: decoded a slice at a time, and turned as slices are shown."""

import re
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import pixel_array
from pydicom.uid import UID

from omnibench.data.dicom.opening import opened
from omnibench.errors import DataError


class Turn(NamedTuple):
    """What makes of a slice's stored rows and columns those that are shown.

    Attributes:
        is_transposed: whether rows become columns, before anything is turned round.
        rows, columns: 1, or -1 for those that are turned round.
    """

    is_transposed: bool
    rows: int
    columns: int

    @classmethod
    def from_directions(
        cls, down: NDArray[np.float64], right: NDArray[np.float64], axis: int
    ) -> Self:
        """Return the turn of slices that are stored with rows growing down and columns right.

        Shown, rows run from head to feet (in an axial slice from front to back) and columns from
        the patient's right to the left (in a sagittal one from front to back).

        Args:
            down, right: directions in RAS.
            axis: that slices follow each other on.
        """
        across, along = (other for other in range(3) if other != axis)
        is_transposed = abs(down[across]) > abs(down[along])
        if is_transposed:
            down, right = right, down
        return cls(bool(is_transposed), -int(np.sign(down[along])), -int(np.sign(right[across])))

    def sides(self, stored: tuple[int, int]) -> tuple[int, int]:
        """Return the height and width that are shown."""
        return stored[::-1] if self.is_transposed else stored

    def shown(self, stored: NDArray[Any]) -> NDArray[Any]:
        """Return a slice [H, W] as it is shown."""
        values = stored.T if self.is_transposed else stored
        return values[:: self.rows, :: self.columns]


def read_values(root: Path, file: str, frame: int, syntax: str) -> NDArray[Any]:
    """Return the stored values [rows, columns] of a slice.

    Args:
        frame: its number in the file.
        syntax: how the file's pixels are encoded.

    Raises:
        DataError: they are damaged, or of a compression that nothing here reads.
    """
    try:
        with opened(root / file) as content:
            return pixel_array(content, index=frame, raw=True, transfer_syntax_uid=syntax)
    except Exception as error:  # whatever a decoder raises, with values in its text
        raise DataError(f"{file} {_reason(syntax, error)}") from None


def _reason(syntax: str, error: Exception) -> str:
    """Return what is said of a file whose pixels could not be read, with what may read them."""
    try:
        needs = get_decoder(syntax).missing_dependencies  # "NAME - requires NAME>=1 and OTHER>=2"
    except NotImplementedError:
        return "is encoded in a way that is not read; save it uncompressed"
    packages = [re.findall(r"[\w-]+(?=>=)", need) for need in needs if need.startswith("pylibjpeg")]
    if not packages:
        return f"has pixels that cannot be read ({type(error).__name__}); replace it"
    return (
        f"has pixels that cannot be read here ({UID(syntax).name}); run `pip install "
        f"{' '.join(packages[0])}`, save it uncompressed, or replace it"
    )
