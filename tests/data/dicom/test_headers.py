"""What headers tell, on pydicom's files and generated ones; and what is left out, and why."""

import struct
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite

from omnibench.data.dicom.headers import Header, Refusal, header_of
from omnibench.data.study_table import pseudonym
from tests.data.dicom.made import edited, volume, write_series


def bundled(name: str) -> Header | Refusal:
    path = Path(str(get_testdata_file(name, download=False)))
    return header_of(path.parent, path.name, "salt", {})


@pytest.fixture
def slice_file(tmp_path: Path) -> Path:
    return write_series(tmp_path, volume((6, 8, 1)))[0]


def look(path: Path) -> Header | Refusal:
    return header_of(path.parent, path.name, "salt", {})


def test_a_header_has_the_geometry_values_and_window_that_pydicom_reads() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("MR_small.dcm")))
    header = bundled("MR_small.dcm")
    assert isinstance(header, Header)
    (frame,) = header.frames
    assert header.shape == (dataset.Rows, dataset.Columns)
    assert frame.position == tuple(dataset.ImagePositionPatient)
    assert frame.orientation == tuple(dataset.ImageOrientationPatient)
    assert frame.spacing == tuple(dataset.PixelSpacing)
    assert frame.window == (dataset.WindowCenter, dataset.WindowWidth)
    assert header.study == pseudonym(dataset.StudyInstanceUID, "salt")


def test_a_header_holds_hashes_for_identifiers(tmp_path: Path) -> None:
    path = write_series(tmp_path, volume(), PatientID="ID-7", SeriesDescription="Doe, 1.1.1970")[0]
    written = str(look(path))
    dataset = pydicom.dcmread(path)
    for value in ("ID-7", "Doe", dataset.StudyInstanceUID, dataset.SeriesInstanceUID):
        assert value not in written


def test_the_first_of_several_windows_counts(slice_file: Path) -> None:
    header = look(slice_file)
    assert isinstance(header, Header) and header.frames[0].window == (40, 400)


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [
        ("rtdose.dcm", "no slice", "RT Dose Storage"),
        ("reportsi.dcm", "no slice", "Basic Text SR Storage"),
        ("liver_1frame.dcm", "no slice", "Segmentation Storage"),
        ("no_meta_group_length.dcm", "no slice", "RT Image Storage"),
        ("README.txt", "no slice", "file that is no DICOM"),
        ("SC_rgb_rle.dcm", "no view", "is in colour"),
        ("MR_truncated.dcm", "damaged", "ends within its pixels"),
        ("JPEG2000.dcm", "damaged", "does not tell its position"),
        ("image_dfl.dcm", "damaged", "is deflated as a whole"),
    ],
)
def test_bundled_files_that_are_no_slices_are_left_out(name: str, kind: str, reason: str) -> None:
    refusal = bundled(name)
    assert isinstance(refusal, Refusal)
    assert refusal.kind == kind and reason in refusal.reason


def _pdf(dataset: Dataset) -> None:
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = uid.EncapsulatedPDFStorage


CHANGES: dict[str, tuple[Any, str, str]] = {
    "pdf": (_pdf, "no slice", "Encapsulated PDF Storage"),
    "scout": (
        lambda d: setattr(d, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        "no view",
        "is a localizer",
    ),
    "no position": (lambda d: d.pop("ImagePositionPatient"), "damaged", "tell its position"),
    "no orientation": (lambda d: d.pop("ImageOrientationPatient"), "damaged", "its orientation"),
    "skewed": (
        lambda d: setattr(d, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]),
        "damaged",
        "a position, orientation",
    ),
    "one value": (lambda d: setattr(d, "RescaleSlope", 0), "damaged", "(RescaleSlope 0)"),
    "no series": (lambda d: d.pop("SeriesInstanceUID"), "damaged", "no study or no series"),
    "no pixels": (lambda d: d.pop("PixelData"), "damaged", "has no pixels"),
    "huge": (lambda d: d.update({"Rows": 65535, "Columns": 65535}), "damaged", "declares"),
    "32 bits": (lambda d: setattr(d, "BitsAllocated", 32), "damaged", "no pixels of 8 or 16 bits"),
    "more rows than pixels": (lambda d: setattr(d, "Rows", 9), "damaged", "ends within"),
    "frames": (lambda d: setattr(d, "NumberOfFrames", 3), "damaged", "has 3 frames"),
    "many frames": (lambda d: setattr(d, "NumberOfFrames", 2**31 - 1), "damaged", "declares 2147"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_files_are_left_out_with_their_reason(name: str, slice_file: Path) -> None:
    edit, kind, reason = CHANGES[name]
    edited(slice_file, edit)
    refusal = look(slice_file)
    assert isinstance(refusal, Refusal)
    assert refusal.kind == kind and reason in refusal.reason


def test_a_file_without_preamble_or_meta_information_is_read(slice_file: Path) -> None:
    dataset = pydicom.dcmread(slice_file)
    with slice_file.open("wb") as file:
        dcmwrite(file, Dataset(dataset), implicit_vr=True, little_endian=True)
    assert slice_file.read_bytes()[128:132] != b"DICM"
    header = look(slice_file)
    assert isinstance(header, Header) and header.syntax == uid.ImplicitVRLittleEndian


def test_a_cut_file_is_damaged(slice_file: Path) -> None:
    content = slice_file.read_bytes()
    for size in (140, len(content) // 2, len(content) - 1):
        slice_file.write_bytes(content[:size])
        assert look(slice_file)[2] == "damaged", size


def test_deeply_nested_sequences_are_refused(slice_file: Path) -> None:
    content = slice_file.read_bytes()
    at = content.index(struct.pack("<HH2s", 0x0020, 0x0032, b"DS"))
    opened = struct.pack("<HH2sHL", 0x0018, 0x9999, b"SQ", 0, 0xFFFFFFFF)
    item = struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF)
    slice_file.write_bytes(content[:at] + (opened + item) * 20_000)
    assert look(slice_file)[2] == "damaged"
