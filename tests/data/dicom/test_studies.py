"""Which files make a study, which series its views; and what leaves a study out."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder

from omnibench.data.dicom import files as dicom_files
from omnibench.data.dicom.files import files_of
from omnibench.data.dicom.pixels import read_values
from omnibench.data.dicom.series import DicomSeries
from omnibench.data.dicom.studies import Studies, studies_of
from omnibench.data.listing import files_below
from tests.data.dicom.made import edited, volume, write_series


def studies_below(root: Path, *names: str, **declared: str) -> Studies:
    files = files_of(root, files_below(root), declared, root / ".data")
    return studies_of(root, names, files, bool(declared))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two studies of one axial series each."""
    for name in ("a", "b"):
        write_series(tmp_path / name, volume())
    return tmp_path


def test_a_folder_and_an_instance_uid_name_the_same_study(root: Path) -> None:
    instance = str(pydicom.dcmread(root / "a" / "001").StudyInstanceUID)
    assert studies_below(root, "a").usable["a"] == studies_below(root, instance).usable[instance]


def test_series_of_other_planes_are_other_views(root: Path) -> None:
    instance = pydicom.dcmread(root / "a" / "001").StudyInstanceUID
    write_series(root / "a" / "s", volume(), plane="sagittal", StudyInstanceUID=instance)
    studies, _, _ = studies_below(root, "a", "b")
    assert list(studies["a"].views) == ["axial", "sagittal"]
    assert list(studies["b"].views) == ["axial"]


def test_two_series_of_one_plane_are_ambiguous_unless_declared(root: Path) -> None:
    instance = pydicom.dcmread(root / "a" / "001").StudyInstanceUID
    for name in ("thick", "bone"):
        write_series(root / "a" / name, volume(), SeriesDescription=name, StudyInstanceUID=instance)
    _, reasons, _ = studies_below(root, "a")
    assert "nothing tells which is the view 'axial'" in reasons["a"]
    assert "declares as soft and bone" in studies_below(root, "a", soft="*", bone="b*")[1]["a"]
    studies, _, _ = studies_below(root, "a", soft="TH?CK", bone="bone*")
    assert list(studies["a"].views) == ["bone", "soft"]
    soft = studies["a"].views["soft"].series
    assert isinstance(soft, DicomSeries) and soft.slices[0].file.startswith("a/thick/")
    assert list(studies_below(root, "a/thick")[0]["a/thick"].views) == ["axial"]


def test_a_folder_of_two_studies_or_patients_is_left_out(root: Path) -> None:
    write_series(root / "a" / "x", volume())
    edited(root / "b" / "001", lambda dataset: setattr(dataset, "PatientID", "other"))
    _, reasons, _ = studies_below(root, "a", "b")
    assert "not of the same study" in reasons["a"] and "not of the same patient" in reasons["b"]


def _joined(root: Path) -> None:
    first = pydicom.dcmread(root / "a" / "001")
    tags = {key: first.get(key) for key in ("StudyInstanceUID", "SeriesInstanceUID")}
    for path in write_series(root / "a" / "again", volume(), **tags):
        path.rename(path.with_name(f"{path.name}x"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


BAD: dict[str, tuple[Any, str]] = {
    "missing slice": (lambda root: (root / "a" / "003").unlink(), "a slice is missing"),
    "two series joined": (_joined, "at one place"),
    "truncated": (lambda root: _cut(root / "a" / "002"), "a/002 ends within its pixels"),
    "no DICOM any more": (
        lambda root: (root / "a" / "002").write_bytes(bytes(128) + b"DICMxyz"),
        "a/002 ",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_study_is_left_out_with_its_reason_and_others_are_read(name: str, root: Path) -> None:
    damage, reason = BAD[name]
    damage(root)
    studies, reasons, _ = studies_below(root, "a", "b")
    assert list(studies) == ["b"] and reason in reasons["a"]


def test_a_damaged_file_is_of_the_study_beside_it_where_studies_are_named_by_uid(
    root: Path,
) -> None:
    names = [str(pydicom.dcmread(root / part / "001").StudyInstanceUID) for part in "ab"]
    (root / "a" / "002").write_bytes(bytes(128) + b"DICMxyz")
    studies, reasons, _ = studies_below(root, *names)
    assert list(reasons) == names[:1] and list(studies) == names[1:]


def test_what_is_no_slice_is_counted_and_localizers_are_named(root: Path) -> None:
    def pdf(dataset: Dataset) -> None:
        dataset.SOPClassUID = uid.EncapsulatedPDFStorage

    def scout(dataset: Dataset) -> None:
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]

    for name, edit in (("report", pdf), ("scout1", scout), ("scout2", scout)):
        shutil.copy(root / "a" / "001", root / "a" / name)
        edited(root / "a" / name, edit)
    (root / "notes.txt").write_text("a few words")
    studies, _, remarks = studies_below(root, "a", "b")
    assert list(studies) == ["a", "b"]
    assert list(remarks) == [
        "a/scout1 (and 1 more beside it) is a localizer, no slice of a volume: left out",
        "left out, being no slices of volumes: 1 Encapsulated PDF Storage, 1 file that is no DICOM",
    ]


def test_what_has_no_row_is_named_and_what_has_two_is_left_out(root: Path) -> None:
    instance = str(pydicom.dcmread(root / "a" / "001").StudyInstanceUID)
    (root / "lost.dcm").write_bytes(bytes(128) + b"DICMxyz")
    studies, reasons, remarks = studies_below(root, "a", instance, "c")
    assert list(studies) == ["a"] and "two rows of labels.csv" in reasons[instance]
    assert remarks[0] == "labels.csv has no row for the study of b/005"
    assert remarks[1].startswith("lost.dcm ") and "c" not in reasons


def test_bundled_studies_are_read_or_left_out_as_their_positions_say(tmp_path: Path) -> None:
    root = Path(str(get_testdata_file("dicomdirtests/DICOMDIR", download=False))).parent
    names = ("98892001", "77654033/CT2", "98892003/MR700")
    files = files_of(root, files_below(root), {}, tmp_path)
    studies, reasons, remarks = studies_of(root, names, files, False)
    assert np.allclose(np.diff(studies["98892001"].views["axial"].places), 2.5)
    assert "a slice is missing" in reasons["77654033/CT2"]
    assert "has another orientation" in reasons["98892003/MR700"]
    assert any("98892001/CT2N/6293 (and 1 more beside it) is a localizer" in r for r in remarks)


def test_a_compression_that_nothing_here_reads_is_named_with_its_package(root: Path) -> None:
    shutil.copy(str(get_testdata_file("MR_small_jpeg_ls_lossless.dcm")), root / "a" / "001")
    if get_decoder(uid.JPEGLSLossless).is_available:
        pytest.skip("this installation reads JPEG-LS")
    _, reasons, _ = studies_below(root, "a")
    assert "(JPEG-LS Lossless Image Compression)" in reasons["a"]
    assert "pip install pylibjpeg pylibjpeg-libjpeg`" in reasons["a"]


def _cut_segments(dataset: Dataset) -> None:
    """Declare more segments of RLE than there are, so that the pixels cannot be decoded."""
    pixels = bytearray(dataset.PixelData)
    pixels[pixels.index(b"\xfe\xff\x00\xe0", 8) + 8] = 200
    dataset.PixelData = bytes(pixels)


def test_a_later_slice_that_cannot_be_decoded_leaves_its_study_out(root: Path) -> None:
    for name in ("a", "b"):
        for path in (root / name).iterdir():
            edited(path, lambda dataset: dataset.compress(uid.RLELossless))
    edited(root / "a" / "003", _cut_segments)
    usable, reasons, _ = studies_below(root, "a", "b")
    assert list(usable) == ["b"]
    assert "a/003 has pixels that cannot be read" in reasons["a"]


def test_of_many_slices_one_of_each_syntax_of_a_series_is_decoded(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom_files, "MOST_DECODED", 100)
    for name in ("a", "b"):
        for path in (root / name).iterdir():
            edited(path, lambda dataset: dataset.compress(uid.RLELossless))

    def other(dataset: Dataset) -> None:  # which it is not, so that nothing decodes it
        dataset.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit

    edited(root / "a" / "004", other)
    decode, decoded = read_values, []

    def counted(root: Path, file: str, frame: int, syntax: str) -> Any:
        decoded.append(file)
        return decode(root, file, frame, syntax)

    monkeypatch.setattr(dicom_files, "read_values", counted)
    usable, reasons, _ = studies_below(root, "a", "b")
    assert decoded == ["a/001", "a/004", "b/001"]
    assert list(usable) == ["b"] and "a/004 has pixels" in reasons["a"]


def test_headers_are_read_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = files_of(root, files_below(root), {}, root / ".data")
    monkeypatch.setattr(dicom_files, "header_of", None)
    assert files_of(root, files_below(root), {}, root / ".data") == first
