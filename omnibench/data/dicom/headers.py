"""What the headers of DICOM files say of slices, without what says whose they are.

Of identifiers only salted hashes go on from here, of a description only the view that it chooses;
no message quotes a value of a file. Nothing is allocated for what a header merely declares.
"""

import fnmatch
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydicom import Dataset
from pydicom.datadict import tag_for_keyword

from omnibench.data.dicom.opening import (
    LeftOutError,
    check_pixels,
    dataset_of,
    opened,
    syntax_of,
)
from omnibench.data.study_table import pseudonym

MOST_PIXELS = 2**26  # of a slice: 8192 x 8192; larger ones are no slices of a volume
MOST_FRAMES = 2**16
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
        reason: what is said of the file, behind its name; of "no slice" what it is.
        kind: "no slice" (of a volume: counted), "no view" (named; the study may have others), or
            "damaged" (named, and its study is left out).
    """

    file: str
    study: str
    kind: str
    reason: str


def header_of(root: Path, name: str, salt: str, series: Mapping[str, str]) -> Header | Refusal:
    """Return what a file's header says, its pixels not being read.

    Args:
        series: view -> pattern of the descriptions of its series, as `fnmatch` has them.
    """
    study = ""
    try:
        with opened(root / name) as file:
            dataset = dataset_of(file, TAGS)
            study = _hashed(dataset, "StudyInstanceUID", salt)
            _check_kind(dataset)
            syntax = syntax_of(dataset)
            frames = _frames(dataset)
            check_pixels(file, dataset, len(frames), syntax)
            key = _hashed(dataset, "SeriesInstanceUID", salt)
            if not (study and key):
                raise LeftOutError("names no study or no series (their UIDs)", "damaged")
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
    except LeftOutError as error:
        return Refusal(name, study, error.kind, error.reason)
    except Exception as error:  # pydicom raises whatever its parts do, with values in the text
        reason = f"cannot be read as DICOM ({type(error).__name__}); replace or remove it"
        return Refusal(name, study, "damaged", reason)


def _check_kind(dataset: Dataset) -> None:
    if "PhotometricInterpretation" not in dataset or dataset.get("BitsAllocated") not in (8, 16):
        raise LeftOutError("has no pixels of 8 or 16 bits; replace or remove it", "damaged")
    if "LOCALIZER" in _texts(dataset.get("ImageType")):
        raise LeftOutError("is a localizer, no slice of a volume", "no view")
    is_grey = dataset.PhotometricInterpretation in ("MONOCHROME1", "MONOCHROME2")
    if not is_grey or dataset.get("SamplesPerPixel", 1) != 1:
        raise LeftOutError("is in colour, no slice of a volume", "no view")
    if "ModalityLUTSequence" in dataset:
        raise LeftOutError("has a modality LUT, which is not read; rescale it", "damaged")


def _frames(dataset: Dataset) -> tuple[Frame, ...]:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    count = int(dataset.get("NumberOfFrames") or 1)
    each = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if not 0 < rows * columns <= MOST_PIXELS or not 0 < count <= MOST_FRAMES:
        raise LeftOutError(
            f"declares {count} frames of {rows} x {columns} pixels, where 1 to {MOST_FRAMES} of "
            f"1 to {MOST_PIXELS} pixels are read",
            "damaged",
        )
    if count > 1 and len(each) != count:
        raise LeftOutError(
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
        raise LeftOutError(
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
    if frame.slope == 0:
        raise LeftOutError(
            "makes one value of all (RescaleSlope 0); correct it, or export it anew", "damaged"
        )
    is_finite = all(map(math.isfinite, [*everything, frame.slope, frame.intercept]))
    if len(position) != 3 or not is_finite or not _is_perpendicular(orientation):
        raise LeftOutError(
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


def _view(description: str, series: Mapping[str, str]) -> str:
    """Return the view whose pattern a description has, in any case of its letters; "" for none."""
    text = description.strip().lower()
    views = [view for view, own in series.items() if fnmatch.fnmatchcase(text, own.lower())]
    if len(views) > 1:
        several = " and ".join(views)
        raise LeftOutError(f"is of a series that `series:` declares as {several}", "damaged")
    return "".join(views)


def _hashed(dataset: Dataset, keyword: str, salt: str) -> str:
    """Return what stands for an identifier, "" where there is none."""
    text = str(dataset.get(keyword) or "").strip()
    return text and pseudonym(text, salt)


def _texts(value: Any) -> list[str]:
    return [str(value)] if isinstance(value, str) else [str(part) for part in value or ()]
