"""Files of one map of numbers each: npy, npz with an array `map`, and TIFF of floats."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench.data.image_files import DAMAGE, check_mask, header, opened_image
from omnibench.errors import DataError

UNREADABLE = (*DAMAGE, zipfile.BadZipFile, KeyError)


def read_map(path: Path, image: Path) -> NDArray[np.float32]:
    """Return the map of an image's size, [H, W], or [H, W, C] where a pixel has several numbers.

    Raises:
        DataError: the file is unreadable, holds no floats, or is of another size than its image.
    """
    try:
        values = _values(path)
    except UNREADABLE as error:
        raise DataError(
            f"{path} cannot be read as a map ({error}); save it by numpy.save, or by numpy.savez "
            "under the name `map`, or as a TIFF of floats"
        ) from error
    if values.dtype.kind != "f" or values.ndim not in (2, 3):
        raise DataError(
            f"{path} is {values.dtype} {list(values.shape)} where floats [H, W] or [H, W, C] are "
            "needed; save numbers in the unit that is declared"
        )
    width, height = header(image).size
    if values.shape[:2] != (height, width):
        raise DataError(
            f"{path} is {values.shape[1]} x {values.shape[0]} pixels where {image} is {width} x "
            f"{height}; save the map at its image's size"
        )
    return values.astype(np.float32, copy=False)


def read_valid(path: Path, image: Path) -> NDArray[np.bool_]:
    """Return which pixels of an image's map are valid, [H, W]: those that are not 0 in a mask.

    Raises:
        DataError: as `check_mask`.
    """
    check_mask(image, path)
    with opened_image(path) as opened:
        known: NDArray[np.bool_] = np.asarray(opened) != 0
        return known


def _values(path: Path) -> NDArray[np.generic]:
    if path.suffix.lower() == ".npy":
        array: NDArray[np.generic] = np.load(path, allow_pickle=False)
        return array
    if path.suffix.lower() == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return np.asarray(arrays["map"])
    with opened_image(path) as opened:
        return np.asarray(opened)
