"""The order of slices, their values against what was written, and series that are refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut

from omnibench.data.dicom.headers import Header, header_of
from omnibench.data.dicom.series import DicomSeries, plane_of, series_of
from omnibench.errors import DataError
from tests.data.dicom.made import PLANES, enhanced, volume, write_series


def headers_below(root: Path) -> list[Header]:
    entries = [header_of(root, path.name, "salt", {}) for path in sorted(root.iterdir())]
    return [entry for entry in entries if isinstance(entry, Header)]


def placed(root: Path) -> tuple[DicomSeries, list[float]]:
    view = series_of(root, headers_below(root))
    assert isinstance(view.series, DicomSeries)
    return view.series, list(view.places)


def written(root: Path, **arguments: Any) -> DicomSeries:
    write_series(root, **arguments)
    return placed(root)[0]


def shown(values: np.ndarray[Any, Any], plane: str) -> np.ndarray[Any, Any]:
    """Return a volume's slices [n, H, W]: rows from head or front, columns from right or front."""
    return np.moveaxis(values, PLANES[plane][0], 0).transpose(0, 2, 1)[:, ::-1, ::-1]


@pytest.mark.parametrize("plane", PLANES)
def test_slices_follow_their_positions_with_their_values(plane: str, tmp_path: Path) -> None:
    write_series(tmp_path, volume(), plane=plane)
    series, places = placed(tmp_path)
    assert plane_of(headers_below(tmp_path)[0].frames[0]) == plane
    np.testing.assert_array_equal(series.read(0, 99), shown(volume(), plane))
    assert set(np.diff(places)) == {3.0 if plane == "axial" else 1.0}


def test_file_names_and_instance_numbers_decide_nothing(tmp_path: Path) -> None:
    def number(index: int, dataset: Dataset) -> None:
        dataset.InstanceNumber = [3, 1, 4, 1, 5][index]

    series = written(tmp_path, values=volume(), change=number)
    np.testing.assert_array_equal(series.read(0, 99), shown(volume(), "axial"))


def test_slopes_and_intercepts_of_each_file_make_its_values(tmp_path: Path) -> None:
    def rescale(index: int, dataset: Dataset) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 0.5 + index, -3.25 * index

    series = written(tmp_path, values=volume(), change=rescale)
    for index, part in enumerate(series.slices):
        dataset = pydicom.dcmread(tmp_path / part.file)
        expected = series.turn.shown(apply_modality_lut(dataset.pixel_array, dataset))
        np.testing.assert_allclose(series.read(index, index + 1)[0], expected, rtol=1e-6)


def test_unused_bits_and_signs_are_read_as_pydicom_does(tmp_path: Path) -> None:
    def twelve_bits(index: int, dataset: Dataset) -> None:
        dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 12, 11, index % 2

    series = written(tmp_path, values=volume(), change=twelve_bits)
    for index, part in enumerate(series.slices):
        expected = series.turn.shown(pydicom.dcmread(tmp_path / part.file).pixel_array)
        np.testing.assert_array_equal(series.read(index, index + 1)[0], expected - 1024.0)


def test_a_single_slice_is_a_series(tmp_path: Path) -> None:
    assert written(tmp_path, values=volume((6, 8, 1))).shape == (1, 8, 6)


def test_the_middle_slices_first_window_is_the_series_own(tmp_path: Path) -> None:
    def window(index: int, dataset: Dataset) -> None:
        dataset.WindowCenter = [index, 99]

    assert written(tmp_path, values=volume(), change=window).window == (2, 400)


def test_small_jitter_of_positions_is_even(tmp_path: Path) -> None:
    def jitter(index: int, dataset: Dataset) -> None:
        dataset.ImagePositionPatient[2] += 0.05 * (index % 2)

    assert written(tmp_path, values=volume(), change=jitter).shape[0] == 5


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("ImagePositionPatient", [-5.0, -7.0, 3.0], "are at one place"),
        ("ImagePositionPatient", [-5.0, -7.0, 7.0], "spacings are mixed"),
        ("PixelSpacing", [2.0, 2.0], "pixels of another size in mm"),
        ("ImageOrientationPatient", [1.0, 0.0, 0.0, 0.0, 0.0, -1.0], "another orientation"),
        ("PhotometricInterpretation", "MONOCHROME1", "shows low values white"),
    ],
)
def test_a_series_of_unlike_slices_is_refused_by_file(
    keyword: str, value: Any, reason: str, tmp_path: Path
) -> None:
    def change(index: int, dataset: Dataset) -> None:
        if index == 2:
            setattr(dataset, keyword, value)

    with pytest.raises(DataError, match=rf"00\d .*{reason}"):
        written(tmp_path, values=volume(), change=change)


def test_a_slice_of_another_size_is_refused(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3"}
    write_series(tmp_path, volume(), **tags)
    (tmp_path / "001").rename(tmp_path / "009")
    with pytest.raises(DataError, match=r"has 8 x \d pixels where 00\d has 8 x \d"):
        written(tmp_path, values=volume((4, 8, 1)), **tags)


def test_a_missing_slice_is_named_by_its_neighbours(tmp_path: Path) -> None:
    write_series(tmp_path, volume())[2].unlink()
    with pytest.raises(DataError, match=r"004 and 002 are 6 mm apart .* 3 mm apart: .* missing"):
        series_of(tmp_path, headers_below(tmp_path))


COMPRESSED = ["MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_bigendian.dcm"]


@pytest.mark.parametrize("name", [*COMPRESSED, "MR_small_implicit.dcm", "MR_small_padded.dcm"])
def test_every_syntax_gives_the_values_of_the_plain_file(name: str) -> None:
    pages = []
    for file in ("MR_small.dcm", name):
        path = Path(str(get_testdata_file(file, download=False)))
        header = header_of(path.parent, path.name, "salt", {})
        assert isinstance(header, Header)
        pages.append(series_of(path.parent, [header]).series.read(0, 1))
    np.testing.assert_array_equal(pages[0], pages[1])


def test_frames_of_one_file_follow_their_own_positions_and_slopes(tmp_path: Path) -> None:
    slopes = [1.0, 2.0, 0.5, 1.0, 3.0]
    enhanced(volume(), slopes).save_as(tmp_path / "all.dcm", enforce_file_format=True)
    series, places = placed(tmp_path)
    stored = shown(volume(), "axial") + 1024.0
    expected = stored * np.array(slopes)[:, None, None] - 1024
    np.testing.assert_array_equal(series.read(0, 5), expected)
    assert places == [0.0, 3.0, 6.0, 9.0, 12.0] and series.window == (60, 500)
