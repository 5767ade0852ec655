import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from omnibench.window import Percentiles, Range, Window, apply, channels_of, ranges_of, window_of

WINDOWS: TypeAdapter[Window] = TypeAdapter(Window)
BONE: Range = (400.0, 1800.0)
HU = np.arange(-1100, 3100, dtype=np.int16).reshape(2, 30, 70)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.float32, np.float64])
def test_a_window_is_the_straight_line_between_its_ends(dtype: type) -> None:
    line = 255 * (HU.astype(np.float64) - (BONE[0] - BONE[1] / 2)) / BONE[1]
    expected = np.clip(line, 0, 255)
    levels = apply(HU.astype(dtype), (BONE,))
    assert levels.dtype == np.uint8 and levels.shape == HU.shape
    np.testing.assert_allclose(levels, expected, atol=0.5 + 1e-4)
    assert (levels[HU <= -500] == 0).all() and (levels[HU >= 1300] == 255).all()


def test_a_window_is_the_linear_exact_one_of_dicom() -> None:
    pixels = pytest.importorskip("pydicom.pixels")
    dataset = pytest.importorskip("pydicom").Dataset()
    dataset.WindowCenter, dataset.WindowWidth = BONE
    dataset.VOILUTFunction = "LINEAR_EXACT"
    dataset.BitsStored, dataset.PixelRepresentation = 16, 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    low, high = -(2**15), 2**15 - 1  # what pydicom makes of a window's ends
    seen = (pixels.apply_windowing(HU, dataset) - low) / (high - low) * 255
    np.testing.assert_allclose(apply(HU, (BONE,)), seen, atol=0.5 + 1e-3)


def test_three_ranges_become_three_channels() -> None:
    ranges = (BONE, (40.0, 400.0), (-600.0, 1500.0))
    colours = apply(HU, ranges)
    assert colours.shape == (*HU.shape, 3)
    for channel, single in enumerate(ranges):
        assert (colours[..., channel] == apply(HU, (single,))).all()
    assert (channels_of(ranges), channels_of(BONE), channels_of(None)) == ((3,), (), ())


def test_percentiles_are_those_of_the_sample() -> None:
    values = np.random.default_rng(0).gamma(2, 100, 5000)
    ((centre, width),) = ranges_of(Percentiles(percentiles=(1, 99)), lambda: values)
    ends = np.percentile(values, [1, 99])
    np.testing.assert_allclose([centre - width / 2, centre + width / 2], ends)


def test_a_series_of_one_value_is_black() -> None:
    values = np.full(9, 7)
    ranges = ranges_of(Percentiles(percentiles=(0, 100)), lambda: values)
    assert (apply(values, ranges) == 0).all()


def test_ranges_look_at_no_value() -> None:
    def refuse() -> np.ndarray:
        raise AssertionError

    assert ranges_of(BONE, refuse) == (BONE,)


@pytest.mark.parametrize(
    "values",
    [
        [40],
        [40, 0],
        [40, -400],
        [40, float("nan")],
        [[40, 400]],
        [[40, 400]] * 2,
        {"percentiles": [99, 1]},
        {"percentiles": [-1, 99]},
        {"percentile": [1, 99]},
        "ct",
    ],
)
def test_what_is_no_window_is_refused(values: object) -> None:
    with pytest.raises(ValidationError):
        WINDOWS.validate_python(values)


@pytest.mark.parametrize("values", [[40.0, 400.0], [[1.0, 2.0]] * 3, {"percentiles": [1.0, 99.0]}])
def test_a_recipe_gives_the_window_that_was_written(values: object) -> None:
    window = window_of({"window": values})
    assert window is not None
    assert WINDOWS.dump_python(window, mode="json") == values
    assert window_of({"window": None}) is None
