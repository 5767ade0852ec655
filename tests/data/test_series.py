import numpy as np
import pytest

from omnibench.data import ArrayImages, Split
from omnibench.data.series import Series
from omnibench.errors import DataError

# Study, view and place of each image; the image is its number.
IMAGES = (
    *(("b", "axial", 2), ("a", "axial", 0), ("b", "axial", 1), ("a", "sagittal", 5)),
    *(("b", "axial", 3), ("a", "sagittal", 4)),
)


def split_of(rows: tuple[tuple[str, str, int], ...], with_views: bool = True) -> Split:
    study, view, place = (np.array(column) for column in zip(*rows, strict=True))
    pixels = np.arange(len(rows), dtype=np.uint8).repeat(4).reshape(-1, 2, 2)
    views = view if with_views else None
    return Split(ArrayImages(pixels), study=study, view=views, place=place)


def test_a_series_is_a_study_in_a_view_in_the_order_of_places() -> None:
    split = split_of(IMAGES)
    series = Series.from_split(split)
    assert [volume.tolist() for volume in series.slices] == [[2, 0, 4], [1], [5, 3]]
    assert split.studies[series.study].tolist() == ["b", "a", "a"]
    assert series.shape == (3, 2, 2)
    np.testing.assert_array_equal(series.read(2, 3)[0, :, 0, 0], [5, 3])
    assert series.read(0, 1).shape == (1, 3, 2, 2)


def test_without_views_and_places_a_study_is_one_series_as_it_was_read() -> None:
    split = split_of(IMAGES, with_views=False)
    assert [volume.tolist() for volume in Series.from_split(split).slices] == [
        [2, 0, 4],
        [1, 5, 3],
    ]
    plain = Split(split.images, study=split.study)
    assert [volume.tolist() for volume in Series.from_split(plain).slices] == [
        [0, 2, 4],
        [1, 3, 5],
    ]


def test_images_of_no_studies_are_refused() -> None:
    with pytest.raises(DataError, match="are of no studies"):
        Series.from_split(Split(split_of(IMAGES).images))
