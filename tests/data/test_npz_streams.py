import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnibench.data.npz_streams import image_values, mask_values
from omnibench.errors import DataError


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_every_uint8_survives_as_a_float(dtype: str) -> None:
    values = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    floats = (values / 255).astype(dtype)
    np.testing.assert_array_equal(image_values(floats, 0, "x"), values)


@given(st.floats(0, 1))
def test_floats_are_rounded_to_the_nearest(value: float) -> None:
    actual = image_values(np.full((1, 1, 1), value), 0, "x")
    assert abs(float(actual[0, 0, 0]) - value * 255) <= 0.5


def test_uint8_is_not_copied() -> None:
    images = np.zeros((2, 3, 3), np.uint8)
    assert image_values(images, 0, "x") is images


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.01, 255.0])
def test_bad_floats_are_refused_by_image(value: float) -> None:
    images = np.zeros((5, 3, 3), np.float32)
    images[3, 1, 2] = value
    with pytest.raises(DataError, match=r"val_images holds \S+ in image 103; .* between 0 and 1"):
        image_values(images, 100, "own.npz: val_images")


def test_masks_of_any_integer() -> None:
    masks = np.array([[[0, 255]], [[1, 2]]])
    np.testing.assert_array_equal(mask_values(masks.astype(np.int32), 0, "x"), masks)
    assert mask_values(masks > 0, 0, "x").dtype == np.uint8


@pytest.mark.parametrize("value", [-1, 256])
def test_bad_masks_are_refused_by_image(value: int) -> None:
    with pytest.raises(DataError, match=rf"holds {value} in image 11;"):
        mask_values(np.array([[[0]], [[value]]], np.int16), 10, "own.npz: val_label")
