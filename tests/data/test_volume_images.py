from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from omnibench.data.images import SubsetImages
from omnibench.data.volume_images import (
    BLOCK,
    PackedSeries,
    VolumeImages,
    pack_values,
    sides_of,
)
from omnibench.window import Percentiles, Range, apply
from tests.data.series_in_memory import SOFT, Slices, volume

THREE: tuple[Range, Range, Range] = ((40.0, 400.0), (-600.0, 1500.0), (400.0, 1800.0))


@pytest.fixture
def series() -> tuple[Slices, ...]:
    return Slices(volume(20, 6, 8)), Slices(volume(3, 6, 8, 1)), Slices(volume(1, 6, 8, 2))


def test_the_slices_of_all_series_follow_each_other(series: tuple[Slices, ...]) -> None:
    images = VolumeImages(series, sides_of(series))
    expected = np.concatenate([apply(each.values, (SOFT,)) for each in series])
    assert images.shape == (24, 6, 8)
    np.testing.assert_array_equal(images.read(0, 24), expected)
    np.testing.assert_array_equal(images.read(18, 22), expected[18:22])
    np.testing.assert_array_equal(images.read(22, 99), expected[22:])
    assert images.read(7, 7).shape == (0, 6, 8)
    rows = np.array([23, 0, 19, 20, 21, 5, 4, 5])
    np.testing.assert_array_equal(images.read_rows(rows), expected[rows])
    np.testing.assert_array_equal(images.read_native(21), expected[21])


def test_an_inverted_series_is_white_where_another_is_black() -> None:
    values = volume(3, 6, 8)
    plain, inverted = (
        VolumeImages((Slices(values, is_inverted=flag),), (6, 8)) for flag in (False, True)
    )
    for window in (SOFT, THREE):
        expected = 255 - plain.windowed(window).read(0, 3)
        np.testing.assert_array_equal(inverted.windowed(window).read(0, 3), expected)


def test_a_block_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[int] = []
    read = Slices.read

    def noting(self: Slices, start: int, stop: int) -> NDArray[Any]:
        lengths.append(stop - start)
        return read(self, start, stop)

    monkeypatch.setattr(Slices, "read", noting)
    VolumeImages((Slices(volume(50, 4, 4)),), (4, 4)).read(0, 50)
    assert sum(lengths) == 50 and max(lengths) == BLOCK


def test_slices_are_windowed_and_then_resized_as_pillow_does() -> None:
    tall, wide = Slices(volume(2, 40, 20)), Slices(volume(2, 16, 30, 1))
    images = VolumeImages((tall, wide), sides_of((tall, wide))).at(24)
    assert images.shape == (4, 24, 24)
    for index, stored in enumerate([*tall.values, *wide.values]):
        grey = Image.fromarray(apply(stored, (SOFT,)))
        expected = np.asarray(grey.resize((24, 24), Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(images.read(index, index + 1)[0], expected)
        assert images.read_native(index).shape == stored.shape


def test_small_slices_stay_as_they_are(series: tuple[Slices, ...]) -> None:
    images = VolumeImages(series, (6, 8))
    assert images.at(224).shape == images.shape
    assert images.at(7).shape == (24, 6, 7)


def test_a_recipes_window_replaces_the_declared_one(series: tuple[Slices, ...]) -> None:
    images = VolumeImages(series, (6, 8), (0.0, 100.0))
    np.testing.assert_array_equal(images.read(0, 20), apply(series[0].values, ((0.0, 100.0),)))
    colours = SubsetImages(images, np.array([2, 1])).windowed(THREE)
    assert colours.shape == (2, 6, 8, 3)
    expected = apply(series[0].values[[2, 1]], THREE)
    np.testing.assert_array_equal(colours.read(0, 2), expected)
    assert colours.at(4).read(0, 2).shape == (2, 4, 4, 3)


def test_grey_levels_need_no_window() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (4, 5, 6), np.uint8)
    images = VolumeImages((Slices(levels, None),), (5, 6))
    np.testing.assert_array_equal(images.read(0, 4), levels)


def test_percentiles_are_of_the_whole_series_not_of_a_slice() -> None:
    values = volume(11, 6, 8)
    values[:3] //= 10
    images = VolumeImages((Slices(values),), (6, 8), Percentiles(percentiles=(5, 95)))
    low, high = np.percentile(values, [5, 95])
    line = np.clip(255 * (values - low) / (high - low), 0, 255)
    np.testing.assert_allclose(images.read(0, 11), line, atol=0.501)


def test_percentiles_of_a_large_series_are_those_of_a_grid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("omnibench.data.volume_images.SAMPLE", 1000)
    values = volume(10, 40, 40)
    images = VolumeImages((Slices(values),), (40, 40), Percentiles(percentiles=(0, 100)))
    ends = values[:, ::4, ::4].min(), values[:, ::4, ::4].max()
    line = np.clip(255 * (values.astype(float) - ends[0]) / (float(ends[1]) - ends[0]), 0, 255)
    np.testing.assert_allclose(images.read(0, 10), line, atol=0.501)


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "<f4", ">f8", "|u1"])
def test_packed_values_are_those_that_were_stored(dtype: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 200, (BLOCK + 3, 3, 4)).astype(dtype)
    little = values.dtype.newbyteorder("<").str
    loads: list[int] = []

    def load() -> NDArray[Any]:
        loads.append(1)
        return values

    for _ in range(2):
        pack = pack_values(tmp_path / "packed", (BLOCK + 3, 3, 4), little, load, "here")
    series = PackedSeries(pack, little)
    assert series.shape == values.shape and loads == [1]
    np.testing.assert_array_equal(series.read(1, 4), values[1:4])


def test_slope_and_intercept_are_applied_when_read(tmp_path: Path) -> None:
    values = volume(4, 3, 5)
    pack = pack_values(tmp_path / "packed", (4, 3, 5), "<i2", lambda: values, "here")
    series = PackedSeries(pack, "<i2", 2.5, -1024)
    np.testing.assert_allclose(series.read(0, 4), values * 2.5 - 1024)
    assert series.read(0, 1).dtype == np.float32
    assert hash(series) == hash(replace(series))
