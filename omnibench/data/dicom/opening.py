"""DICOM files, opened: their headers parsed, and their pixels measured but not read.

Nothing is set aside for what a file merely declares, and nothing is said of its values.
"""

import logging
import os
import struct
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from pydicom import Dataset, dcmread, uid
from pydicom.encaps import parse_fragments
from pydicom.filereader import read_dataset, read_preamble

from omnibench.files import open_regular

logging.getLogger("pydicom").propagate = False  # it quotes values, whoever they are of

LARGE = 2**20  # bytes
PIXEL_DATA = (0x7FE0, 0x0010)
VOLUMES = (
    uid.CTImageStorage,
    uid.EnhancedCTImageStorage,
    uid.LegacyConvertedEnhancedCTImageStorage,
    uid.MRImageStorage,
    uid.EnhancedMRImageStorage,
    uid.LegacyConvertedEnhancedMRImageStorage,
    uid.PositronEmissionTomographyImageStorage,
    uid.EnhancedPETImageStorage,
    uid.LegacyConvertedEnhancedPETImageStorage,
    uid.BreastTomosynthesisImageStorage,
    uid.XRay3DAngiographicImageStorage,
    uid.XRay3DCraniofacialImageStorage,
    uid.SecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
)


class LeftOutError(Exception):
    """Why a file is left out: a reason and its kind, as of `headers.Refusal`."""

    def __init__(self, reason: str, kind: str) -> None:
        super().__init__(reason)
        self.reason, self.kind = reason, kind


class _Bounded(BufferedReader):
    """A file that is not asked for more than it has: Python sets aside whatever is asked for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > LARGE:
            size = min(size, os.fstat(self.fileno()).st_size)
        return super().read(size)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file for pydicom, whose warnings, which quote values, are kept to itself.

    Raises:
        OSError: as `open_regular`.
    """
    with open_regular(path) as file, _Bounded(file.raw) as bounded, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield bounded


def dataset_of(file: BinaryIO, tags: Sequence[int]) -> Dataset:
    """Return the header of a volume's file, and leave the file at its pixels.

    Args:
        tags: of the elements that are read.

    Raises:
        LeftOutError: it is no DICOM, or no slices of a volume.
    """
    is_marked = read_preamble(file, force=True) is not None
    try:
        meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != 2)
        if meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
            # it would be inflated whole, however large it is then
            raise LeftOutError("is deflated as a whole; save it uncompressed", "damaged")
        file.seek(0)
        dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(tags))
        kind = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    except LeftOutError:
        raise
    except Exception:
        if is_marked:
            raise
        kind = None
    if not kind:
        if is_marked:
            raise LeftOutError("does not say what it is (SOPClassUID); replace it", "damaged")
        raise LeftOutError("file that is no DICOM", "no slice")
    if kind not in VOLUMES:
        name = uid.UID(kind).name
        raise LeftOutError("unknown kind of DICOM" if name == kind else name, "no slice")
    return dataset


def syntax_of(dataset: Dataset) -> str:
    """Return the transfer syntax, told by the bytes where the file does not name it."""
    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return str(named)
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return str(uid.ImplicitVRLittleEndian)
    return str(uid.ExplicitVRLittleEndian if is_little else uid.ExplicitVRBigEndian)


def check_pixels(file: BinaryIO, dataset: Dataset, frames: int, syntax: str) -> None:
    """Hold the pixels to what the header declares, by their length alone.

    Args:
        file: at the pixels, where `dataset_of` leaves it.

    Raises:
        LeftOutError: there are none, or fewer.
    """
    is_implicit, is_little = dataset.original_encoding
    order = "<" if is_little else ">"
    group, element, length = _element(file, order, bool(is_implicit))
    if (group, element) != PIXEL_DATA:
        raise LeftOutError("has no pixels; replace or remove it", "damaged")
    size = os.fstat(file.fileno()).st_size
    if uid.UID(syntax).is_encapsulated:
        count, offsets = parse_fragments(file)
        if count > 0:
            file.seek(offsets[-1] + 4)
            (last,) = struct.unpack("<L", file.read(4))
        # the first is the table of offsets
        is_whole = count > frames and offsets[-1] + 8 + last <= size
    else:
        pixels = int(dataset.Rows) * int(dataset.Columns) * frames
        expected = pixels * int(dataset.BitsAllocated) // 8
        is_whole = min(length, size - file.tell()) >= expected
    if not is_whole:
        raise LeftOutError("ends within its pixels; replace it", "damaged")


def _element(file: BinaryIO, order: str, is_implicit: bool) -> tuple[int, int, int]:
    """Return group, element and length of what begins here; zeros at the file's end."""
    head = file.read(8 if is_implicit else 12)
    if len(head) < (8 if is_implicit else 12):
        return 0, 0, 0
    group, element = struct.unpack(f"{order}HH", head[:4])
    (length,) = struct.unpack(f"{order}L", head[-4:])
    return group, element, length
