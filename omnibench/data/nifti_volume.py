"""NIfTI volumes: what their headers say, and their values as slices.

Volumes are turned to RAS+, axes to the right, the front and the head, by their affine's nearest
axes. Slices follow each other along one of these. In a slice the two others are reversed, rows
along the later one, so that it lies as radiologists see it and as DICOM stores it: the head or the
front at the top; the patient's right, or of a sagittal slice the front, at the left.
"""

import gzip
import logging
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.filebasedimages import ImageFileError
from nibabel.orientations import aff2axcodes, apply_orientation, inv_ornt_aff, io_orientation
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray
from scipy import ndimage

from omnibench.data.declaration import PLANES, Declaration
from omnibench.errors import DataError, one_line
from omnibench.files import open_regular

# It speaks of headers without their files, on standard error.
logging.getLogger("nibabel.global").setLevel(logging.CRITICAL + 1)

PADDING = 512  # bytes behind the values that are let pass: a block of a disk
DEFLATED = 1032  # bytes that a byte of deflate stands for, at most
CHUNK = 1 << 20
SHEAR = 0.01  # cosine between two axes, from which on they are not perpendicular
SAME_SIZE = 0.05  # share by which the voxels of qform and sform may differ
MOST_VOXELS = 2**31  # of a volume that is resampled
MOST = 1e30  # beyond it is no measurement, and float32 ends
DAMAGE = (
    *(ImageFileError, HeaderDataError, OSError, EOFError, zlib.error),
    *(ValueError, TypeError, LookupError, OverflowError),
)


class DamagedVolumeError(DataError):
    """A volume cannot be used."""


@dataclass(frozen=True)
class Volume:
    """A volume's file, as its header tells.

    Attributes:
        axis: on which slices follow each other.
        sides: voxels along each axis; others than the file's where it is resampled.
        dtype: of the stored values, little-endian.
        slope, intercept: what makes of a stored value v the value slope * v + intercept.
        places: of the slices, in mm along their axis.
    """

    path: Path
    axis: int
    sides: tuple[int, int, int]
    dtype: str
    slope: float
    intercept: float
    places: tuple[float, ...]

    @classmethod
    def from_header(cls, path: Path, declaration: Declaration) -> "Volume":
        """Read a header; slices follow the declared axis, else that of the longest voxels.

        Raises:
            DamagedVolumeError: it is damaged, of no grey volume of three dimensions, or tells no
                orientation, or two.
        """
        try:
            with np.errstate(all="ignore"):  # numbers that are none are refused
                image = _opened(path)
                reason = _reason(image, path)
        except DAMAGE as error:
            raise _unreadable(path, error) from error
        if reason:
            raise DamagedVolumeError(f"{path} {reason}")
        turn = io_orientation(image.affine)
        affine = image.affine @ inv_ornt_aff(turn, image.shape[:3])
        lengths, stored = voxel_sizes(affine), _turned_sides(turn, image.shape)
        spacing = lengths if declaration.spacing is None else np.array(declaration.spacing)
        sides = np.maximum(1, np.rint(stored * lengths / spacing))
        if sides.prod() > MOST_VOXELS:
            raise DamagedVolumeError(
                f"{path} would have {sides.prod():.2g} voxels of the declared spacing, more than "
                f"{MOST_VOXELS:.2g}; declare a wider one, or correct its header"
            )
        axis = PLANES.index(declaration.axis) if declaration.axis else _longest(lengths)
        step = stored[axis] * lengths[axis] / sides[axis]
        start = affine[:3, 3] @ (affine[:3, axis] / lengths[axis]) + (step - lengths[axis]) / 2
        right, front, head = map(int, sides)
        return cls(
            path,
            axis,
            (right, front, head),
            image.get_data_dtype().newbyteorder("<").str,
            image.dataobj.slope,
            image.dataobj.inter,
            tuple((start + step * np.arange(int(sides[axis]))).tolist()),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (slices, H, W)."""
        width, height = (side for axis, side in enumerate(self.sides) if axis != self.axis)
        return self.sides[self.axis], height, width

    @property
    def dtype_name(self) -> str:
        """Return the name of the type of its stored values, such as "int16"."""
        return np.dtype(self.dtype).name

    @property
    def holds_grey_levels(self) -> bool:
        """Return whether its values are of 8 bits, so that no window is needed."""
        return (self.dtype, self.slope, self.intercept) == ("|u1", 1.0, 0.0)

    def load(self) -> NDArray[Any]:
        """Return the stored values of the slices, [slices, H, W].

        Raises:
            DamagedVolumeError: they are damaged, or not finite.
        """
        try:
            image = _opened(self.path)
            stored = image.dataobj.get_unscaled()
            beyond = _length(self.path) - image.dataobj.offset - stored.nbytes
        except DAMAGE as error:
            raise _unreadable(self.path, error) from error
        if beyond > PADDING:
            raise DamagedVolumeError(
                f"{self.path} holds {beyond} bytes beyond the {' x '.join(map(str, stored.shape))} "
                "voxels of its header, which may be another file's; replace it"
            )
        ends = np.array([stored.min(), stored.max()], np.float64) * self.slope + self.intercept
        if not (np.abs(ends) < MOST).all():
            raise DamagedVolumeError(
                f"{self.path} holds values that are not finite (NaN, infinity); replace them"
            )
        turn = io_orientation(image.affine)
        values = apply_orientation(stored.reshape(stored.shape[:3]), turn)
        if values.shape != self.sides:
            zoom = np.array(self.sides) / values.shape
            values = ndimage.zoom(values, zoom, order=1, mode="nearest", grid_mode=True)
        shown: NDArray[Any] = np.moveaxis(values, self.axis, 0).transpose(0, 2, 1)[:, ::-1, ::-1]
        return shown


def _opened(path: Path) -> Any:
    open_regular(path).close()  # nibabel would wait for a pipe
    return nibabel.load(path)


def _reason(image: Any, path: Path) -> str:
    """Return why a volume is not read, behind its name; "" for nothing."""
    shape, dtype = image.shape, image.get_data_dtype()
    if not isinstance(image, nibabel.Nifti1Image):
        return "is no NIfTI volume; convert or remove it"
    if len(shape) < 3 or math.prod(shape[3:]) != 1:
        return f"is {len(shape)}-D ({' x '.join(map(str, shape))}); save a volume a file"
    if min(shape) < 1:
        return "has no slice; remove it"
    if dtype.kind not in "iuf":
        return "holds colours or complex numbers, not one number a voxel; save one of them"
    most = path.stat().st_size * (DEFLATED if path.suffix == ".gz" else 1)
    if math.prod(shape) * dtype.itemsize > most:
        return "is cut short: its header promises more than the file can hold; replace it"
    forms = [form for form, code in (image.get_sform(True), image.get_qform(True)) if code]
    if not forms:
        return "tells no orientation (the codes of qform and sform are 0); set one"
    for form in forms:
        lengths = voxel_sizes(form)
        if not (np.isfinite(form).all() and lengths.min() > 0):
            return "has a singular affine, which gives an axis no direction; correct it"
        cosines = (form[:3, :3] / lengths).T @ (form[:3, :3] / lengths)
        if np.abs(cosines - np.eye(3)).max() > SHEAR:
            return "has a sheared affine, whose axes are not perpendicular; resample or correct it"
    lengths = np.array([voxel_sizes(form) for form in forms])
    differ = np.abs(lengths[0] / lengths[-1] - 1).max() > SAME_SIZE
    if differ or aff2axcodes(forms[0]) != aff2axcodes(forms[-1]):
        return "has a qform and an sform of different axes or voxels; set the code of one to 0"
    return ""


def _turned_sides(turn: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the voxels along each axis of RAS+."""
    sides = np.empty(3, np.int64)
    sides[turn[:, 0].astype(int)] = shape[:3]
    return sides


def _longest(lengths: NDArray[np.float64]) -> int:
    """Return the axis of the longest voxels; of equal ones the last, so that cubes are axial."""
    return int(np.flatnonzero(np.isclose(lengths, lengths.max(), rtol=1e-3))[-1])


def _length(path: Path) -> int:
    """Return a file's bytes, of a compressed one those that it holds.

    That is read to its end, where its checksum is, which nibabel does not.
    """
    if path.suffix != ".gz":
        return path.stat().st_size
    with gzip.open(path) as file:
        return sum(iter(lambda: len(file.read(CHUNK)), 0))


def _unreadable(path: Path, error: Exception) -> DamagedVolumeError:
    reason = f"cannot be read as NIfTI ({one_line(error)}); replace or remove it"
    return DamagedVolumeError(f"{path} {reason}")
