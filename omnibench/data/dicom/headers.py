"""What the headers of DICOM files say of slices, without what says whose they are.

Of identifiers only salted hashes go on from here, of a description only the view that it chooses;
no message quotes a value of a file. Nothing is allocated for what a header merely declares.
"""

import fnmatch
import logging
import math
import os
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pydicom import Dataset, dcmread, uid
from pydicom.datadict import tag_for_keyword
from pydicom.encaps import parse_fragments
from pydicom.filereader import read_dataset, read_preamble

from omnibench.data.study_table import pseudonym
from omnibench.files import open_regular

logging.getLogger("pydicom").propagate = False  # it quotes values, whoever they are of

MOST_PIXELS = 2**26  # of a slice: 8192 x 8192; larger ones are no slices of a volume
MOST_FRAMES = 2**16
LARGE = 2**20  # bytes
PIXEL_DATA = (0x7FE0, 0x0010)
UNDEFINED = 0xFFFFFFFF
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
# Where functional groups hold what plain files have at the top (PS3.3 C.7.6.16).
GROUPS = {
    "ImagePositionPatient": "PlanePositionSequence",
    "ImageOrientationPatient": "PlaneOrientationSequence",
    "PixelSpacing": "PixelMeasuresSequence",
    "RescaleSlope": "PixelValueTransformationSequence",
    "RescaleIntercept": "PixelValueTransformationSequence",
    "WindowCenter": "FrameVOILUTSequence",
    "WindowWidth": "FrameVOILUTSequence",
}
TAGS = [
    tag_for_keyword(keyword) or 0
    for keyword in (
        *GROUPS,
        *("SOPClassUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID", "ImageType"),
        *("SeriesDescription", "SpecificCharacterSet", "Rows", "Columns", "NumberOfFrames"),
        *("SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "ModalityLUTSequence"),
        *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
    )
]


class Frame(NamedTuple):
    """What is known of one slice.

    Attributes:
        position: of its first pixel's centre, in mm, to the patient's left, back and head (LPS).
        orientation: directions of growing columns, then of growing rows, in LPS.
        spacing: mm between rows and between columns; () where unknown.
        window: centre and width of the first one that the file names; () for none.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    slope: float
    intercept: float
    window: tuple[float, ...]


class Header(NamedTuple):
    """A file of slices.

    Attributes:
        file: its name from the dataset's folder on.
        study, series, patient: salted hashes of identifiers; "" for no patient.
        view: the one that is declared for the series' description; "" for none.
        syntax: how pixels are encoded.
        is_inverted: whether its lowest values are white (MONOCHROME1).
    """

    file: str
    study: str
    series: str
    patient: str
    view: str
    shape: tuple[int, int]
    syntax: str
    is_inverted: bool
    frames: tuple[Frame, ...]


class Refusal(NamedTuple):
    """A file that is not used.

    Attributes:
        study: as of a header; "" where unknown.
        reason: what is said of the file, behind its name; of a file that is `no_slice` its kind.
        kind: "no slice" (of a volume: counted), "no view" (named; the study may have others), or
            "damaged" (named, and its study is left out).
    """

    file: str
    study: str
    kind: str
    reason: str


class _RefusedError(Exception):
    """A reason, and its kind, for leaving a file out."""


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


def header_of(root: Path, name: str, salt: str, series: Mapping[str, str]) -> Header | Refusal:
    """Return what a file's header says, its pixels not being read.

    Args:
        series: view -> pattern of the descriptions of its series, as `fnmatch` has them.
    """
    study = ""
    try:
        with opened(root / name) as file:
            dataset = _dataset(file)
            study = _hashed(dataset, "StudyInstanceUID", salt)
            _check_kind(dataset)
            syntax = _syntax(dataset)
            frames = _frames(dataset)
            _check_pixels(file, dataset, len(frames), syntax)
            key = _hashed(dataset, "SeriesInstanceUID", salt)
            if not (study and key):
                raise _RefusedError("names no study or no series (their UIDs)", "damaged")
            return Header(
                name,
                study,
                key,
                _hashed(dataset, "PatientID", salt),
                _view(str(dataset.get("SeriesDescription", "")), series),
                (int(dataset.Rows), int(dataset.Columns)),
                syntax,
                dataset.PhotometricInterpretation == "MONOCHROME1",
                frames,
            )
    except _RefusedError as refused:
        reason, kind = refused.args
        return Refusal(name, study, kind, reason)
    except Exception as error:  # pydicom raises whatever its parts do, with values in the text
        reason = f"cannot be read as DICOM ({type(error).__name__}); replace or remove it"
        return Refusal(name, study, "damaged", reason)


def _dataset(file: BinaryIO) -> Dataset:
    """Return the header, and leave the file at its pixels."""
    is_marked = read_preamble(file, force=True) is not None
    meta = read_dataset(file, False, True, stop_when=lambda tag, *_: tag.group != 2)
    if meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian:
        # it would be inflated whole, however large it is then
        raise _RefusedError("is deflated as a whole; save it uncompressed", "damaged")
    file.seek(0)
    try:
        dataset = dcmread(file, stop_before_pixels=True, force=True, specific_tags=list(TAGS))
        kind = dataset.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID")
    except Exception:
        if is_marked:
            raise
        kind = None
    if not kind:
        if is_marked:
            raise _RefusedError("does not say what it is (SOPClassUID); replace it", "damaged")
        raise _RefusedError("file that is no DICOM", "no slice")
    if kind not in VOLUMES:
        name = uid.UID(kind).name
        raise _RefusedError("unknown kind of DICOM" if name == kind else name, "no slice")
    return dataset


def _check_kind(dataset: Dataset) -> None:
    if "PhotometricInterpretation" not in dataset or dataset.get("BitsAllocated") not in (8, 16):
        raise _RefusedError("has no pixels of 8 or 16 bits; replace or remove it", "damaged")
    if "LOCALIZER" in _texts(dataset.get("ImageType")):
        raise _RefusedError("is a localizer, no slice of a volume", "no view")
    is_grey = dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2")
    if not is_grey or dataset.get("SamplesPerPixel", 1) != 1:
        raise _RefusedError("is in colour, no slice of a volume", "no view")
    if "ModalityLUTSequence" in dataset:
        raise _RefusedError("has a modality LUT, which is not read; rescale it", "damaged")


def _syntax(dataset: Dataset) -> str:
    """Return the transfer syntax, told by the bytes where the file does not name it."""
    named = dataset.file_meta.get("TransferSyntaxUID")
    if named:
        return str(named)
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return str(uid.ImplicitVRLittleEndian)
    return str(uid.ExplicitVRLittleEndian if is_little else uid.ExplicitVRBigEndian)


def _frames(dataset: Dataset) -> tuple[Frame, ...]:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    count = int(dataset.get("NumberOfFrames") or 1)
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not 0 < rows * columns <= MOST_PIXELS or not 0 < count <= MOST_FRAMES:
        raise _RefusedError(
            f"declares {count} frames of {rows} x {columns} pixels, where 1 to {MOST_FRAMES} of "
            f"1 to {MOST_PIXELS} pixels are read",
            "damaged",
        )
    if count > 1 and len(each) != count:
        raise _RefusedError(
            f"has {count} frames, but tells the place of {len(each)} (functional groups); save "
            "it as an enhanced image or as files of one slice",
            "damaged",
        )
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    return tuple(_frame([*each[k : k + 1], *shared], dataset) for k in range(count))


def _frame(groups: Sequence[Dataset], dataset: Dataset) -> Frame:
    def numbers(keyword: str) -> tuple[float, ...]:
        value: Any = dataset.get(keyword)
        for group in groups:
            items = group.get(GROUPS[keyword])
            if items and keyword in items[0]:
                value = items[0].get(keyword)
                break
        if value is None or value == "":
            return ()
        listed = [value] if isinstance(value, int | float) else list(value)
        return tuple(float(number) for number in listed)

    position, orientation = numbers("ImagePositionPatient"), numbers("ImageOrientationPatient")
    if not position or not orientation:
        absent = "orientation" if position else "position"
        raise _RefusedError(
            f"does not tell its {absent} (Image{absent.title()}Patient); leave it out or export "
            "it anew",
            "damaged",
        )
    centre, width = numbers("WindowCenter")[:1], numbers("WindowWidth")[:1]
    frame = Frame(
        position,
        orientation,
        numbers("PixelSpacing"),
        (*numbers("RescaleSlope"), 1.0)[0],
        (*numbers("RescaleIntercept"), 0.0)[0],
        (*centre, *width) if centre and width and width[0] > 0 else (),
    )
    everything = [*position, *orientation, *frame.spacing, *frame.window]
    is_finite = all(map(math.isfinite, [*everything, frame.slope, frame.intercept]))
    if len(position) != 3 or not is_finite or not _is_perpendicular(orientation):
        raise _RefusedError(
            "has a position, orientation, spacing or rescaling that is none; export it anew",
            "damaged",
        )
    return frame


def _is_perpendicular(orientation: Sequence[float]) -> bool:
    if len(orientation) != 6:
        return False
    right, down = orientation[:3], orientation[3:]
    products = [
        sum(a * b for a, b in zip(x, y, strict=True))
        for x, y in ((right, right), (down, down), (right, down))
    ]
    return all(abs(a - b) < 0.02 for a, b in zip(products, (1, 1, 0), strict=True))


def _check_pixels(file: BinaryIO, dataset: Dataset, frames: int, syntax: str) -> None:
    """Hold the pixels to what the header declares, by their length alone.

    Args:
        file: at the pixels, where `_dataset` leaves it.
    """
    is_implicit, is_little = dataset.original_encoding
    order = "<" if is_little else ">"
    group, element, length = _element(file, order, bool(is_implicit))
    if (group, element) != PIXEL_DATA:
        raise _RefusedError("has no pixels; replace or remove it", "damaged")
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
        raise _RefusedError("ends within its pixels; replace it", "damaged")


def _element(file: BinaryIO, order: str, is_implicit: bool) -> tuple[int, int, int]:
    """Return group, element and length of what begins here; zeros at the file's end."""
    head = file.read(8 if is_implicit else 12)
    if len(head) < (8 if is_implicit else 12):
        return 0, 0, 0
    group, element = struct.unpack(f"{order}HH", head[:4])
    (length,) = struct.unpack(f"{order}L", head[-4:])
    return group, element, length


def _view(description: str, series: Mapping[str, str]) -> str:
    """Return the view whose pattern a description has, in any case of its letters; "" for none."""
    text = description.strip().lower()
    views = [view for view, own in series.items() if fnmatch.fnmatchcase(text, own.lower())]
    if len(views) > 1:
        several = " and ".join(views)
        raise _RefusedError(f"is of a series that `series:` declares as {several}", "damaged")
    return "".join(views)


def _hashed(dataset: Dataset, keyword: str, salt: str) -> str:
    """Return what stands for an identifier, "" where there is none."""
    text = str(dataset.get(keyword) or "").strip()
    return text and pseudonym(text, salt)


def _texts(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str) else [str(part) for part in value or ()]
